//! Our two programs: that they are where every entry names them, start, answer, and are of this version.
//!
//! Without `--prove` this is all that doctor starts: the installed `bch --version`, and the installed `bch-hook` for
//! an event that no harness has, in a home without an agent, so that it reads no mail and changes nothing.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use super::Sheet;
use super::process::{self, Limits};
use crate::env::Env;
use crate::install::setup;
use crate::install::wishes::Ground;

/// The hook ends itself at 2 s: one that takes longer on a machine that is busy is broken.
const PATIENCE: Duration = Duration::from_secs(5);
const VERSION: &str = env!("CARGO_PKG_VERSION");
const HINT: &str = "bch setup";

pub(super) fn look(sheet: &mut Sheet<'_>, ground: &Ground<'_>) {
    for name in ["bch", "bch-hook"] {
        let path = ground.programs.join(name);
        let shown = path.display();
        let is_program =
            fs::metadata(&path).is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0);
        if !is_program {
            sheet.fail("programs", format!("{shown} is not there, or is no program"), HINT);
            continue;
        }
        let answer = if name == "bch" { ask_version(&path) } else { ask_hook(&path, &ground.programs) };
        match answer {
            Err(fault) => sheet.fail("programs", format!("{shown} {fault}"), HINT),
            Ok(Some(version)) if version != VERSION => {
                sheet.warn("programs", format!("{shown} is version {version}, this is {VERSION}"), HINT);
            }
            Ok(_) if is_other_build(&path, ground.env) => {
                sheet.warn("programs", format!("{shown} is another build than this bch"), HINT);
            }
            Ok(version) => {
                let version = version.map(|version| format!(", version {version}")).unwrap_or_default();
                sheet.ok("programs", format!("{shown} answers{version}"));
            }
        }
    }
}

/// The version that `bch` says it is.
fn ask_version(program: &Path) -> Result<Option<String>, String> {
    let output = run(program, &[OsStr::new("--version")])?;
    let text = String::from_utf8_lossy(&output);
    let version = text.trim().strip_prefix("bch ").filter(|version| !version.contains(char::is_whitespace));
    version.map(|version| Some(version.to_owned())).ok_or_else(|| "does not tell its version".to_owned())
}

/// The hook prints nothing, or one JSON object; it has no version to tell.
fn ask_hook(program: &Path, home: &Path) -> Result<Option<String>, String> {
    let words = ["doctor", "doctor", "--home"].map(OsStr::new);
    let output = run(program, &[&words[..], &[home.as_os_str()]].concat())?;
    let is_answer =
        output.trim_ascii().is_empty() || matches!(serde_json::from_slice(&output), Ok(Value::Object(_)));
    if is_answer { Ok(None) } else { Err("prints what no harness understands".to_owned()) }
}

/// Whether the program that lies beside the one that runs has other bytes.
fn is_other_build(installed: &Path, env: &Env) -> bool {
    let beside = || -> Option<PathBuf> {
        let own = fs::canonicalize(env.program()?).ok()?;
        Some(own.with_file_name(installed.file_name()?))
    };
    beside().is_some_and(|beside| beside.is_file() && !setup::is_copy(&beside, installed))
}

/// What a program of ours prints; how it failed where it does not exit 0 in time.
fn run(program: &Path, arguments: &[&OsStr]) -> Result<Vec<u8>, String> {
    let limits = Limits { patience: PATIENCE, stop: None };
    let ended = process::run(process::command(program).args(arguments), b"", limits);
    match ended {
        Ok(ended) if ended.status.success() => Ok(ended.stdout),
        Ok(ended) => Err(format!("failed: {}", ended.status)),
        Err(failure) => Err(failure.to_string()),
    }
}
