//! The vehicle that a harness gets by default hangs on its version, which no program is started for.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use super::UserHome;

/// Whether setup chose the plugin folder, with this program on the path.
fn gets_folder(home: &UserHome) -> bool {
    fs::create_dir_all(home.file(".claude")).unwrap();
    let output = home.command(&["setup", "--yes"]).env("PATH", home.file("bin")).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let is_folder = home.file(".claude/skills/backchannel/.claude-plugin/plugin.json").exists();
    assert_eq!(is_folder, !home.file(".claude.json").exists(), "one of the two");
    is_folder
}

/// A program that fails if it is started.
fn program(home: &UserHome, file: &str) {
    let path = home.write(file, "#!/bin/sh\necho started >\"$HOME/started\"; exit 1\n");
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    fs::create_dir(home.file("bin")).unwrap();
    symlink(home.file(file), home.file("bin/claude")).unwrap();
}

#[test]
fn claude_code_gets_a_plugin_folder_where_its_version_loads_one() {
    for (version, wanted) in
        [("2.1.156", false), ("2.1.157", true), ("2.1.330", true), ("2.2.0", true), ("1.9.999", false)]
    {
        let home = UserHome::new();
        program(&home, "lib/node_modules/@anthropic-ai/claude-code/bin/claude.exe");
        let package = format!("{{\"name\": \"@anthropic-ai/claude-code\", \"version\": \"{version}\"}}");
        home.write("lib/node_modules/@anthropic-ai/claude-code/package.json", package);
        assert_eq!(gets_folder(&home), wanted, "npm's {version}");

        let home = UserHome::new();
        program(&home, &format!(".local/share/claude/versions/{version}"));
        assert_eq!(gets_folder(&home), wanted, "the installer's {version}");
        assert!(!home.file("started").exists());
    }
    let home = UserHome::new();
    program(&home, "opt/claude");
    assert!(gets_folder(&home), "a version that nothing tells is a new one");
}
