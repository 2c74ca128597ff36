//! The protocol's own programs, from npm, as `tests/run` installs them; each runs on the Node that is beside them.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// Where they are; `None`, and loudly said, where they were not installed.
pub fn directory() -> Option<PathBuf> {
    let directory = std::env::var_os("BCH_MCP_DIR").map(PathBuf::from);
    let directory = directory.filter(|directory| node(directory).exists());
    if directory.is_none() {
        eprintln!("LEFT OUT: the protocol's own programs are not installed (./tests/run installs them)");
        assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "in CI nothing is left out");
    }
    directory
}

fn node(directory: &Path) -> PathBuf {
    directory.join("node_modules/.bin/node")
}

/// Runs one of them with a home of its own.
pub fn run(directory: &Path, home: &Path, script: &str, arguments: &[&str]) -> Output {
    let mut command = Command::new("timeout");
    command.arg("120").arg(node(directory)).arg(directory.join("node_modules").join(script)).args(arguments);
    command.env_clear().env("HOME", home).env("PATH", "/usr/bin:/bin").env("NO_COLOR", "1");
    command.current_dir(home).stdin(Stdio::null());
    command.output().unwrap()
}
