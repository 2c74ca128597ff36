//! Owns the reading of one HTTP/1.1 request and the writing of plain answers.

use serde_json::{Value, json};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;

const BODY_LIMIT: u64 = 64 << 20;

/// Method, path without its query, and body.
pub(super) fn read_request(stream: &TcpStream) -> io::Result<(String, String, Value)> {
    let mut reader = BufReader::new(stream);
    let (mut length, mut chunked, mut expects, mut encoded) = (0, false, false, false);
    let first = read_line(&mut reader)?;
    loop {
        let line = read_line(&mut reader)?.to_ascii_lowercase();
        let Some((name, value)) = line.split_once(':') else {
            break;
        };
        match (name, value.trim()) {
            ("content-length", value) => length = value.parse().map_err(io::Error::other)?,
            ("transfer-encoding", value) => chunked = value.contains("chunked"),
            ("expect", value) => expects = value == "100-continue",
            ("content-encoding", value) => encoded = value != "identity",
            _ => {}
        }
    }
    if encoded {
        // Rather loud than a test that finds nothing in a body that it cannot read.
        send_json(stream, 415, &json!({"error": {"message": "compressed bodies are not read"}}))?;
        return Err(io::Error::other("the request's body is compressed"));
    }
    if expects {
        (&*stream).write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
    }
    let mut body = Vec::new();
    if chunked {
        loop {
            let size = read_line(&mut reader)?;
            let size = size.split(';').next().unwrap_or_default().trim();
            let size = u64::from_str_radix(size, 16).map_err(io::Error::other)?;
            (&mut reader).take(size.min(BODY_LIMIT)).read_to_end(&mut body)?;
            read_line(&mut reader)?;
            if size == 0 || body.len() as u64 > BODY_LIMIT {
                break;
            }
        }
    } else {
        (&mut reader).take(length.min(BODY_LIMIT)).read_to_end(&mut body)?;
    }
    let mut words = first.split(' ');
    let method = words.next().unwrap_or_default().to_owned();
    let target = words.next().unwrap_or_default();
    let path = target.split('?').next().unwrap_or_default().to_owned();
    Ok((method, path, serde_json::from_slice(&body).unwrap_or(Value::Null)))
}

fn read_line(reader: &mut impl BufRead) -> io::Result<String> {
    let mut line = String::new();
    if reader.take(1 << 16).read_line(&mut line)? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(line.trim_end().to_owned())
}

pub(super) fn send_json(mut stream: &TcpStream, status: u16, answer: &Value) -> io::Result<()> {
    let text = answer.to_string();
    let length = text.len();
    write!(
        stream,
        "HTTP/1.1 {status} Scripted\r\ncontent-type: application/json\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{text}"
    )
}

pub(super) fn side_answer(method: &str, path: &str) -> (u16, Value) {
    if [":countTokens", "/count_tokens", "/input_tokens"].iter().any(|end| path.ends_with(end)) {
        (200, json!({"input_tokens": 10, "totalTokens": 10}))
    } else if path.ends_with("/models") {
        (200, json!({"object": "list", "data": [{"id": "mock", "object": "model"}], "models": []}))
    } else if method == "GET" || method == "HEAD" {
        (200, json!({}))
    } else {
        (404, json!({}))
    }
}
