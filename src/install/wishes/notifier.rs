//! The unit by which a service manager runs the notifier, for systemd and for launchd.

use std::path::{Path, PathBuf};

use super::Ground;
use crate::install::service::{Fault, Kind};
use crate::install::{Content, NOTIFIER, Wish};
use crate::spool::local::files::read_settings;

const SYSTEMD: &str = include_str!("../../../templates/backchannel-notify.service");
const LAUNCHD: &str = include_str!("../../../templates/sh.backchannel.notify.plist");

/// The unit where this kind of manager looks for it.
///
/// # Errors
/// Where there is no home, or a path of ours has letters that a unit cannot hold.
pub fn wish(ground: &Ground<'_>, kind: Kind) -> Result<Wish, Fault> {
    let path = kind.unit_file(ground.env).ok_or(Fault::NoHome)?;
    let bytes = unit(kind, &ground.programs.join("bch"), &ground.home)?.into_bytes();
    Ok(Wish { owner: NOTIFIER.to_owned(), path, content: Content::Whole { bytes }, lock: None })
}

/// Whether a unit is there that runs other programs than ours: another data directory's.
#[must_use]
pub fn is_of_others(ground: &Ground<'_>, kind: Kind, path: &Path) -> bool {
    let found = read_settings(path).unwrap_or_default();
    let program = ground.programs.join("bch");
    let ours = match kind {
        Kind::Systemd => systemd_program(&program).map(|program| format!("ExecStart={program} ")),
        Kind::Launchd => xml(&program).map(|program| format!("<string>{program}</string>")),
    };
    !found.is_empty() && !ours.is_ok_and(|ours| memchr::memmem::find(&found, ours.as_bytes()).is_some())
}

/// A unit that runs this program for this home.
///
/// # Errors
/// As [`wish`].
pub fn unit(kind: Kind, program: &Path, home: &Path) -> Result<String, Fault> {
    let (template, program, home) = match kind {
        Kind::Systemd => (SYSTEMD, systemd_program(program)?, systemd_word(home)?),
        Kind::Launchd => (LAUNCHD, xml(program)?, xml(home)?),
    };
    let (start, rest) = template.split_once("{program}").unwrap_or((template, ""));
    let (middle, end) = rest.split_once("{home}").unwrap_or((rest, ""));
    Ok([start, &program, middle, &home, end].concat())
}

/// A path as it is, where a unit can hold it.
fn text(path: &Path) -> Result<&str, Fault> {
    let text = path.to_str().filter(|text| !text.contains(char::is_control));
    text.ok_or_else(|| Fault::Path { path: PathBuf::from(path) })
}

/// A program in a command line of systemd (systemd.service(5)): `%` begins a specifier, `$` no variable, and systemd
/// takes no program with a quote or a `\` in its path, however it is written (252, run on 2026-11-25).
fn systemd_program(path: &Path) -> Result<String, Fault> {
    let text = text(path)?;
    if text.contains(['\'', '"', '\\']) {
        return Err(Fault::Path { path: path.into() });
    }
    Ok(format!("\"{}\"", text.replace('%', "%%")))
}

/// One word behind it (systemd.syntax(7)): in quotes, `%` begins a specifier, `$` a variable.
fn systemd_word(path: &Path) -> Result<String, Fault> {
    let word = text(path)?.replace('\\', "\\\\").replace('"', "\\\"");
    Ok(format!("\"{}\"", word.replace('%', "%%").replace('$', "$$")))
}

fn xml(path: &Path) -> Result<String, Fault> {
    Ok(text(path)?.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;"))
}
