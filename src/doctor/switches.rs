//! Settings with which its user, a project or the machine's administrator switches a harness's hooks off.
//!
//! They are somebody's will: doctor tells them, and never changes one.

use std::path::Path;

use serde_json::Value;

use super::{Sheet, editor, word};
use crate::env::Env;
use crate::harness::{LayerOwner, Manifest, Settings, Switch};

pub(super) fn look(sheet: &mut Sheet<'_>, manifest: &Manifest, env: &Env, directory: &Path) {
    let before = sheet.checks.len();
    let managed = manifest.install.settings(LayerOwner::Administrator, directory, env);
    let projects = manifest.install.project_settings(directory, env);
    for switch in &manifest.install.switches {
        for settings in managed.iter().filter(|settings| is_off(settings, switch)) {
            let hint = by_hand(&format!("sudoedit {}", word(&settings.path)), switch);
            tell(sheet, &settings.path, switch, " for everybody on this machine", hint);
        }
        if switch.administrator {
            continue;
        }
        let user = Settings::read(directory.join(&switch.place.file), switch.place.format);
        if let Some(user) = user.filter(|user| is_off(user, switch)) {
            let hint = switch.mend.clone().unwrap_or_else(|| by_hand(&editor(&user.path), switch));
            tell(sheet, &user.path, switch, "", hint);
        }
        for settings in projects.iter().filter_map(|project| decisive(project, switch)) {
            let hint = by_hand(&editor(&settings.path), switch);
            tell(sheet, &settings.path, switch, " in this project", hint);
        }
    }
    if sheet.checks.len() == before {
        sheet.ok("switches", "no setting switches hooks off");
    }
}

/// The file of a project that switches hooks off; a stronger one that says something else goes before it.
fn decisive<'a>(project: &'a [Settings], switch: &Switch) -> Option<&'a Settings> {
    for settings in project {
        if is_off(settings, switch) {
            return Some(settings);
        }
        // Lists are put together.
        if settings.at(&switch.place.path).is_some_and(|value| !value.is_array()) {
            return None;
        }
    }
    None
}

fn is_off(settings: &Settings, switch: &Switch) -> bool {
    match settings.at(&switch.place.path) {
        Some(Value::Array(list)) => list.contains(&switch.off),
        found => found == Some(&switch.off),
    }
}

fn by_hand(command: &str, switch: &Switch) -> String {
    format!("{command}   # take `{}` out", switch.place.path.join("."))
}

fn tell(sheet: &mut Sheet<'_>, path: &Path, switch: &Switch, whom: &str, hint: String) {
    let name = switch.place.path.join(".");
    sheet.fail("switched off", format!("{} switches hooks off{whom}: `{name}`", path.display()), hint);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    const MANAGED: &str = "/etc/claude-code";

    /// What is found where the administrator's directory is another one.
    fn found(file: &str, text: &str) -> Vec<String> {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        let mut manifest = Manifest::find("claude-code").unwrap();
        for layer in &mut manifest.install.layers {
            layer.file = layer.file.replace(MANAGED, place.path().to_str().unwrap());
        }
        let env = Env::made(&[], place.path(), jiff::Timestamp::UNIX_EPOCH);
        let mut sheet = Sheet::default();
        look(&mut sheet, &manifest, &env, &place.path().join("user"));
        let failed = sheet.checks.into_iter().filter(|check| check.check == "switched off");
        failed.map(|check| check.detail).collect()
    }

    #[test]
    fn an_administrators_file_and_its_folder_switch_hooks_off() {
        for (text, key) in [
            (r#"{"disableAllHooks": true}"#, "disableAllHooks"),
            (r#"{"allowManagedHooksOnly": true}"#, "allowManagedHooksOnly"),
            (r#"{"strictPluginOnlyCustomization": true}"#, "strictPluginOnlyCustomization"),
            (r#"{"strictPluginOnlyCustomization": ["skills", "hooks"]}"#, "strictPluginOnlyCustomization"),
        ] {
            for file in ["managed-settings.json", "managed-settings.d/10-hooks.json"] {
                let found = found(file, text);
                assert!(matches!(&found[..], [one] if one.contains(file) && one.contains(key)), "{found:?}");
            }
            assert_eq!(found("managed-settings.d/.hidden.json", text), Vec::<String>::new());
        }
        for text in [r#"{"disableAllHooks": false}"#, r#"{"strictPluginOnlyCustomization": ["skills"]}"#] {
            assert_eq!(found("managed-settings.json", text), Vec::<String>::new());
        }
    }

    #[test]
    fn a_key_that_only_administrators_have_means_nothing_elsewhere() {
        assert_eq!(found("user/settings.json", r#"{"allowManagedHooksOnly": true}"#), Vec::<String>::new());
        assert_eq!(
            found(".claude/settings.json", r#"{"allowManagedHooksOnly": true}"#),
            Vec::<String>::new()
        );
        assert_eq!(found("user/settings.json", r#"{"disableAllHooks": true}"#).len(), 1);
    }
}
