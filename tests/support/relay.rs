//! A relay: the built program on a free port of loopback, with a throw-away home and data directory.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::Arc;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};
use serde_json::{Value, json};

use super::home::BCH;
use super::http::{Api, Events, PATIENCE};

/// The token of its room, as the operator chose it.
pub const ROOM: &str = "the-room-of-the-tests";
/// The admin token.
pub const ADMIN: &str = "the-admin-of-the-tests";

/// A running relay. It ends with its value.
pub struct Relay {
    place: Arc<Place>,
    child: Child,
    pub address: SocketAddr,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
}

/// Where it keeps what is its own; the log is beside the data.
struct Place(tempfile::TempDir);

/// One agent of a relay, by its token.
#[derive(Debug, Clone)]
pub struct Peer {
    pub name: String,
    pub api: Api,
}

impl Relay {
    /// A relay with the tokens above.
    pub fn start() -> Self {
        Self::with(&[], &[])
    }

    /// The same with more arguments and variables.
    pub fn with(arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        Self::with_settings("", arguments, environment)
    }

    /// The same with a `relay.toml`.
    pub fn with_settings(settings: &str, arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        let place = Arc::new(Place(tempfile::tempdir().unwrap()));
        fs::create_dir(place.data()).unwrap();
        if !settings.is_empty() {
            fs::write(place.data().join("relay.toml"), settings).unwrap();
        }
        Self::on(place, arguments, environment)
    }

    /// A relay on data that is there already: `prepare` makes it.
    pub fn upgraded(prepare: impl FnOnce(&Path)) -> Self {
        let place = Arc::new(Place(tempfile::tempdir().unwrap()));
        fs::create_dir(place.data()).unwrap();
        prepare(&place.data());
        Self::on(place, &[], &[])
    }

    fn on(place: Arc<Place>, arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        let arguments: Vec<_> = arguments.iter().map(|word| (*word).to_owned()).collect();
        let pairs = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let environment: Vec<_> = pairs.collect();
        let (child, address) = begin(&place, 0, &arguments, &environment);
        Self { place, child, address, arguments, environment }
    }

    /// Ends it at once, and starts it again on the same data, on another port.
    pub fn restart(&mut self) {
        self.kill();
        self.restart_ended();
    }

    /// Starts it again after its end.
    pub fn restart_ended(&mut self) {
        (self.child, self.address) = begin(&self.place, 0, &self.arguments, &self.environment);
    }

    /// The same where it was before.
    pub fn restart_at(&mut self, address: SocketAddr) {
        (self.child, self.address) = begin(&self.place, address.port(), &self.arguments, &self.environment);
    }

    pub fn data(&self) -> PathBuf {
        self.place.data()
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.place.log()).unwrap()
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        rustix::process::kill_process(pid, signal).unwrap();
    }

    /// Waits for its end.
    pub fn wait(&mut self) -> ExitStatus {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(begun.elapsed() < PATIENCE, "the relay does not end");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Somebody with this token.
    pub fn api(&self, token: Option<&str>) -> Api {
        Api::of(self.address, token)
    }

    pub fn admin(&self) -> Api {
        self.api(Some(ADMIN))
    }

    /// Registers an agent in room `default`.
    pub fn peer(&self, name: &str) -> Peer {
        self.peer_of(ROOM, name)
    }

    /// The same in the room of this token.
    pub fn peer_of(&self, room: &str, name: &str) -> Peer {
        let record = self.api(Some(room)).post("/v1/register", &json!({ "name": name })).ok();
        Peer { name: name.to_owned(), api: self.api(record["token"].as_str()) }
    }
}

impl Peer {
    /// The same agent at a relay that was started again.
    pub fn at(&self, relay: &Relay) -> Self {
        let mut peer = self.clone();
        peer.api.address = relay.address;
        peer
    }

    pub fn token(&self) -> &str {
        self.api.token.as_deref().unwrap()
    }

    #[track_caller]
    pub fn send(&self, to: &str, body: &str) -> Value {
        self.api.post("/v1/send", &json!({ "to": to, "body": body })).ok()
    }

    #[track_caller]
    pub fn inbox(&self) -> Vec<Value> {
        let answer = self.api.get(&format!("/v1/inbox/{}", self.name)).ok();
        answer.as_array().unwrap().clone()
    }

    /// The bodies of its unread mail.
    #[track_caller]
    pub fn bodies(&self) -> Vec<String> {
        self.inbox().iter().map(|message| message["body"].as_str().unwrap().to_owned()).collect()
    }

    #[track_caller]
    pub fn take(&self, id: &Value) -> Value {
        self.api.post("/v1/take", &json!({ "id": id })).ok()["message"].clone()
    }

    /// Claims all that is unread under a lease.
    #[track_caller]
    pub fn claim(&self, lease: &str) -> Vec<Value> {
        let answer = self.api.post("/v1/claim", &json!({ "lease": lease })).ok();
        answer["messages"].as_array().unwrap().clone()
    }

    #[track_caller]
    pub fn acknowledge(&self, lease: &str) {
        self.api.post("/v1/claim/ack", &json!({ "lease": lease })).ok();
    }

    pub fn events(&self) -> Events {
        Events::open(&self.api, &self.name)
    }
}

/// A name for a lease, of 32 hexadecimal digits.
pub fn lease(number: u32) -> String {
    format!("{number:032x}")
}

impl Place {
    fn data(&self) -> PathBuf {
        self.0.path().join("data")
    }

    fn log(&self) -> PathBuf {
        self.0.path().join("log")
    }
}

/// The command that starts a relay with this home and nothing else around it.
pub fn command(home: &Path) -> Command {
    let mut command = Command::new(BCH);
    command
        .env_clear()
        .env("HOME", home)
        .current_dir(home)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .arg("relay");
    command
}

fn begin(
    place: &Place,
    port: u16,
    arguments: &[String],
    environment: &[(String, String)],
) -> (Child, SocketAddr) {
    let log = File::options().create(true).append(true).open(place.log()).unwrap();
    let mut command = command(place.0.path());
    command.env("BACKCHANNEL_TOKEN", ROOM).env("BACKCHANNEL_ADMIN_TOKEN", ADMIN);
    command.arg("--data").arg(place.data()).args(["--port", &port.to_string()]).args(arguments);
    command.envs(environment.iter().map(|(name, value)| (name, value)));
    started(command.stderr(log), || fs::read_to_string(place.log()).unwrap_or_default())
}

/// Starts a relay and waits until it listens.
pub fn started(command: &mut Command, log: impl Fn() -> String) -> (Child, SocketAddr) {
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || {
        let mut line = String::new();
        let _ = out.read_line(&mut line);
        let _ = tell.send(line);
    });
    let line = told.recv_timeout(PATIENCE).unwrap_or_default();
    let url = line.trim_end().strip_prefix("listening on ").unwrap_or_else(|| panic!("{line:?}: {}", log()));
    let (_, address) = url.split_once("://").unwrap();
    (child, address.parse().unwrap())
}

impl Drop for Relay {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs a command that should end by itself, within a bounded time.
pub fn bounded(command: &mut Command) -> Output {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let begun = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if begun.elapsed() > PATIENCE {
            child.kill().unwrap();
            break;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    child.wait_with_output().unwrap()
}
