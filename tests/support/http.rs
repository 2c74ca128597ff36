//! HTTP as it is on the wire, written from `docs/protocol.md`: nothing of ours reads or writes it.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

/// For how long a call may take before its test fails.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// What a request was answered.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

/// Where a server is, and as whom it is asked.
#[derive(Debug, Clone)]
pub struct Api {
    pub address: SocketAddr,
    pub token: Option<String>,
    pub headers: Vec<(String, String)>,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(given, _)| given == name).map(|(_, value)| value.as_str())
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&self.body)))
    }

    /// The answer's JSON, where it is the one that is expected.
    #[track_caller]
    pub fn ok(&self) -> Value {
        assert_eq!(self.status, 200, "{}", String::from_utf8_lossy(&self.body));
        self.json()
    }

    /// What an error says; every error says it in the same way.
    #[track_caller]
    pub fn error(&self, status: u16) -> String {
        assert_eq!(self.status, status, "{}", String::from_utf8_lossy(&self.body));
        assert_eq!(self.header("content-type"), Some("application/json"));
        let value = self.json();
        assert_eq!(value.as_object().unwrap().len(), 1, "{value}");
        value["error"].as_str().unwrap().to_owned()
    }
}

impl Api {
    pub fn of(address: SocketAddr, token: Option<&str>) -> Self {
        Self { address, token: token.map(str::to_owned), headers: Vec::new() }
    }

    /// The same with one more header.
    pub fn with(&self, name: &str, value: &str) -> Self {
        let mut api = self.clone();
        api.headers.push((name.to_owned(), value.to_owned()));
        api
    }

    #[track_caller]
    pub fn get(&self, path: &str) -> Answer {
        self.try_call("GET", path, None).unwrap()
    }

    #[track_caller]
    pub fn post(&self, path: &str, body: &Value) -> Answer {
        self.try_call("POST", path, Some(body.to_string().as_bytes())).unwrap()
    }

    #[track_caller]
    pub fn delete(&self, path: &str) -> Answer {
        self.try_call("DELETE", path, None).unwrap()
    }

    /// One request on a connection of its own.
    pub fn try_call(&self, method: &str, path: &str, body: Option<&[u8]>) -> std::io::Result<Answer> {
        let mut stream = self.connect()?;
        stream.write_all(self.head(method, path, body.map(<[u8]>::len), "close").as_bytes())?;
        stream.write_all(body.unwrap_or_default())?;
        read_answer(&mut BufReader::new(stream))
    }

    pub fn connect(&self) -> std::io::Result<TcpStream> {
        let stream = TcpStream::connect_timeout(&self.address, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    /// A request's line and headers.
    pub fn head(&self, method: &str, path: &str, length: Option<usize>, connection: &str) -> String {
        let host = self.headers.iter().find(|(name, _)| name == "host");
        let host = host.map_or_else(|| self.address.to_string(), |(_, host)| host.clone());
        let mut head = format!("{method} {path} HTTP/1.1\r\nhost: {host}\r\nconnection: {connection}\r\n");
        if let Some(token) = &self.token {
            head.push_str(&format!("authorization: Bearer {token}\r\n"));
        }
        if let Some(length) = length {
            head.push_str(&format!("content-type: application/json\r\ncontent-length: {length}\r\n"));
        }
        for (name, value) in self.headers.iter().filter(|(name, _)| name != "host") {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head + "\r\n"
    }
}

/// Reads a status line and headers.
pub fn read_head(reader: &mut impl BufRead) -> std::io::Result<(u16, Vec<(String, String)>)> {
    let broken = || std::io::Error::from(std::io::ErrorKind::UnexpectedEof);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let status = line.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or_else(broken)?;
    let mut headers = Vec::new();
    loop {
        line.clear();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    Ok((status, headers))
}

/// Reads a whole answer: of the length that is told, in chunks, or to the connection's end.
pub fn read_answer(reader: &mut impl BufRead) -> std::io::Result<Answer> {
    let (status, headers) = read_head(reader)?;
    let mut answer = Answer { status, headers, body: Vec::new() };
    match answer.header("content-length").map(|length| length.parse().unwrap()) {
        Some(length) => {
            answer.body.resize(length, 0);
            reader.read_exact(&mut answer.body)?;
        }
        None if answer.header("transfer-encoding") == Some("chunked") => {
            while let length @ 1.. = chunk_length(reader)? {
                let begin = answer.body.len();
                answer.body.resize(begin + length, 0);
                reader.read_exact(&mut answer.body[begin..])?;
                reader.read_line(&mut String::new())?;
            }
        }
        None => drop(reader.read_to_end(&mut answer.body)?),
    }
    Ok(answer)
}

/// The length of the next chunk; 0 is the last one's.
fn chunk_length(reader: &mut impl BufRead) -> std::io::Result<usize> {
    let mut line = String::new();
    reader.read_line(&mut line)?;
    usize::from_str_radix(line.trim_end(), 16).map_err(|_| std::io::ErrorKind::UnexpectedEof.into())
}

/// An event stream that is read as it comes.
pub struct Events {
    reader: BufReader<TcpStream>,
    pub status: u16,
    /// The id of the last event.
    pub last_id: Option<String>,
}

impl Events {
    /// Opens the stream of an agent.
    pub fn open(api: &Api, agent: &str) -> Self {
        let mut stream = api.connect().unwrap();
        let head = api.head("GET", &format!("/v1/events/{agent}"), None, "keep-alive");
        stream.write_all(head.as_bytes()).unwrap();
        let mut reader = BufReader::new(stream);
        let (status, headers) = read_head(&mut reader).unwrap();
        if status == 200 {
            let header =
                |name| headers.iter().find(|(given, _)| given == name).map(|(_, value)| value.as_str());
            assert_eq!(header("transfer-encoding"), Some("chunked"));
            assert!(header("content-type").is_some_and(|kind| kind.starts_with("text/event-stream")));
        }
        Self { reader, status, last_id: None }
    }

    /// The next message; `None` at the end of the stream.
    pub fn next(&mut self) -> Option<Value> {
        loop {
            let line = self.line()?;
            if let Some(id) = line.strip_prefix("id: ") {
                self.last_id = Some(id.to_owned());
            }
            if let Some(data) = line.strip_prefix("data: ") {
                return Some(serde_json::from_str(data).unwrap());
            }
        }
    }

    /// Whether the stream ends as HTTP says, with a last chunk, and not by a broken connection.
    pub fn ends_cleanly(&mut self) -> bool {
        while self.line().is_some() {}
        self.last_id.as_deref() != Some("broken")
    }

    /// One line of the stream; pieces of the transfer begin and end where lines do.
    pub fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        loop {
            line.clear();
            if self.reader.read_line(&mut line).unwrap_or(0) == 0 {
                self.last_id = Some("broken".to_owned());
                return None;
            }
            let text = line.trim_end();
            match usize::from_str_radix(text, 16) {
                Ok(0) => return None,
                // The size of a piece, and the empty line after it.
                Ok(_) => {}
                Err(_) if text.is_empty() => {}
                Err(_) => return Some(text.to_owned()),
            }
        }
    }
}
