//! The relay that is measured: the built program on a directory and a home of its own, with its log going to
//! `/dev/null`.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::load;

const BCH: &str = env!("CARGO_BIN_EXE_bch");
const ROOM: &str = "room-token-of-the-benchmark";
/// Connections that fill and empty it.
const HELPERS: usize = 16;

pub struct Relay {
    process: Child,
    pub address: SocketAddr,
    data: PathBuf,
    /// How many agents it has: `agent-0` and so on.
    pub agents: usize,
    /// How many leases were made here.
    leases: usize,
}

/// What lies in the data directory.
#[derive(Clone, Copy)]
pub struct Disk {
    pub files: usize,
    /// As `du` counts: directories too.
    pub bytes: u64,
}

impl Relay {
    pub fn start(home: &Path) -> Self {
        fs::create_dir_all(home).unwrap();
        let data = home.join("data");
        let mut process = Command::new(BCH)
            .env_clear()
            .env("HOME", home)
            .env("BACKCHANNEL_TOKEN", ROOM)
            .env("BACKCHANNEL_RELAY_UNREAD_PER_AGENT", "1000000")
            .args(["relay", "--port", "0", "--data"])
            .arg(&data)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("listening on http://").unwrap().parse().unwrap();
        let relay = Self { process, address, data, agents: 0, leases: 0 };
        // It has answered once.
        load::all(address, 1, vec![get("/v1/health", "")]);
        relay
    }

    /// Registers agents until there are that many.
    pub fn register(mut self, agents: usize) -> Self {
        let request = |number| {
            let body = format!(r#"{{"name":"{}","token":"{}"}}"#, name(number), token(number));
            post("/v1/register", ROOM, &body)
        };
        load::all(self.address, HELPERS, (self.agents..agents).map(request).collect());
        self.agents = agents;
        self
    }

    /// Requests a second of these, over that many connections.
    pub fn rate(&self, connections: usize, requests: Vec<Vec<u8>>) -> f64 {
        load::rate(self.address, connections, requests)
    }

    /// Sends that many unsynced messages to each agent.
    pub fn fill(&self, each: usize) -> Duration {
        let one = |number| (0..each).map(move |_| send(number, number, false));
        load::all(self.address, HELPERS, (0..self.agents).flat_map(one).collect())
    }

    /// Lets each agent claim all of its mail, and say in the same round trip that it has read what it got before.
    pub fn claim(&mut self) -> Duration {
        let (before, agents) = (self.leases, self.agents);
        let request = |number| {
            let lease = before + number + agents;
            let body =
                format!(r#"{{"lease":"{lease:032x}","ack":[{{"lease":"{:032x}"}}]}}"#, before + number);
            post("/v1/claim", &token(number), &body)
        };
        self.leases += agents;
        load::all(self.address, HELPERS, (0..agents).map(request).collect())
    }

    /// Lets each agent read all of its mail, page by page.
    pub fn empty(&mut self) {
        let left = |relay: &Self| relay.metric("messages_unread") + relay.metric("messages_under_lease");
        let mut before = left(self);
        self.claim();
        while before > 0 {
            // Acknowledges what the one before found.
            self.claim();
            let now = left(self);
            assert!(now < before, "{now} of {before} messages are left");
            before = now;
        }
    }

    /// One of its own figures.
    pub fn metric(&self, name: &str) -> usize {
        let mut stream = self.connect(&get("/metrics", ""));
        let (mut answer, mut piece) = (Vec::new(), [0; 4096]);
        while load::whole(&answer).is_none() {
            let count = stream.read(&mut piece).unwrap();
            answer.extend_from_slice(&piece[..count]);
        }
        let text = String::from_utf8(answer).unwrap();
        let mut lines = text.lines();
        let line = lines.find_map(|line| line.strip_prefix(&format!("backchannel_{name} "))).unwrap();
        line.parse().unwrap()
    }

    /// A connection with a request on its way.
    pub fn connect(&self, request: &[u8]) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        stream.write_all(request).unwrap();
        stream
    }

    /// Resident memory in MiB: `VmRSS`, or `VmHWM` for the most that it was.
    pub fn memory(&self, field: &str) -> f64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with(field)).unwrap();
        line.split_ascii_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1024.0
    }

    pub fn disk(&self) -> Disk {
        let (mut disk, mut paths) = (Disk { files: 0, bytes: 0 }, vec![self.data.clone()]);
        while let Some(path) = paths.pop() {
            let metadata = fs::symlink_metadata(&path).unwrap();
            disk.bytes += metadata.blocks() * 512;
            disk.files += usize::from(metadata.is_file());
            if metadata.is_dir() {
                paths.extend(fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
            }
        }
        disk
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn name(number: usize) -> String {
    format!("agent-{number}")
}

/// An agent's token; of 22 characters and more.
fn token(number: usize) -> String {
    format!("token-of-the-agent-number-{number}")
}

/// A look into the agent's own inbox.
pub fn inbox(number: usize) -> Vec<u8> {
    get(&format!("/v1/inbox/{}", name(number)), &token(number))
}

/// The same by a token that is nobody's.
pub fn stranger(number: usize) -> Vec<u8> {
    get(&format!("/v1/inbox/{}", name(number)), "a-token-that-nobody-was-given")
}

/// The agent's events.
pub fn events(number: usize) -> Vec<u8> {
    get(&format!("/v1/events/{}", name(number)), &token(number))
}

/// A message of 200 bytes; the sender waits for the disk when `durable`.
pub fn send(from: usize, to: usize, durable: bool) -> Vec<u8> {
    let body = format!(r#"{{"to":"@{}","body":"{:x<200}","durable":{durable}}}"#, name(to), "");
    post("/v1/send", &token(from), &body)
}

pub fn get(path: &str, token: &str) -> Vec<u8> {
    let token = if token.is_empty() { String::new() } else { format!("authorization: Bearer {token}\r\n") };
    format!("GET {path} HTTP/1.1\r\nhost: relay\r\n{token}\r\n").into_bytes()
}

fn post(path: &str, token: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "POST {path} HTTP/1.1\r\nhost: relay\r\nauthorization: Bearer {token}\r\n\
         content-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}
