//! Settings that switch hooks off, whoever set them, and Gemini CLI's trust in the working directory.

use std::fs;

use serde_json::json;

use super::{CLAUDE, GEMINI, UserHome, change, codex, doctor, doctor_in, finds, well, well_by};

#[test]
fn doctor_finds_hooks_that_their_user_switched_off() {
    let claude = |home: &UserHome| change(home, CLAUDE, |value| value["disableAllHooks"] = true.into());
    finds(claude, "switched off", "disableAllHooks", "fail", "settings.json");
    let disabled = |home: &UserHome| {
        change(home, GEMINI, |value| value["hooksConfig"] = json!({"enabled": false}));
    };
    finds(disabled, "switched off", "hooksConfig.enabled", "fail", "settings.json");
    let named = |home: &UserHome| {
        change(home, GEMINI, |value| value["hooksConfig"] = json!({"disabled": ["backchannel"]}));
    };
    finds(named, "switched off", "hooksConfig.disabled", "fail", "settings.json");
    let home = codex();
    let config = home.read(".codex/config.toml");
    home.write(".codex/config.toml", format!("[features]\nhooks = false\n{config}"));
    doctor(&home).expect("switched off", "features.hooks", "fail", "codex features enable hooks");
}

#[test]
fn doctor_finds_hooks_that_a_project_switches_off() {
    for vehicle in ["settings", "folder"] {
        let home = well_by(vehicle);
        let deep = home.file("project/deep");
        fs::create_dir_all(&deep).unwrap();
        home.write("project/.claude/settings.json", r#"{"disableAllHooks": true}"#);
        let run = || doctor_in(&home, &deep, &[]);
        assert!(run().ok, "above the working directory, and no repository");
        fs::create_dir(home.file("project/.git")).unwrap();
        run().expect("switched off", "project/.claude/settings.json", "fail", "settings.json");
        // The nearer file decides.
        home.write("project/.claude/settings.local.json", r#"{"disableAllHooks": false}"#);
        assert!(run().ok, "{:#?}", run().bad);
        home.write("project/deep/.claude/settings.local.json", r#"{"disableAllHooks": true}"#);
        run().expect("switched off", "deep/.claude/settings.local.json", "fail", "settings.local.json");
        // The user's own file is no project's, wherever doctor runs.
        assert!(doctor_in(&home, home.path(), &[]).bad.is_empty());
    }
}

#[test]
fn a_projects_settings_count_only_where_the_harness_reads_them() {
    let home = well();
    let project = home.file("project");
    home.write("project/.gemini/settings.json", r#"{"hooksConfig": {"enabled": false}}"#);
    doctor_in(&home, &project, &[]).expect("switched off", "in this project", "fail", "settings.json");
    let untrusted = json!({"/": "TRUST_FOLDER", project.to_str().unwrap(): "DO_NOT_TRUST"});
    home.write(".gemini/trustedFolders.json", untrusted.to_string());
    let found = doctor_in(&home, &project, &[]);
    assert!(found.ok && found.bad.len() == 1, "{:#?}", found.bad);

    let home = codex();
    home.write("project/.codex/config.toml", "[features]\nhooks = false\n");
    let project = home.file("project");
    assert_eq!(doctor_in(&home, &project, &[]).bad.len(), 1, "the trust alone");
    let config = home.read(".codex/config.toml");
    let name = fs::canonicalize(&project).unwrap();
    let trusted = format!("{config}\n[projects.\"{}\"]\ntrust_level = \"trusted\"\n", name.display());
    home.write(".codex/config.toml", trusted);
    doctor_in(&home, &project, &[]).expect("switched off", "in this project", "fail", "config.toml");
}

#[test]
fn doctor_finds_hooks_that_the_administrator_switches_off() {
    let home = well();
    let system = home.write("etc/settings.json", r#"{"hooksConfig": {"enabled": false} /* by order */}"#);
    let variables = [("GEMINI_CLI_SYSTEM_SETTINGS_PATH", system.to_str().unwrap())];
    let found = doctor_in(&home, home.path(), &variables);
    found.expect("switched off", "for everybody on this machine", "fail", "sudoedit ");
    assert_eq!(found.bad.len(), 1, "told once: {:#?}", found.bad);
}

#[test]
fn doctor_tells_whether_gemini_cli_trusts_the_working_directory() {
    let home = well();
    let (trust, project) = (".gemini/trustedFolders.json", home.file("project"));
    fs::create_dir(&project).unwrap();
    let run = |rules: &str, variables: &[(&str, &str)]| {
        home.write(trust, rules);
        doctor_in(&home, &project, variables)
    };
    run("{}", &[]).expect("folder trust", "asks about", "warn", "/permissions");
    let rule = |level: &str| json!({project.to_str().unwrap(): level}).to_string();
    run(&rule("DO_NOT_TRUST"), &[]).expect("folder trust", "our hooks do not run", "warn", "/permissions");
    assert!(run(&rule("TRUST_FOLDER"), &[]).bad.is_empty());
    assert!(run(&rule("TRUST_PARENT"), &[]).bad.is_empty());
    let allowed = [("GEMINI_CLI_TRUST_WORKSPACE", "true")];
    assert!(run("{}", &allowed).bad.is_empty());
    let denied = [("GEMINI_CLI_TRUST_WORKSPACE", "false")];
    let hint = "unset GEMINI_CLI_TRUST_WORKSPACE";
    run(&rule("TRUST_FOLDER"), &denied).expect("folder trust", "no folder", "warn", hint);
    run(&rule("yes"), &[]).expect("folder trust", "does not start", "fail", "trustedFolders.json");
    let elsewhere = home.write("elsewhere.json", rule("TRUST_FOLDER"));
    let named = [("GEMINI_CLI_TRUSTED_FOLDERS_PATH", elsewhere.to_str().unwrap())];
    assert!(run("{}", &named).bad.is_empty());
    change(&home, GEMINI, |value| value["security"] = json!({"folderTrust": {"enabled": false}}));
    assert!(run("{}", &[]).bad.is_empty());
}
