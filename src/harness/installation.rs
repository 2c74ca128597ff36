//! Where a harness keeps its files, and which of them take entries of ours: the `[install]` part of a manifest.

use std::path::PathBuf;

use serde::Deserialize;

use super::{FolderTrust, Layer, TrustedProjects};
use crate::edit::Format;
use crate::env::Env;

/// Where a harness's files are.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Installation {
    /// Its program on the path.
    pub program: String,
    /// Its npm package, whose `package.json` tells the version.
    pub package: String,
    /// The end of the path of a directory in which an installer keeps the programs by their versions.
    pub versions: Option<String>,
    /// Its directory below the user's home.
    pub directory: String,
    /// A variable that names another directory.
    pub directory_variable: Option<String>,
    /// A variable that names another home, in which `directory` is then.
    pub home_variable: Option<String>,
    /// The file and keys that hold its hooks, by event.
    pub hooks: Place,
    /// Keys at the root of that file beside which the harness refuses any other; any where nothing is said.
    pub hooks_file_keys: Option<Vec<String>>,
    /// Whether each hook bears a name that the user may switch off.
    #[serde(default)]
    pub named_hooks: bool,
    /// The file and keys that hold MCP servers.
    pub tools: Tools,
    /// Where a skill's file goes.
    pub skill: Option<String>,
    /// The file of instructions that takes a section of ours.
    pub instructions: Option<Instructions>,
    /// Settings by which its user switches hooks off.
    #[serde(default)]
    pub switches: Vec<Switch>,
    /// Files beside the user's own that hold hooks and settings by the same keys, the stronger first.
    #[serde(default)]
    pub layers: Vec<Layer>,
    /// Where it is kept which projects' files are read; where nothing is said, every project's are.
    pub trusted_projects: Option<TrustedProjects>,
    /// Where it is kept in which folders it may work.
    pub folder_trust: Option<FolderTrust>,
    /// A folder that is ours alone and has everything: the other vehicle.
    pub folder: Option<Folder>,
}

/// A file of the harness, and keys in it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Place {
    /// Below the harness's directory.
    pub file: String,
    /// How it is written.
    pub format: Format,
    /// Keys from the root.
    pub path: Vec<String>,
}

/// Where MCP servers stand, and how their use is approved in advance.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Tools {
    /// The file and keys.
    pub place: Place,
    /// Where that file is instead when no variable moves the directory: below the home.
    pub file_in_home: Option<String>,
    /// What the harness's own writers add to the file's name for the directory by which they lock it.
    pub lock_suffix: Option<String>,
    /// Fields of the entry beside its command.
    #[serde(default)]
    pub fields: serde_json::Map<String, serde_json::Value>,
    /// Fields that approve our tools.
    #[serde(default)]
    pub approving_fields: serde_json::Map<String, serde_json::Value>,
    /// A list that approves our tools, and what is put into it.
    pub approval: Option<Approval>,
}

/// An element of a list that approves our tools.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Approval {
    /// The list.
    pub place: Place,
    /// The element, where our server stands in the harness's own file.
    pub element: String,
    /// The element, where it stands in our folder.
    pub folder_element: String,
}

/// A file of instructions.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Instructions {
    /// The file.
    pub file: String,
    /// A file that takes its place where it is there and not empty.
    pub overriding_file: Option<String>,
    /// A setting that names another file.
    pub setting: Option<Place>,
}

/// A setting that switches our hooks off.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Switch {
    /// The file and the keys of the setting itself.
    pub place: Place,
    /// Its value that switches off, or an element of it.
    pub off: serde_json::Value,
    /// Whether it counts in an administrator's file alone.
    #[serde(default)]
    pub administrator: bool,
    /// A command of the harness that takes it out of the user's file.
    pub mend: Option<String>,
}

/// A folder of ours.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Folder {
    /// Below the harness's directory.
    pub path: String,
    /// Whether setup uses it unless it is told otherwise.
    pub is_default: bool,
    /// The oldest version that loads it.
    pub since: Option<String>,
    /// The file that describes it.
    pub description: String,
    /// The file with its hooks.
    pub hooks: String,
    /// The file with its MCP servers; where there is none, they stand in the description.
    pub tools: Option<String>,
    /// Its skill.
    pub skill: String,
    /// Its instructions, where the description names a file of them.
    pub instructions: Option<FolderInstructions>,
    /// A file of ours that approves its tools, where that is not an element of a list.
    pub approval: Option<FolderApproval>,
}

/// Instructions in a folder of ours.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct FolderInstructions {
    /// The key of the description that names the file.
    pub key: String,
    /// The file.
    pub file: String,
}

/// A file of ours alone that approves our tools.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct FolderApproval {
    /// Below the harness's directory.
    pub file: String,
    /// All of it.
    pub text: String,
}

impl Installation {
    /// The harness's directory, and its home.
    #[must_use]
    pub fn directories(&self, env: &Env) -> Option<(PathBuf, PathBuf)> {
        let variable = |name: &Option<String>| directory_of(env, name.as_deref()?);
        let home = variable(&self.home_variable).or_else(|| env.home())?;
        let directory = variable(&self.directory_variable).unwrap_or_else(|| home.join(&self.directory));
        Some((directory, home))
    }

    /// The installed version, where its package tells it: no program is started for it.
    #[must_use]
    pub fn version(&self, env: &Env) -> Option<String> {
        let program = std::fs::canonicalize(env.find_program(&self.program)?).ok()?;
        let is_by_version = self
            .versions
            .as_ref()
            .is_some_and(|end| program.parent().is_some_and(|above| above.ends_with(end)));
        if is_by_version {
            return program.file_name()?.to_str().map(str::to_owned);
        }
        program.ancestors().skip(1).take(6).find_map(|directory| {
            let bytes = std::fs::read(directory.join("package.json")).ok()?;
            let package: serde_json::Value = serde_json::from_slice(&bytes).ok()?;
            let is_its_own = package.get("name")?.as_str()? == self.package;
            is_its_own.then(|| package.get("version")?.as_str().map(str::to_owned)).flatten()
        })
    }

    /// The variables that move the harness's files, with the directories where they are set now.
    pub fn variables(&self, env: &Env) -> impl Iterator<Item = (String, Option<PathBuf>)> {
        let names = [&self.directory_variable, &self.home_variable];
        names.into_iter().flatten().map(|name| (name.clone(), directory_of(env, name)))
    }
}

/// The directory that a variable names. A relative one is of the working directory that it is read in.
fn directory_of(env: &Env, name: &str) -> Option<PathBuf> {
    let path = PathBuf::from(env.variable(name)?);
    Some(env.directory().map(|directory| directory.join(&path)).unwrap_or(path))
}
