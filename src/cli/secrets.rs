//! Tokens as a command is given them: from a file, from standard input, from the environment, or typed at a terminal that
//! shows nothing of them. Never from an argument, which others can see in a list of processes.

use std::io::{self, Read as _, Write as _};
use std::path::Path;

use anyhow::Context as _;
use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, Termios};

use super::mistake;
use super::setup::is_a_person_here;
use crate::env::Env;
use crate::relay::options::secret_file;
use crate::secret::Secret;

/// Bytes that are read of one.
const LONGEST: u64 = 64 * 1024;

/// What a token is called, and where it may be.
pub(super) struct Kind {
    what: &'static str,
    variable: &'static str,
}

/// A room's, which admits new names to a relay.
pub(super) const ROOM: Kind = Kind { what: "the room's token", variable: "BACKCHANNEL_TOKEN" };
/// A user's of a brain.
pub(super) const BRAIN: Kind = Kind { what: "the brain's token", variable: "UNISON_TOKEN" };

/// The token that a command needs. `again` is the command, with a file for it.
pub(super) fn token(kind: &Kind, file: Option<&Path>, again: &str, env: &Env) -> anyhow::Result<Secret> {
    let Kind { what, variable } = kind;
    let (place, text) = match file {
        Some(path) if path == Path::new("-") => ("standard input", from_stdin()?),
        Some(path) => {
            return secret_file(path).map_err(|error| {
                let hint = error.hint().unwrap_or_else(|| again.to_owned());
                mistake(format!("could not use {what}: {error}"), hint)
            });
        }
        None => match env.text(variable) {
            Some(text) => (*variable, text),
            None if is_a_person_here(env) => {
                let prompt = what.replacen("the ", "The ", 1);
                ("what was typed", typed(&prompt, again)?)
            }
            None => {
                return Err(mistake(
                    format!("{what} is needed"),
                    format!("{again}   # or `-` for standard input, or {variable}"),
                ));
            }
        },
    };
    Secret::parse(&text).map_err(|error| mistake(format!("could not use {what} in {place}: {error}"), again))
}

/// All of standard input.
pub(super) fn from_stdin() -> anyhow::Result<String> {
    let mut text = String::new();
    io::stdin().take(LONGEST).read_to_string(&mut text).context("could not read standard input")?;
    Ok(text)
}

/// What somebody types or pastes at the terminal until Enter. `again` is the command after a stop.
pub(super) fn typed(prompt: &str, again: &str) -> anyhow::Result<String> {
    let mut err = io::stderr();
    let quiet = Quiet::begin().context("could not ask")?;
    write!(err, "{prompt} (it is not shown): ").and_then(|()| err.flush()).context("could not ask")?;
    let line = read_line();
    drop(quiet);
    // A terminal that is gone takes no line end, and there is nobody to tell.
    let _ = writeln!(err);
    line.context("could not ask")?.ok_or_else(|| mistake("stopped; nothing was changed", again))
}

/// The keys until Enter; `None` where it was stopped. One byte each time: what is typed ahead is the next question's.
fn read_line() -> io::Result<Option<String>> {
    let mut line = Vec::new();
    let mut byte = [0];
    loop {
        match rustix::io::read(rustix::stdio::stdin(), &mut byte) {
            Ok(0) => return Ok(None),
            Err(rustix::io::Errno::INTR) => continue,
            Ok(_) => {}
            Err(error) => return Err(error.into()),
        }
        match byte[0] {
            b'\r' | b'\n' => break,
            // Ctrl-C, Ctrl-D, Escape.
            0x03 | 0x04 | 0x1b => return Ok(None),
            // Backspace, and Ctrl-U for all of it.
            0x08 | 0x7f => drop(line.pop()),
            0x15 => line.clear(),
            byte => line.push(byte),
        }
        if line.len() as u64 > LONGEST {
            return Err(io::Error::other("it is too long"));
        }
    }
    Ok(Some(String::from_utf8_lossy(&line).into_owned()))
}

/// A terminal that shows nothing of what is typed; as it was, with its end. Ctrl-C is a key meanwhile: a signal would end
/// the process and leave the terminal so.
struct Quiet(Termios);

impl Quiet {
    fn begin() -> io::Result<Self> {
        let terminal = rustix::stdio::stdin();
        let before = rustix::termios::tcgetattr(terminal)?;
        let mut modes = before.clone();
        modes.local_modes.remove(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG);
        modes.special_codes[SpecialCodeIndex::VMIN] = 1;
        modes.special_codes[SpecialCodeIndex::VTIME] = 0;
        rustix::termios::tcsetattr(terminal, OptionalActions::Drain, &modes)?;
        Ok(Self(before))
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        let _ = rustix::termios::tcsetattr(rustix::stdio::stdin(), OptionalActions::Drain, &self.0);
    }
}
