//! `bch notify` on a real D-Bus session, with a real server of notifications on a real screen.

mod held;
mod process;
mod restarts;
mod shown;

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use crate::support::desktop::{Session, wait_until};
use crate::support::home::{BCH, Home};

/// A notifier that ends with the value.
pub struct Notifier(pub Child);

impl Notifier {
    /// Starts one, and waits until it watches.
    pub fn start(home: &Home, session: &Session, arguments: &[&str]) -> Self {
        Self::start_as(&mut command(home, &session.address, arguments))
    }

    /// Starts one by this command, and waits until it watches.
    pub fn start_as(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut told = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        told.read_line(&mut line).unwrap();
        assert!(line.starts_with("note: notifying of urgent mail in "), "{line}");
        // Whatever else it says must not hold it up.
        std::thread::spawn(move || std::io::copy(&mut told, &mut std::io::sink()));
        Self(child)
    }

    /// Ends it in order, and returns its status.
    pub fn end(self) -> Option<i32> {
        signal(self.0.id(), rustix::process::Signal::TERM);
        self.ended()
    }

    /// Its status, when it has ended.
    pub fn ended(mut self) -> Option<i32> {
        self.0.wait().unwrap().code()
    }

    /// Kills it.
    pub fn kill(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Notifier {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// `bch notify` in this session.
pub fn command(home: &Home, address: &str, arguments: &[&str]) -> Command {
    let mut command = home.command(BCH);
    command.env("DBUS_SESSION_BUS_ADDRESS", address).arg("notify").args(arguments);
    command
}

pub fn signal(process: u32, signal: rustix::process::Signal) {
    let process = rustix::process::Pid::from_raw(process.cast_signed()).unwrap();
    rustix::process::kill_process(process, signal).unwrap();
}

/// Waits until the notifier's status says so.
#[track_caller]
pub fn wait_for_status(home: &Home, what: &str, is_so: impl Fn(&serde_json::Value) -> bool) {
    wait_until(what, || {
        let output = home.command(BCH).args(["notify", "--status", "--json"]).output().unwrap();
        serde_json::from_slice(&output.stdout).is_ok_and(|status| is_so(&status))
    });
}
