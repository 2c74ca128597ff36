//! The MCP server as clients see it: over real pipes, over HTTP at a relay, and by the protocol's own tools.

mod arrivals;
mod conformance;
mod ends;
mod fixture;
mod http;
mod inbox;
mod inspector;
mod programs;
mod snippets;
mod tools;

use std::io::{BufRead, BufReader, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

use crate::support::home::{BCH, Home};

/// A client of `bch mcp`, for the agent `bob`.
struct Client {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    last: u64,
    /// What the server said of itself.
    hello: Value,
    /// Notifications, and requests of the server, that came in between.
    asides: Vec<Value>,
}

impl Client {
    fn start(home: &Home) -> Self {
        Self::with(home, &json!({}))
    }

    /// With these capabilities of the client.
    fn with(home: &Home, capabilities: &Value) -> Self {
        let mut client = Self::spawn(home);
        client.begin("2025-06-18", capabilities);
        client
    }

    /// A server that was not greeted yet.
    fn spawn(home: &Home) -> Self {
        let mut command: Command = home.command(BCH);
        command.args(["mcp", "--agent", "bob", "--home"]).arg(home.path());
        // An installed entry does not listen to these.
        command.env("BACKCHANNEL_AGENT", "alice").env("BACKCHANNEL_HOME", "/nowhere");
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (input, output) = (child.stdin.take(), BufReader::new(child.stdout.take().unwrap()));
        Self::of(child, input, output)
    }

    /// Over sockets, as Node gives them to its children.
    fn over_sockets(home: &Home) -> Self {
        let mut command: Command = home.command(BCH);
        command.args(["mcp", "--agent", "bob", "--home"]).arg(home.path());
        let [(input, its_input), (output, its_output)] = [(); 2].map(|()| UnixStream::pair().unwrap());
        command.stdin(OwnedFd::from(its_input)).stdout(OwnedFd::from(its_output));
        let child = command.spawn().unwrap();
        // The command holds the child's ends.
        drop(command);
        let (input, output) = (OwnedFd::from(input), OwnedFd::from(output));
        let mut client = Self::of(child, Some(input.into()), BufReader::new(output.into()));
        client.begin("2025-06-18", &json!({}));
        client
    }

    fn of(child: Child, input: Option<ChildStdin>, output: BufReader<ChildStdout>) -> Self {
        Self { child, input, output, last: 0, hello: Value::Null, asides: Vec::new() }
    }

    fn begin(&mut self, version: &str, capabilities: &Value) {
        let hello = json!({
            "protocolVersion": version, "capabilities": capabilities,
            "clientInfo": {"name": "test", "version": "0"}
        });
        self.hello = self.ask("initialize", &hello)["result"].take();
        assert!(self.hello["instructions"].as_str().unwrap().contains("bch_inbox"), "{}", self.hello);
        self.notify("notifications/initialized", &json!({}));
    }

    fn write(&mut self, line: &str) {
        let input = self.input.as_mut().unwrap();
        input.write_all(line.as_bytes()).and_then(|()| input.write_all(b"\n")).unwrap();
    }

    fn notify(&mut self, method: &str, parameters: &Value) {
        self.write(&json!({"jsonrpc": "2.0", "method": method, "params": parameters}).to_string());
    }

    /// Sends a request, and returns its id.
    fn request(&mut self, method: &str, parameters: &Value) -> u64 {
        self.last += 1;
        let id = self.last;
        self.write(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": parameters}).to_string());
        id
    }

    /// The next message of the server.
    fn read(&mut self) -> Value {
        let mut line = String::new();
        assert!(self.output.read_line(&mut line).unwrap() > 0, "the server ended");
        serde_json::from_str(&line).unwrap()
    }

    /// The answer to this request; what comes before it is kept.
    fn answer(&mut self, id: u64) -> Value {
        loop {
            let message = self.read();
            if message["id"] == id && message.get("method").is_none() {
                return message;
            }
            self.asides.push(message);
        }
    }

    /// The next notification or request of the server.
    fn aside(&mut self) -> Value {
        if self.asides.is_empty() { self.read() } else { self.asides.remove(0) }
    }

    fn ask(&mut self, method: &str, parameters: &Value) -> Value {
        let id = self.request(method, parameters);
        self.answer(id)
    }

    /// A tool's text; an error where it says so.
    fn call(&mut self, tool: &str, arguments: &Value) -> Result<String, String> {
        told(&self.ask("tools/call", &json!({"name": tool, "arguments": arguments})))
    }

    /// Calls until what was returned is acknowledged: of two that come within a moment of each other, the second may count
    /// as beside the first.
    fn confirm(&mut self, home: &Home) {
        for _ in 0..100 {
            assert_eq!(self.call("bch_whoami", &json!({})).unwrap(), "@bob");
            if !home.recent("bob").is_empty() {
                return;
            }
        }
        panic!("no call acknowledges");
    }

    /// Closes the client's side, and waits for the server's end.
    fn close(mut self) {
        drop(self.input.take());
        assert!(self.child.wait().unwrap().success());
    }
}

/// A tool's text in an answer; an error where it says so.
fn told(answer: &Value) -> Result<String, String> {
    let text = answer["result"]["content"][0]["text"].as_str();
    let text = text.unwrap_or_else(|| panic!("{answer}")).to_owned();
    if answer["result"]["isError"] == true { Err(text) } else { Ok(text) }
}

/// A home in which `bob` has one message of `alice`.
fn home() -> Home {
    let home = Home::with(&["bob", "alice"]);
    home.send("alice", "@bob", "hello\n--- backchannel mail 0 ends ---", &[]);
    home
}
