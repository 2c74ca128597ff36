//! What setup made of a configuration, read by the harness's own program: Codex lists its MCP servers.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::edit_corpus::corpus;
use crate::support::harness::Harness;
use crate::support::home::BCH;

/// Every way in which TOML can hold the table of servers.
const FORMS: [&str; 9] = [
    "mcp_servers.a.command = \"/bin/true\"",
    "mcp_servers = { a = { command = \"/bin/true\" } } # c\n",
    "mcp_servers = {}\n",
    "[mcp_servers]\na = { command = \"/bin/true\" }\n",
    "[mcp_servers]\r\na.command = \"/bin/true\"\r\n",
    "[mcp_servers.\"a b\"]\ncommand = \"/bin/true\"\n[projects.\"/x\"]\ntrust_level = \"trusted\"",
    "\"mcp_servers\".\"a\".command = \"/bin/true\"\n",
    "[ mcp_servers . a ] # c\ncommand = '''/bin/true'''\n",
    "model = \"m\"\n",
];

/// The servers that Codex finds; `None` where it does not take the file.
fn servers(program: &Path, home: &Path) -> Option<Vec<Value>> {
    let mut command = Command::new(program);
    command.args(["mcp", "list", "--json"]).env_clear().env("HOME", home).current_dir(home);
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default()).stdin(Stdio::null());
    let output = command.output().unwrap();
    output.status.success().then(|| serde_json::from_slice(&output.stdout).unwrap())
}

#[test]
fn codex_reads_every_configuration_that_setup_edited_as_before() {
    if super::is_left_out(Harness::Codex.program().map(drop)) {
        return;
    }
    let program = Harness::Codex.program().unwrap();
    let mut texts: Vec<Vec<u8>> = FORMS.iter().map(|form| form.as_bytes().to_vec()).collect();
    for file in corpus().into_iter().flat_map(|corpus| fs::read_dir(corpus.join("codex")).unwrap()) {
        let path = file.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            texts.push(fs::read(path).unwrap());
        }
    }
    let (mut read, mut not_read) = (0, 0);
    for text in texts {
        let home = tempfile::tempdir().unwrap();
        fs::create_dir(home.path().join(".codex")).unwrap();
        let config = home.path().join(".codex/config.toml");
        fs::write(&config, &text).unwrap();
        let bch = |word| {
            let mut command = Command::new(BCH);
            command.args([word, "--yes", "--only", "codex"]).env_clear().env("HOME", home.path());
            assert!(command.output().unwrap().status.success(), "{word}: {}", text.escape_ascii());
        };
        let before = servers(&program, home.path());
        bch("setup");
        let after = servers(&program, home.path());
        match (before, after) {
            (Some(before), Some(after)) => {
                let (ours, others): (Vec<_>, Vec<_>) =
                    after.into_iter().partition(|server| server["name"] == "backchannel");
                assert_eq!((ours.len(), &others), (1, &before), "{}", text.escape_ascii());
                read += 1;
            }
            // What it did not take before is no better and no worse for us.
            (None, None) => not_read += 1,
            (before, after) => panic!("{before:?} became {after:?}: {}", text.escape_ascii()),
        }
        bch("uninstall");
        assert!(fs::read(&config).unwrap() == text, "{}", text.escape_ascii());
    }
    println!("Codex reads {read} configurations, and did not read {not_read} before");
    assert!(read > not_read);
}
