//! What the MCP server costs, in one run: `cargo bench --bench mcp`.
#![expect(clippy::disallowed_methods, clippy::unwrap_used, reason = "a benchmark starts programs")]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const BCH: &str = env!("CARGO_BIN_EXE_bch");
/// Start to `tools/list` of the first version, on two cores.
const FIRST_VERSION: f64 = 135.0;
const SESSIONS: usize = 1000;
const ROOM: &str = "the-room-of-the-benchmark";
const HELLO: &str = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"bench","version":"0"}}}"#;
const READY: &str = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;

fn main() {
    let place = tempfile::tempdir().unwrap();
    let home = place.path().join("home");
    for agent in ["bob", "alice"] {
        let status = bch(&home).env("BACKCHANNEL_AGENT", agent).args(["init", agent]).status();
        assert!(status.unwrap().success());
    }
    let (mut version, mut list, mut inbox) = (Vec::new(), Vec::new(), Vec::new());
    let mut memory = 0;
    for _ in 0..100 {
        let begun = Instant::now();
        assert!(bch(&home).arg("--version").status().unwrap().success());
        version.push(begun.elapsed());
        let begun = Instant::now();
        let mut server = Server::start(&home);
        server.ask(2, r#""method":"tools/list""#);
        list.push(begun.elapsed());
        let begun = Instant::now();
        server.ask(3, r#""method":"tools/call","params":{"name":"bch_inbox","arguments":{}}"#);
        inbox.push(begun.elapsed());
        memory = memory.max(peak(server.child.id()));
        drop(server.input);
        assert!(server.child.wait().unwrap().success());
    }
    let [version, list, inbox] = [version, list, inbox].map(median);
    row("bch --version", version, "");
    let times = FIRST_VERSION / list.as_secs_f64() / 1e3;
    let note = format!("(at most 10 ms) {times:.0} times as fast as the first version's {FIRST_VERSION} ms");
    row("start to tools/list answered", list, &note);
    row("bch_inbox, empty, the first of a server", inbox, "");
    println!("{:<44} {memory:>9} KiB  (at most 12288)", "bch mcp, peak memory");
    relay(place.path());
}

/// Idle sessions at a relay, 16 an agent.
fn relay(place: &Path) {
    let mut child = bch(&place.join("relay"))
        .args(["relay", "--port", "0", "--data"])
        .arg(place.join("data"))
        .env("BACKCHANNEL_TOKEN", ROOM)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let address: SocketAddr = line.trim().rsplit("//").next().unwrap().parse().unwrap();
    let tokens: Vec<String> = (0..=SESSIONS / 16).map(|number| register(address, number)).collect();
    let before = resident(child.id());
    let mut times = Vec::new();
    for number in 0..SESSIONS {
        let begun = Instant::now();
        let answer = post(address, "/mcp", &tokens[number / 16], HELLO);
        assert!(answer.contains("mcp-session-id"), "{answer}");
        times.push(begun.elapsed());
    }
    let each = (resident(child.id()) - before) as f64 / SESSIONS as f64;
    row("a session at a relay, begun", median(times), "");
    println!("{:<44} {each:>9.1} KiB  of {SESSIONS} idle ones", "memory of a session at a relay");
    child.kill().unwrap();
    child.wait().unwrap();
}

fn register(address: SocketAddr, number: usize) -> String {
    let answer = post(address, "/v1/register", ROOM, &format!("{{\"name\":\"agent-{number}\"}}"));
    let (_, after) = answer.split_once("\"token\":\"").unwrap_or_else(|| panic!("{answer}"));
    after.split('"').next().unwrap().to_owned()
}

fn post(address: SocketAddr, path: &str, token: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let length = body.len();
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\nauthorization: Bearer {token}\r\n\
         accept: application/json, text/event-stream\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n"
    );
    stream.write_all((head + body).as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

struct Server {
    child: Child,
    input: std::process::ChildStdin,
    output: BufReader<std::process::ChildStdout>,
}

impl Server {
    fn start(home: &Path) -> Self {
        let mut command = bch(home);
        command.args(["mcp", "--agent", "bob", "--home"]).arg(home.join("mail"));
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (input, output) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        let mut server = Self { child, input, output };
        server.write(HELLO);
        server.read();
        server.write(READY);
        server
    }

    fn write(&mut self, line: &str) {
        self.input.write_all(format!("{line}\n").as_bytes()).unwrap();
    }

    fn read(&mut self) {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        assert!(line.contains("\"result\""), "{line}");
    }

    fn ask(&mut self, id: usize, rest: &str) {
        self.write(&format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},{rest}}}"));
        self.read();
    }
}

fn bch(home: &Path) -> Command {
    let mail: PathBuf = home.join("mail");
    fs::create_dir_all(home).unwrap();
    let mut command = Command::new(BCH);
    command
        .env_clear()
        .env("HOME", home)
        .env("BACKCHANNEL_HOME", mail)
        .current_dir("/")
        .stdout(Stdio::null());
    command
}

fn status(process: u32, field: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with(field)).unwrap();
    line.split_ascii_whitespace().nth(1).unwrap().parse().unwrap()
}

fn peak(process: u32) -> u64 {
    status(process, "VmHWM")
}

fn resident(process: u32) -> u64 {
    status(process, "VmRSS")
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

fn row(what: &str, time: Duration, note: &str) {
    println!("{what:<44} {:>9.2} ms   {note}", time.as_secs_f64() * 1e3);
}
