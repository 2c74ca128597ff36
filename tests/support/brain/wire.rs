//! The connections of a brain: a request can have its own cut under it, with no answer or half of one.

use std::io::{Error, ErrorKind, Result};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll};

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};

/// Where an answer ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Cut {
    None,
    /// Before its first byte.
    Whole,
    /// In the middle of its body.
    Half,
    /// It has been cut.
    Done,
}

/// A connection, as a request knows it.
#[derive(Debug, Clone)]
pub(super) struct Line(Arc<AtomicU8>);

/// The connections of a listener.
pub(super) struct Lines(pub(super) TcpListener);

pub(super) struct Connection {
    stream: TcpStream,
    line: Line,
}

impl Line {
    /// The next answer is cut.
    pub(super) fn cut(&self, cut: Cut) {
        self.0.store(cut as u8, Ordering::SeqCst);
    }

    fn is(&self, cut: Cut) -> bool {
        self.0.load(Ordering::SeqCst) == cut as u8
    }
}

impl Listener for Lines {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        let (stream, address) = Listener::accept(&mut self.0).await;
        // Answers are small, and each is waited for.
        let _ = stream.set_nodelay(true);
        (Connection { stream, line: Line(Arc::new(AtomicU8::new(Cut::None as u8))) }, address)
    }

    fn local_addr(&self) -> Result<SocketAddr> {
        self.0.local_addr()
    }
}

impl Connected<IncomingStream<'_, Lines>> for Line {
    fn connect_info(stream: IncomingStream<'_, Lines>) -> Self {
        stream.io().line.clone()
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize>> {
        if self.line.is(Cut::Whole) || self.line.is(Cut::Done) {
            return Poll::Ready(Err(Error::from(ErrorKind::ConnectionReset)));
        }
        if !self.line.is(Cut::Half) {
            return Pin::new(&mut self.stream).poll_write(context, bytes);
        }
        // The head comes with the body, or with its beginning, as nothing is written in vectors.
        let head = bytes.windows(4).position(|end| end == b"\r\n\r\n").map_or(0, |at| at + 4);
        let half = head + (bytes.len() - head) / 2;
        let written = Pin::new(&mut self.stream).poll_write(context, &bytes[..half]);
        if written.is_ready() {
            self.line.cut(Cut::Done);
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
