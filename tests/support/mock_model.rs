//! Owns a model service on the loopback interface: as much of Anthropic Messages, OpenAI Responses
//! and Gemini as a coding agent needs to take a turn. It answers from a script and keeps every
//! request, so that a test can say what the model was shown. It must not know any agent's files or
//! processes, and never listens beyond 127.0.0.1.
//!
//! A *main* request is one that offers tools: the agent's own turn. What agents ask on the side (a
//! title for the session, token counts, lists of models) offers none; it is answered, kept apart,
//! and takes nothing from the script. Checked 2026-11-24 with Claude Code 2.1.330, Codex 0.169.0
//! and Gemini CLI 0.61.0; none of them compresses what it sends.

mod http;
mod script;
mod wire;

use http::{read_request, send_json, side_answer};
pub use script::{Answered, Gate, Reply};
use script::{Script, Turn, Wait};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::io::{self, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use wire::{Content, Wire, offered_tools};

/// How long a client may take to send or take bytes.
const SOCKET_LIMIT: Duration = Duration::from_secs(30);

/// One request as it arrived. `body` is null when there was none or when it was not JSON.
#[derive(Clone, Debug)]
pub struct Request {
    pub path: String,
    pub body: Value,
    pub answered: Answered,
}

impl Request {
    /// Whether any string of the body, decoded, contains `needle`. Gemini CLI writes `<` and `>` of
    /// a hook's context as entities.
    pub fn contains(&self, needle: &str) -> bool {
        !self.strings_containing(needle).is_empty()
    }

    /// The strings of the body, decoded and in order, that contain `needle`.
    pub fn strings_containing(&self, needle: &str) -> Vec<&str> {
        let mut found = Vec::new();
        collect_strings(&self.body, &mut found);
        found.retain(|text| text.contains(needle));
        found
    }
}

fn collect_strings<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
    match value {
        Value::String(text) => found.push(text),
        Value::Array(items) => items.iter().for_each(|item| collect_strings(item, found)),
        Value::Object(fields) => fields.values().for_each(|field| collect_strings(field, found)),
        _ => {}
    }
}

/// The running service; dropping it closes its connections and ends its threads.
pub struct MockModel {
    url: String,
    address: SocketAddr,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    script: Script,
    main: Vec<Request>,
    side: Vec<Request>,
    gates: Vec<Gate>,
    connections: HashMap<usize, TcpStream>,
    stopping: bool,
}

impl MockModel {
    pub fn start() -> MockModel {
        let listener = TcpListener::bind("127.0.0.1:0").expect("bind a loopback port");
        let address = listener.local_addr().expect("the listener's address");
        let shared = Arc::new(Shared::default());
        let acceptor = thread::spawn({
            let shared = Arc::clone(&shared);
            move || accept(&listener, &shared)
        });
        MockModel { url: format!("http://{address}"), address, shared, acceptor: Some(acceptor) }
    }

    /// The base address, without a path: `http://127.0.0.1:PORT`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Sets the replies for the coming main requests, in order, in place of any that are left. With
    /// none left the answer is the text "ok from mock".
    pub fn script(&self, replies: Vec<Reply>) {
        locked(&self.shared.state).script.set(replies);
    }

    /// The main requests so far, each there as soon as it has been read whole.
    pub fn requests(&self) -> Vec<Request> {
        locked(&self.shared.state).main.clone()
    }

    pub fn side_requests(&self) -> Vec<Request> {
        locked(&self.shared.state).side.clone()
    }

    /// Waits until there are at least `count` main requests and returns all of them. Panics when
    /// the time is over.
    #[track_caller]
    pub fn wait_for_requests(&self, count: usize, timeout: Duration) -> Vec<Request> {
        let state = locked(&self.shared.state);
        let (state, outcome) = self
            .shared
            .changed
            .wait_timeout_while(state, timeout, |state| state.main.len() < count)
            .unwrap_or_else(PoisonError::into_inner);
        let requests = state.main.clone();
        let side = state.side.len();
        drop(state);
        let answers: Vec<&Answered> = requests.iter().map(|request| &request.answered).collect();
        assert!(
            !outcome.timed_out(),
            "waited {timeout:?} for {count} main requests: got {answers:?} and {side} on the side"
        );
        requests
    }
}

