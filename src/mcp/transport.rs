//! A transport that tells its session what was heard: which reply was written, and that a call came after it.

use std::sync::Arc;

use rmcp::RoleServer;
use rmcp::model::{ClientNotification, ClientRequest, JsonRpcMessage};
use rmcp::service::{RxJsonRpcMessage, TxJsonRpcMessage};
use rmcp::transport::Transport;

use super::session::Session;

/// A transport, and the session that it serves.
pub struct Heard<T> {
    transport: T,
    session: Arc<Session>,
    /// Whether the client has read all that was written.
    is_read: fn() -> bool,
}

impl<T> Heard<T> {
    /// Wraps a transport.
    #[must_use]
    pub fn new(transport: T, session: Arc<Session>, is_read: fn() -> bool) -> Self {
        Self { transport, session, is_read }
    }
}

impl<T: Transport<RoleServer>> Transport<RoleServer> for Heard<T> {
    type Error = T::Error;

    fn send(
        &mut self,
        message: TxJsonRpcMessage<RoleServer>,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send + 'static {
        let call = match &message {
            JsonRpcMessage::Response(response) => Some(response.id.clone()),
            _ => None,
        };
        let (sending, session) = (self.transport.send(message), Arc::clone(&self.session));
        session.writes(true);
        async move {
            let sent = sending.await;
            match (&call, &sent) {
                (Some(call), Ok(())) => session.answered(call),
                (Some(call), Err(_)) => session.withdraw(call).await,
                (None, _) => {}
            }
            session.writes(false);
            sent
        }
    }

    async fn receive(&mut self) -> Option<RxJsonRpcMessage<RoleServer>> {
        let message = self.transport.receive().await?;
        // Here, in the order in which they came, and not where each is worked on.
        match &message {
            JsonRpcMessage::Request(request) => {
                self.session.wants(&request.id);
                // A ping or a list is sent by the client alone, whatever its model has seen; a call that was written
                // while a reply lay unread was sent before it.
                if matches!(request.request, ClientRequest::CallToolRequest(_)) && (self.is_read)() {
                    self.session.called();
                }
            }
            JsonRpcMessage::Notification(notification) => {
                if let ClientNotification::CancelledNotification(cancelled) = &notification.notification
                    && let Some(call) = &cancelled.params.request_id
                {
                    self.session.cancelled(call);
                }
            }
            _ => {}
        }
        Some(message)
    }

    async fn close(&mut self) -> Result<(), Self::Error> {
        self.transport.close().await
    }
}
