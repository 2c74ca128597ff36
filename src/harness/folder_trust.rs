//! Whether a harness may work in a folder: what its user told it, and what its environment says.
//!
//! Nothing here grants trust: that is a step of the user's.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;

use super::{Installation, LayerOwner, Place, Settings};
use crate::edit::{self, Format};
use crate::env::Env;
use crate::spool::local::files::read_settings;

/// Where a harness keeps the folders that its user trusts.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct FolderTrust {
    /// The file, below the harness's directory: folders with one of the three values.
    pub file: String,
    /// How it is written.
    pub format: Format,
    /// A variable that names another file.
    pub file_variable: Option<String>,
    /// A variable that decides for every folder: `true` or `false`.
    pub variable: String,
    /// One that denies all trust: `true`.
    pub denying_variable: Option<String>,
    /// The value of a folder that is trusted with all below it.
    pub folder: String,
    /// The value of a folder whose parent is trusted with all below it.
    pub parent: String,
    /// The value of a folder that is not.
    pub distrusted: String,
    /// What its user does to trust a folder.
    pub step: String,
    /// The setting that switches the question off: `false`.
    pub switch: Place,
}

/// How a folder stands with a harness.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// It works there.
    Trusted,
    /// Its user said no.
    Distrusted,
    /// This variable says no, for every folder.
    Denied(String),
    /// Nobody was asked yet.
    Unknown,
    /// The file of trust does not parse, so that the harness does not start.
    Damaged(PathBuf, String),
}

impl FolderTrust {
    /// How a directory stands with the harness whose files are in `home`.
    #[must_use]
    pub fn standing(&self, install: &Installation, home: &Path, directory: &Path, env: &Env) -> Standing {
        let says = |name: &str, value: &str| env.text(name).as_deref() == Some(value);
        if let Some(name) = self.denying_variable.as_ref().filter(|name| says(name, "true")) {
            return Standing::Denied(name.clone());
        }
        if says(&self.variable, "false") {
            return Standing::Denied(self.variable.clone());
        }
        if says(&self.variable, "true") || self.is_switched_off(install, home, env) {
            return Standing::Trusted;
        }
        let named = self.file_variable.as_deref().and_then(|name| env.variable(name));
        let path = named.map_or_else(|| home.join(&self.file), PathBuf::from);
        let Ok(bytes) = read_settings(&path) else { return Standing::Unknown };
        match edit::value(self.format, &bytes) {
            Ok(Value::Object(rules)) => match self.rules(&rules) {
                Ok(rules) => decide(&rules, directory),
                Err(value) => Standing::Damaged(path, format!("{value} is no level of trust")),
            },
            Ok(_) => Standing::Damaged(path, "it is not a JSON object".to_owned()),
            Err(refusal) => {
                Standing::Damaged(path, format!("{}:{}: {refusal}", refusal.line, refusal.column))
            }
        }
    }

    /// What the administrator set goes before what the user did.
    fn is_switched_off(&self, install: &Installation, home: &Path, env: &Env) -> bool {
        let mut settings = install.settings(LayerOwner::Administrator, home, env);
        settings.extend(Settings::read(home.join(&self.switch.file), self.switch.format));
        let said = settings.iter().find_map(|settings| settings.at(&self.switch.path));
        said == Some(&Value::Bool(false))
    }

    /// Each rule: how long it is, the folder that it is about, whether it trusts.
    fn rules(&self, rules: &serde_json::Map<String, Value>) -> Result<Vec<(usize, PathBuf, bool)>, Value> {
        let rule = |(path, level): (&String, &Value)| {
            let folder = Path::new(path);
            let (folder, trusts) = match level.as_str() {
                Some(level) if level == self.folder => (folder, true),
                Some(level) if level == self.parent => (folder.parent().unwrap_or(folder), true),
                Some(level) if level == self.distrusted => (folder, false),
                _ => return Err(level.clone()),
            };
            Ok((path.len(), folder.to_owned(), trusts))
        };
        rules.iter().map(rule).collect()
    }
}

/// The longest rule whose folder holds the directory decides; of equal ones the first.
fn decide(rules: &[(usize, PathBuf, bool)], directory: &Path) -> Standing {
    let real = |path: &Path| fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let directory = real(directory);
    let mut longest = None;
    for (length, folder, trusts) in rules {
        let is_longer = longest.is_none_or(|(other, _)| *length > other);
        if is_longer && directory.starts_with(real(folder)) {
            longest = Some((*length, *trusts));
        }
    }
    match longest {
        Some((_, true)) => Standing::Trusted,
        Some((_, false)) => Standing::Distrusted,
        None => Standing::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::harness::Manifest;

    fn standing(rules: &str, directory: &str, variables: &[(&str, &str)]) -> Standing {
        let home = tempfile::tempdir().unwrap();
        fs::write(home.path().join("trustedFolders.json"), rules).unwrap();
        let env = Env::made(variables, "/", jiff::Timestamp::UNIX_EPOCH);
        let install = Manifest::find("gemini-cli").unwrap().install;
        let facts = install.folder_trust.clone().unwrap();
        facts.standing(&install, home.path(), Path::new(directory), &env)
    }

    #[test]
    fn the_longest_rule_decides_and_a_parent_rule_is_about_the_folder_above() {
        let rules = r#"{"/a": "TRUST_FOLDER", "/a/b": "DO_NOT_TRUST", "/x/y": "TRUST_PARENT" /* mine */}"#;
        let cases = [
            ("/a", Standing::Trusted),
            ("/a/c/d", Standing::Trusted),
            ("/a/b", Standing::Distrusted),
            ("/a/b/c", Standing::Distrusted),
            ("/ab", Standing::Unknown),
            ("/x", Standing::Trusted),
            ("/x/z", Standing::Trusted),
            ("/", Standing::Unknown),
        ];
        for (directory, wanted) in cases {
            assert_eq!(standing(rules, directory, &[]), wanted, "{directory}");
        }
    }

    #[test]
    fn the_environment_goes_before_the_file_and_a_strange_file_is_told() {
        let trust = [("GEMINI_CLI_TRUST_WORKSPACE", "true")];
        assert_eq!(standing("{}", "/a", &trust), Standing::Trusted);
        assert_eq!(standing("{", "/a", &trust), Standing::Trusted);
        let denied = [trust[0], ("GEMINI_RESTRICTED_MODE", "true")];
        let wanted = Standing::Denied("GEMINI_RESTRICTED_MODE".to_owned());
        assert_eq!(standing(r#"{"/a": "TRUST_FOLDER"}"#, "/a", &denied), wanted);
        for rules in ["{", "[]", r#"{"/b": "yes"}"#] {
            assert!(matches!(standing(rules, "/a", &[]), Standing::Damaged(..)), "{rules}");
        }
    }
}