impl Drop for MockModel {
    fn drop(&mut self) {
        let mut state = locked(&self.shared.state);
        state.stopping = true;
        state.gates.iter().for_each(Gate::open);
        for connection in state.connections.values() {
            // It fails when the client closed first, which is what is wanted.
            drop(connection.shutdown(Shutdown::Both));
        }
        drop(state);
        self.shared.changed.notify_all();
        drop(TcpStream::connect(self.address)); // wakes the acceptor
        if let Some(acceptor) = self.acceptor.take() {
            drop(acceptor.join());
        }
    }
}

/// A test that panicked with the lock held must still be able to drop the mock.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    let mut threads = Vec::new();
    for (number, stream) in listener.incoming().enumerate() {
        let Ok(stream) = stream else { break };
        let Ok(second_handle) = stream.try_clone() else {
            break;
        };
        let mut state = locked(&shared.state);
        if state.stopping {
            break;
        }
        state.connections.insert(number, second_handle);
        drop(state);
        let shared = Arc::clone(shared);
        threads.push(thread::spawn(move || {
            // An error here is a client that went away, as one does when its turn is interrupted.
            drop(serve(&stream, &shared));
            locked(&shared.state).connections.remove(&number);
            drop(stream.shutdown(Shutdown::Both));
        }));
    }
    threads.into_iter().for_each(|thread| drop(thread.join()));
}

/// Answers the one request of a connection; every answer ends with the connection's end.
fn serve(mut stream: &TcpStream, shared: &Shared) -> io::Result<()> {
    stream.set_read_timeout(Some(SOCKET_LIMIT))?;
    stream.set_write_timeout(Some(SOCKET_LIMIT))?;
    let (method, path, body) = read_request(stream)?;
    let wire = if method == "POST" { Wire::of(&path, &body) } else { None };
    let Some(wire) = wire else {
        let (status, answer) = side_answer(&method, &path);
        locked(&shared.state).record(path, body, Answered::Side);
        return send_json(stream, status, &answer);
    };
    let turn = shared.next_turn(path, body.clone());
    let (content, model) = (&turn.content, body["model"].as_str().unwrap_or("mock"));
    if let Content::Refusal(status) = content {
        turn.start.iter().for_each(|wait| shared.wait(wait));
        // The fields of all three protocols in one.
        let error = json!({"type": "invalid_request_error", "message": "scripted error",
            "code": status, "status": "INVALID_ARGUMENT"});
        return send_json(stream, *status, &json!({"type": "error", "error": error}));
    }
    if !wire.streams {
        turn.start.iter().for_each(|wait| shared.wait(wait));
        return send_json(stream, 200, &wire.whole(content, model));
    }
    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n")?;
    turn.start.iter().for_each(|wait| shared.wait(wait));
    for (index, frame) in wire.frames(content, model).iter().enumerate() {
        if index > 0 {
            shared.wait(&turn.between);
        }
        stream.write_all(frame.as_bytes())?;
    }
    Ok(())
}

impl Shared {
    /// The answer to a model request, which is then on record. Both happen under one lock, so that
    /// replies and records are in the same order.
    fn next_turn(&self, path: String, body: Value) -> Turn {
        let mut state = locked(&self.state);
        let (turn, answered) = state.script.next(&offered_tools(&body));
        state.record(path, body, answered);
        drop(state);
        self.changed.notify_all();
        turn
    }

    /// Ends early when the mock is dropped.
    fn wait(&self, wait: &Wait) {
        match wait {
            Wait::Nothing => {}
            Wait::For(time) => {
                let state = locked(&self.state);
                drop(self.changed.wait_timeout_while(state, *time, |state| !state.stopping));
            }
            Wait::Until(gate) => {
                let mut state = locked(&self.state);
                if state.stopping {
                    return;
                }
                state.gates.push(gate.clone());
                drop(state);
                gate.wait();
            }
        }
    }
}

impl State {
    fn record(&mut self, path: String, body: Value, answered: Answered) {
        let side = answered == Answered::Side;
        let list = if side { &mut self.side } else { &mut self.main };
        list.push(Request { path, body, answered });
    }
}
