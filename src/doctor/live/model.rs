//! A model on the loopback interface that says one text, and remembers what it was asked: as much of Anthropic
//! Messages, OpenAI Responses and Gemini as a harness needs for one turn.
//!
//! It is the proxy of that harness, too, and refuses all that is asked of it as one.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use serde_json::{Value, json};

use super::answers::{self, Answer};

/// How long a client may take to send or take bytes.
const PATIENCE: Duration = Duration::from_secs(30);
/// More than this is no request.
const LARGEST: u64 = 64 * 1024 * 1024;
/// A line of a request's head.
const LONGEST_LINE: u64 = 64 * 1024;

/// The running model; dropped, it ends.
pub(super) struct Model {
    url: String,
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    acceptor: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct State {
    /// Requests of the harness's own turn: those that offer tools.
    requests: Vec<Value>,
    refused: Vec<String>,
    is_over: bool,
}

/// What it saw.
#[derive(Debug)]
pub(super) struct Seen {
    /// Requests of the harness's own turn.
    pub(super) requests: usize,
    /// How often a text stands in the first of them that holds it.
    pub(super) messages: usize,
    /// What the harness wanted to reach beside the model.
    pub(super) refused: Vec<String>,
}

impl Model {
    pub(super) fn start() -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        let acceptor = thread::spawn(move || accept(&listener, &shared));
        Ok(Self { url: format!("http://{address}"), address, state, acceptor: Some(acceptor) })
    }

    /// `http://127.0.0.1:PORT`.
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// What it saw of this text.
    pub(super) fn seen(&self, text: &str) -> Seen {
        let state = locked(&self.state);
        let counts = state.requests.iter().map(|request| count(request, text));
        let messages = counts.into_iter().find(|count| *count > 0).unwrap_or(0);
        Seen { requests: state.requests.len(), messages, refused: state.refused.clone() }
    }
}

impl Drop for Model {
    fn drop(&mut self) {
        locked(&self.state).is_over = true;
        // Wakes the acceptor; connections that are still open end with the process that holds them.
        drop(TcpStream::connect(self.address));
        if let Some(acceptor) = self.acceptor.take() {
            drop(acceptor.join());
        }
    }
}

fn locked(state: &Mutex<State>) -> MutexGuard<'_, State> {
    // What is in it is changed in single steps.
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How often a text stands in the strings of a value.
fn count(value: &Value, text: &str) -> usize {
    match value {
        Value::String(string) => string.matches(text).count(),
        Value::Array(list) => list.iter().map(|value| count(value, text)).sum(),
        Value::Object(fields) => fields.values().map(|value| count(value, text)).sum(),
        _ => 0,
    }
}

fn accept(listener: &TcpListener, state: &Arc<Mutex<State>>) {
    for stream in listener.incoming() {
        if locked(state).is_over {
            break;
        }
        let Ok(stream) = stream else { break };
        let state = Arc::clone(state);
        thread::spawn(move || {
            // An error here is a client that went away.
            drop(serve(&stream, &state));
            drop(stream.shutdown(Shutdown::Both));
        });
    }
}

/// Answers the one request of a connection; every answer ends with the connection's end.
fn serve(stream: &TcpStream, state: &Mutex<State>) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let request = Request::read(stream)?;
    if request.is_for_elsewhere() {
        let host = request.target.split('/').find(|part| part.contains('.')).unwrap_or_default();
        let mut state = locked(state);
        if !state.refused.iter().any(|other| other == host) {
            state.refused.push(host.to_owned());
        }
        drop(state);
        return send(stream, 403, &json!({"error": {"message": "nothing leaves this machine"}}));
    }
    let Some(answer) = Answer::to(&request.method, &request.path, &request.body) else {
        let (status, answer) = answers::beside(&request.method, &request.path);
        return send(stream, status, &answer);
    };
    if request.body["tools"].as_array().is_some_and(|tools| !tools.is_empty()) {
        locked(state).requests.push(request.body);
    }
    match answer {
        Answer::Whole(value) => send(stream, 200, &value),
        Answer::Stream(text) => write_all(stream, "200 OK", "text/event-stream", &text),
    }
}

fn send(stream: &TcpStream, status: u16, answer: &Value) -> io::Result<()> {
    write_all(stream, &format!("{status} Model"), "application/json", &answer.to_string())
}

fn write_all(mut stream: &TcpStream, status: &str, kind: &str, body: &str) -> io::Result<()> {
    let length = body.len();
    write!(
        stream,
        "HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
    )
}

struct Request {
    method: String,
    target: String,
    /// The target without its query.
    path: String,
    /// Null where there is none, or no JSON.
    body: Value,
}

impl Request {
    fn read(stream: &TcpStream) -> io::Result<Self> {
        let mut reader = BufReader::new(stream);
        let first = line(&mut reader)?;
        let (mut length, mut is_chunked, mut awaits) = (0, false, false);
        loop {
            let header = line(&mut reader)?.to_ascii_lowercase();
            let Some((name, value)) = header.split_once(':') else { break };
            match (name, value.trim()) {
                ("content-length", value) => length = value.parse().map_err(io::Error::other)?,
                ("transfer-encoding", value) => is_chunked = value.contains("chunked"),
                ("expect", value) => awaits = value == "100-continue",
                _ => {}
            }
        }
        if awaits {
            (&*stream).write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        }
        let mut body = Vec::new();
        if is_chunked {
            loop {
                let size = line(&mut reader)?;
                let size = size.split(';').next().unwrap_or_default().trim();
                let size = u64::from_str_radix(size, 16).map_err(io::Error::other)?;
                reader.by_ref().take(size.min(LARGEST)).read_to_end(&mut body)?;
                line(&mut reader)?;
                if size == 0 || body.len() as u64 > LARGEST {
                    break;
                }
            }
        } else {
            reader.take(u64::min(length, LARGEST)).read_to_end(&mut body)?;
        }
        let mut words = first.split(' ').map(str::to_owned);
        let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let path = target.split('?').next().unwrap_or_default().to_owned();
        Ok(Self { method, target, path, body: serde_json::from_slice(&body).unwrap_or_default() })
    }

    /// Whether it was asked as a proxy.
    fn is_for_elsewhere(&self) -> bool {
        let is_here =
            |target: &str| target.starts_with("http://127.0.0.1") || target.starts_with("http://localhost");
        self.method == "CONNECT" || (self.target.contains("://") && !is_here(&self.target))
    }
}

fn line(reader: &mut impl BufRead) -> io::Result<String> {
    let mut line = String::new();
    if reader.take(LONGEST_LINE).read_line(&mut line)? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(line.trim_end().to_owned())
}
