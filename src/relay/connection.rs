//! Connections: how many there are, that none holds its place without reading or writing, and that each tells of its end.

use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum_server::accept::Accept;
use prometheus_client::metrics::gauge::Gauge;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Sleep, sleep};

use super::link::{Link, Links, SILENCE};
use super::state::Shared;

/// For how long a client may leave what it is sent unread.
const WRITE_TIME: Duration = Duration::from_secs(60);
/// What one connection too many is told where no TLS is spoken.
const FULL: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\nretry-after: 5\r\n\
    content-length: 43\r\nconnection: close\r\n\r\n{\"error\":\"the relay has no connection free\"}";

/// Lets connections in while there are places.
#[derive(Clone)]
pub(super) struct Gate {
    state: Shared,
    places: Arc<Semaphore>,
    speaks_plainly: bool,
}

/// A connection with its place.
pub(super) struct Guarded {
    stream: TcpStream,
    from: SocketAddr,
    link: Arc<Link>,
    links: Links,
    /// Runs while a write waits for the client to read.
    deadline: Option<Pin<Box<Sleep>>>,
    /// Runs while the other side's end is waited for.
    farewell: Option<Pin<Box<Sleep>>>,
    connections: Gauge,
    _place: OwnedSemaphorePermit,
}

impl Gate {
    pub(super) fn new(state: Shared, most: usize, speaks_plainly: bool) -> Self {
        Self { state, places: Arc::new(Semaphore::new(most.min(Semaphore::MAX_PERMITS))), speaks_plainly }
    }

    fn let_in(&self, stream: TcpStream) -> io::Result<Guarded> {
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else {
            self.state.metrics.turned_away.inc();
            if self.speaks_plainly {
                // One attempt: whoever does not read it finds the connection closed.
                let _ = stream.into_std().and_then(|mut stream| stream.write_all(FULL));
            }
            return Err(io::Error::other("no connection is free"));
        };
        stream.set_nodelay(true)?;
        #[cfg(target_os = "linux")]
        rustix::net::sockopt::set_tcp_user_timeout(&stream, SILENCE.as_millis() as u32)?;
        let (from, link, links) = (stream.peer_addr()?, Arc::<Link>::default(), self.state.links.clone());
        links.insert(from, &link);
        let connections = self.state.metrics.connections.clone();
        connections.inc();
        Ok(Guarded { stream, from, link, links, deadline: None, farewell: None, connections, _place: place })
    }
}

impl<S> Accept<TcpStream, S> for Gate {
    type Stream = Guarded;
    type Service = S;
    type Future = std::future::Ready<io::Result<(Guarded, S)>>;

    fn accept(&self, stream: TcpStream, service: S) -> Self::Future {
        std::future::ready(self.let_in(stream).map(|stream| (stream, service)))
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        self.connections.dec();
        self.link.breaks();
        self.links.remove(self.from, &self.link);
    }
}

impl Guarded {
    /// Notes a failure.
    fn noted<T>(&self, done: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if matches!(done, Poll::Ready(Err(_))) {
            self.link.breaks();
        }
        done
    }

    fn noted_write(&self, done: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if matches!(done, Poll::Ready(Ok(1..))) {
            self.link.wrote();
        }
        done
    }

    /// Reads what still comes, until the other side has ended, too: it has read everything then.
    fn linger(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let deadline = self.farewell.get_or_insert_with(|| Box::pin(sleep(SILENCE)));
        if deadline.as_mut().poll(context).is_ready() {
            return Poll::Ready(Ok(()));
        }
        loop {
            let mut scratch = [0; 1024];
            let mut buffer = ReadBuf::new(&mut scratch);
            match Pin::new(&mut self.stream).poll_read(context, &mut buffer) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(())) if buffer.filled().is_empty() => {
                    self.link.ends();
                    return Poll::Ready(Ok(()));
                }
                Poll::Ready(Ok(())) => {}
                // It is over either way.
                failed @ Poll::Ready(Err(_)) => {
                    let _ = self.noted(failed);
                    return Poll::Ready(Ok(()));
                }
            }
        }
    }

    /// Ends a write that has waited for too long.
    fn timed<T>(&mut self, context: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.deadline = None;
            return self.noted(written);
        }
        let deadline = self.deadline.get_or_insert_with(|| Box::pin(sleep(WRITE_TIME)));
        match deadline.as_mut().poll(context) {
            Poll::Ready(()) => self.noted(Poll::Ready(Err(io::ErrorKind::TimedOut.into()))),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl AsyncRead for Guarded {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let (before, room) = (buffer.filled().len(), buffer.remaining());
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        if matches!(read, Poll::Ready(Ok(()))) && room > 0 {
            if buffer.filled().len() == before {
                self.link.ends();
            } else {
                self.link.read();
            }
        }
        self.noted(read)
    }
}

impl AsyncWrite for Guarded {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        let written = self.noted_write(written);
        self.timed(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        let written = self.noted_write(written);
        self.timed(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(context);
        self.timed(context, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.farewell.is_none() {
            let ended = Pin::new(&mut self.stream).poll_shutdown(context);
            let ended = self.timed(context, ended);
            if !matches!(ended, Poll::Ready(Ok(()))) || !self.link.lingers() {
                return ended;
            }
        }
        self.linger(context)
    }
}
