//! Scripts that mount, in a namespace of their own: what they mount is gone when they end.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// A shell script where it may mount, with its name in `$0`; it exits with 99 where the mount is refused.
pub fn script(script: &str, name: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new("unshare");
    if !rustix::process::geteuid().is_root() {
        command.arg("--map-root-user");
    }
    command.args(["--mount", "/bin/sh", "-c", script]).arg(name).stdin(Stdio::null());
    command
}

/// Runs a script; why it cannot, where nobody may mount: containers often let no one.
pub fn run(mut script: Command) -> Result<Output, String> {
    let refused = || "nothing can be mounted here".to_owned();
    let output = script.output().map_err(|error| format!("{}: {error}", refused()))?;
    let is_refused =
        output.status.code() == Some(99) || String::from_utf8_lossy(&output.stderr).starts_with("unshare:");
    if is_refused { Err(refused()) } else { Ok(output) }
}

/// Runs a command while a directory is read-only for it.
pub fn with_read_only(directory: &Path, command: &Command) -> Result<Output, String> {
    let bind = r#"mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" || exit 99; exec env -i "$@""#;
    let mut script = script(bind, directory);
    for (name, value) in command.get_envs() {
        let mut pair = name.to_owned();
        pair.push("=");
        pair.push(value.unwrap_or_default());
        script.arg(pair);
    }
    script.arg(command.get_program()).args(command.get_args()).current_dir("/");
    run(script)
}
