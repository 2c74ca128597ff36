//! Files that hold a harness's hooks and settings beside the user's own: the administrator's and the project's.
//!
//! Reading them is all that is done to them: they are not ours.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;

use super::{Installation, Place, Standing};
use crate::edit::{self, Format};
use crate::env::Env;
use crate::repository;
use crate::spool::local::files::read_settings;

/// Where further settings stand.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Layer {
    /// Whose they are.
    pub of: LayerOwner,
    /// Below the harness's directory, or the project's, or an absolute path. In a folder each `*.json` counts.
    pub file: String,
    /// How it is written.
    pub format: Format,
    /// A variable that names another file.
    pub variable: Option<String>,
}

/// Whose a layer of settings is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LayerOwner {
    /// Another file of the user's.
    User,
    /// The project's.
    Project,
    /// The machine's, over all users.
    Administrator,
}

/// Where a harness keeps which projects its user trusts.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct TrustedProjects {
    /// The table of directories.
    pub place: Place,
    /// The field of one.
    pub field: String,
    /// Its value for a trusted one.
    pub trusted: String,
}

/// A file of settings that is there and parses.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The file.
    pub path: PathBuf,
    value: Value,
}

impl Layer {
    /// Its settings below this directory: of each file that is there and parses.
    fn settings(&self, directory: &Path, env: &Env) -> Vec<Settings> {
        let named = self.variable.as_deref().and_then(|name| env.variable(name));
        let path = named.map_or_else(|| directory.join(&self.file), PathBuf::from);
        let mut paths = vec![path.clone()];
        if path.is_dir() {
            let entries = fs::read_dir(&path).into_iter().flatten().flatten();
            let is_setting = |name: &str| name.ends_with(".json") && !name.starts_with('.');
            let files = entries.filter(|entry| entry.file_name().to_str().is_some_and(is_setting));
            paths = files.map(|entry| entry.path()).collect();
            paths.sort();
        }
        paths.into_iter().filter_map(|path| Settings::read(path, self.format)).collect()
    }
}

impl Installation {
    /// The settings of these owners, the stronger first, for the harness whose files are in `directory`.
    #[must_use]
    pub fn settings(&self, of: LayerOwner, directory: &Path, env: &Env) -> Vec<Settings> {
        let layers = self.layers.iter().filter(|layer| layer.of == of);
        let mut found: Vec<Settings> = Vec::new();
        for settings in layers.flat_map(|layer| layer.settings(directory, env)) {
            // Two layers may be named by one variable.
            if !found.iter().any(|other| other.path == settings.path) {
                found.push(settings);
            }
        }
        found
    }

    /// The settings of the working directory and of those above it, up to the root of its repository: one list
    /// each, the stronger first, where the harness reads them. The user's own files are no project's.
    #[must_use]
    pub fn project_settings(&self, directory: &Path, env: &Env) -> Vec<Vec<Settings>> {
        let projects = env.directory().map(|here| repository::directories(&here)).unwrap_or_default();
        let Some(root) = projects.last() else { return Vec::new() };
        let users = self.layers.iter().filter(|layer| layer.of == LayerOwner::User).map(|layer| &layer.file);
        let own =
            users.chain([&self.hooks.file]).filter_map(|file| fs::canonicalize(directory.join(file)).ok());
        let own: Vec<_> = own.collect();
        let is_own =
            |settings: &Settings| fs::canonicalize(&settings.path).is_ok_and(|path| own.contains(&path));
        let read = projects.iter().filter(|project| self.reads_project(project, root, directory, env));
        read.map(|project| {
            let mut settings = self.settings(LayerOwner::Project, project, env);
            settings.retain(|settings| !is_own(settings));
            settings
        })
        .collect()
    }

    fn reads_project(&self, project: &Path, root: &Path, directory: &Path, env: &Env) -> bool {
        let is_trusted = self
            .trusted_projects
            .as_ref()
            .is_none_or(|trusted| trusted.holds(directory, project) || trusted.holds(directory, root));
        let standing = self.folder_trust.as_ref().map(|trust| trust.standing(self, directory, project, env));
        is_trusted && standing.is_none_or(|standing| standing == Standing::Trusted)
    }
}

impl Settings {
    /// Reads a file; `None` where it is not there or does not parse: its harness reads nothing of it either.
    #[must_use]
    pub fn read(path: PathBuf, format: Format) -> Option<Self> {
        let bytes = read_settings(&path).ok()?;
        let value = edit::value(format, &bytes).ok()?;
        Some(Self { path, value })
    }

    /// What stands at these keys.
    #[must_use]
    pub fn at(&self, keys: &[String]) -> Option<&Value> {
        keys.iter().try_fold(&self.value, |value, key| value.get(key))
    }

    /// The hooks under these keys, with their events.
    pub fn handlers(&self, keys: &[String]) -> impl Iterator<Item = (&str, &Value)> {
        let events = self.at(keys).and_then(Value::as_object).into_iter().flatten();
        events.flat_map(|(event, groups)| {
            let groups = groups.as_array().into_iter().flatten();
            let hooks = groups.filter_map(|group| group.get("hooks")?.as_array()).flatten();
            hooks.map(move |hook| (event.as_str(), hook))
        })
    }

    /// Their command lines.
    pub fn commands(&self, keys: &[String]) -> impl Iterator<Item = (&str, &str)> {
        self.handlers(keys).filter_map(|(event, hook)| Some((event, hook.get("command")?.as_str()?)))
    }
}

impl TrustedProjects {
    /// Whether the project with this directory is trusted, in the harness's directory.
    #[must_use]
    pub fn holds(&self, directory: &Path, project: &Path) -> bool {
        let settings = Settings::read(directory.join(&self.place.file), self.place.format);
        let project = fs::canonicalize(project).unwrap_or_else(|_| project.to_owned());
        settings.is_some_and(|settings| {
            let project = settings.at(&self.place.path).and_then(|table| table.get(project.to_str()?));
            project.and_then(|project| project.get(&self.field)) == Some(&Value::from(self.trusted.clone()))
        })
    }
}
