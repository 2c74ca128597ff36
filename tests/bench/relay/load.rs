//! The load: one thread, kept connections, on each one request under way. It runs on the relay's own machine, so that
//! its cost is in every figure.

use std::cell::Cell;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::task::{JoinSet, LocalSet};

/// How long a rate is measured.
const SPAN: Duration = Duration::from_secs(1);
/// Longer than any answer takes; a run that hangs ends.
const PATIENCE: Duration = Duration::from_secs(120);

/// Requests that the connections take in turn.
struct Work {
    requests: Vec<Vec<u8>>,
    taken: Cell<usize>,
    /// Until then they come round again; without it each is sent once.
    end: Option<Instant>,
}

/// One kept connection.
struct Connection {
    stream: TcpStream,
    answer: Vec<u8>,
    buffer: Box<[u8; 16 * 1024]>,
}

/// Requests a second over that many connections.
pub fn rate(address: SocketAddr, connections: usize, requests: Vec<Vec<u8>>) -> f64 {
    let (took, count) = drive(address, connections, requests, Some(SPAN));
    count as f64 / took.as_secs_f64()
}

/// How long it takes to send each of these once and to be answered.
pub fn all(address: SocketAddr, connections: usize, requests: Vec<Vec<u8>>) -> Duration {
    drive(address, connections, requests, None).0
}

fn drive(
    address: SocketAddr,
    connections: usize,
    requests: Vec<Vec<u8>>,
    span: Option<Duration>,
) -> (Duration, usize) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    LocalSet::new().block_on(&runtime, async {
        let mut open = Vec::new();
        for _ in 0..connections {
            open.push(Connection::open(address).await);
        }
        let begun = Instant::now();
        let work = Rc::new(Work { requests, taken: Cell::new(0), end: span.map(|span| begun + span) });
        let mut running = JoinSet::new();
        for connection in open {
            running.spawn_local(connection.run(work.clone()));
        }
        tokio::time::timeout(span.unwrap_or_default() + PATIENCE, running.join_all()).await.unwrap();
        (begun.elapsed(), work.taken.get())
    })
}

impl Work {
    fn take(&self) -> Option<&[u8]> {
        let taken = self.taken.get();
        let goes_on = self.end.map_or(taken < self.requests.len(), |end| Instant::now() < end);
        goes_on.then(|| {
            self.taken.set(taken + 1);
            &*self.requests[taken % self.requests.len()]
        })
    }
}

impl Connection {
    async fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, answer: Vec::new(), buffer: Box::new([0; 16 * 1024]) }
    }

    async fn run(mut self, work: Rc<Work>) {
        while let Some(request) = work.take() {
            self.write(request).await;
            let status = self.read().await;
            // A stranger is told 401, and after a while 429.
            assert!(matches!(status, 200 | 401 | 429), "{}", String::from_utf8_lossy(&self.answer));
        }
    }

    async fn write(&mut self, mut request: &[u8]) {
        while !request.is_empty() {
            let written = poll_fn(|context| Pin::new(&mut self.stream).poll_write(context, request));
            request = &request[written.await.unwrap()..];
        }
    }

    /// Reads one answer to its end; its status.
    async fn read(&mut self) -> u16 {
        self.answer.clear();
        loop {
            let mut piece = ReadBuf::new(&mut *self.buffer);
            poll_fn(|context| Pin::new(&mut self.stream).poll_read(context, &mut piece)).await.unwrap();
            assert!(!piece.filled().is_empty(), "the relay closed the connection");
            self.answer.extend_from_slice(piece.filled());
            if let Some(status) = whole(&self.answer) {
                return status;
            }
        }
    }
}

/// The status of an answer that is there to its end.
pub fn whole(answer: &[u8]) -> Option<u16> {
    let head = &answer[..memchr::memmem::find(answer, b"\r\n\r\n")?];
    let number = |bytes: &[u8]| std::str::from_utf8(bytes).unwrap().parse::<usize>().unwrap();
    const LENGTH: &[u8] = b"content-length: ";
    let start = memchr::memmem::find(head, LENGTH).unwrap() + LENGTH.len();
    let end = memchr::memchr(b'\r', &head[start..]).map_or(head.len(), |length| start + length);
    let is_whole = answer.len() >= head.len() + 4 + number(&head[start..end]);
    is_whole.then(|| u16::try_from(number(&head[9..12])).unwrap())
}
