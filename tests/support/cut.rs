//! A network between a client and a server that can be cut: each request is passed on whole, and its answer may be lost.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use super::http::PATIENCE;

/// What the network does to the next requests of a path.
#[derive(Debug, Clone)]
struct Cut {
    path: String,
    what: What,
    left: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// The request does not arrive.
    Request,
    /// It arrives, and its answer does not.
    Answer,
}

/// The network. It ends with the test's process.
pub struct Network {
    pub address: SocketAddr,
    cuts: Arc<Mutex<Vec<Cut>>>,
    done: Arc<AtomicUsize>,
}

impl Network {
    /// A network before this server.
    pub fn before(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (cuts, done) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicUsize::new(0)));
        let network = Self { address, cuts: Arc::clone(&cuts), done: Arc::clone(&done) };
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let (client, cuts, done) = (client.unwrap(), Arc::clone(&cuts), Arc::clone(&done));
                std::thread::spawn(move || serve(client, server, &cuts, &done));
            }
        });
        network
    }

    /// Cuts the next `count` requests whose path ends so.
    pub fn cut(&self, path: &str, what: What, count: usize) {
        self.cuts.lock().unwrap().push(Cut { path: path.to_owned(), what, left: count });
    }

    pub fn mend(&self) {
        self.cuts.lock().unwrap().clear();
    }

    /// How often something was lost.
    pub fn lost(&self) -> usize {
        self.done.load(Ordering::Relaxed)
    }
}

/// Serves one connection until either side ends it.
fn serve(mut client: TcpStream, server: SocketAddr, cuts: &Mutex<Vec<Cut>>, done: &AtomicUsize) {
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    let Ok(mut server) = TcpStream::connect(server) else { return };
    server.set_read_timeout(Some(PATIENCE)).unwrap();
    while let Some(request) = whole(&mut client) {
        let line = String::from_utf8_lossy(&request);
        let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
        let cut = {
            let mut cuts = cuts.lock().unwrap();
            let cut = cuts.iter_mut().find(|cut| path.ends_with(&cut.path) && cut.left > 0);
            cut.map(|cut| {
                cut.left -= 1;
                cut.what
            })
        };
        if cut == Some(What::Request) {
            done.fetch_add(1, Ordering::Relaxed);
            return;
        }
        if server.write_all(&request).is_err() {
            return;
        }
        let Some(answer) = whole(&mut server) else { return };
        if cut == Some(What::Answer) {
            done.fetch_add(1, Ordering::Relaxed);
            return;
        }
        if client.write_all(&answer).is_err() {
            return;
        }
    }
}

/// Reads one request or answer whole: its head, and as much as `content-length` says.
fn whole(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let (mut bytes, mut byte) = (Vec::new(), [0]);
    while !bytes.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).ok()?;
        bytes.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&bytes).to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body).ok()?;
    bytes.extend(body);
    Some(bytes)
}
