//! A reply on its way: what it means that it was written to its end, and that it was not.

use std::convert::Infallible;
use std::sync::Arc;

use axum::body::{Body, BodyDataStream, Bytes, HttpBody};
use axum::http::Response;
use futures_util::stream::{self, StreamExt as _};
use rmcp::model::RequestId;
use tokio::sync::oneshot;

use super::open::Open;
use crate::relay::link::Link;

/// A request that runs, and the reply to it. Dropped before the reply's end, what it was given is given back.
pub(super) struct Pending {
    open: Arc<Open>,
    call: RequestId,
    link: Arc<Link>,
    is_written: bool,
}

impl Pending {
    pub(super) fn new(open: Arc<Open>, call: RequestId, link: Arc<Link>) -> Self {
        Self { open, call, link, is_written: false }
    }

    fn is_written(&mut self) {
        self.is_written = true;
        self.open.replied(&self.call, &self.link);
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        self.open.ends(&self.call);
        if self.is_written {
            return;
        }
        let (open, call) = (Arc::clone(&self.open), self.call.clone());
        // It broke off; where the runtime is gone, the relay's end has its own order.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move { open.session.withdraw(&call).await });
        }
    }
}

fn pieces<B>(body: B) -> BodyDataStream
where
    B: HttpBody<Data = Bytes, Error = Infallible> + Send + 'static,
{
    Body::new(body).into_data_stream()
}

/// The reply to a request.
pub(super) fn reply<B>(response: Response<B>, pending: Pending) -> Response<Body>
where
    B: HttpBody<Data = Bytes, Error = Infallible> + Send + 'static,
{
    response.map(|body| {
        Body::from_stream(stream::unfold((pieces(body), pending), async |(mut pieces, mut pending)| {
            match pieces.next().await {
                Some(piece) => Some((piece, (pieces, pending))),
                None => {
                    pending.is_written();
                    None
                }
            }
        }))
    })
}

/// A stream of news, which has its place until it ends, or is told to.
pub(super) fn news<B>(
    response: Response<B>,
    place: impl Send + 'static,
    ended: oneshot::Receiver<()>,
) -> Response<Body>
where
    B: HttpBody<Data = Bytes, Error = Infallible> + Send + 'static,
{
    response.map(|body| {
        Body::from_stream(stream::unfold(
            (pieces(body), place, ended),
            async |(mut pieces, place, mut ended)| {
                let piece = tokio::select! {
                    piece = pieces.next() => piece?,
                    _ = &mut ended => return None,
                };
                Some((piece, (pieces, place, ended)))
            },
        ))
    })
}
