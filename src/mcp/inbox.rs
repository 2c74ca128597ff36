//! The resource `backchannel://inbox`: how many messages wait, never what is in them; and who is told when that
//! changes. Clients from before 2026-07-28 subscribe, those of today listen.

use std::sync::{Arc, Weak};
use std::time::Duration;

use rmcp::ErrorData;
use rmcp::model::{
    ListResourcesResult, ReadResourceResult, Resource, ResourceContents, ResourceUpdatedNotificationParam,
};
use rmcp::service::{Peer, RoleServer, SubscriptionContext};
use tokio::time::sleep;

use super::mailbox::{Answer, PAUSED, Place, Waiting};
use super::session::Session;

/// The resource's address.
pub const INBOX: &str = "backchannel://inbox";
/// The least time between two words to one client.
const PAUSE: Duration = Duration::from_millis(500);

pub(super) fn list() -> ListResourcesResult {
    let mut resource = Resource::new(INBOX, "inbox");
    resource.description = Some("How many messages are unread".to_owned());
    resource.mime_type = Some("text/plain".to_owned());
    ListResourcesResult::with_all_items(vec![resource])
}

/// The count as it is told.
pub(super) async fn count(session: &Session, place: Place) -> Answer<String> {
    let waiting = session.mailbox.look(place).await?;
    Ok(waiting.map_or_else(|| PAUSED.to_owned(), |waiting| waiting.to_string()))
}

pub(super) async fn read(session: &Session, place: Place) -> ReadResourceResult {
    // What hinders a look is what a reader has to know.
    let text = count(session, place).await.unwrap_or_else(|reason| reason);
    ReadResourceResult::new(vec![ResourceContents::text(text, INBOX)])
}

/// Tells a subscriber until it unsubscribes or is gone.
pub(super) async fn subscribe(session: &Arc<Session>, peer: Peer<RoleServer>) -> Result<(), ErrorData> {
    let mut changes = Changes::of(session).await?;
    let telling = tokio::spawn(async move {
        while changes.next().await
            && peer.notify_resource_updated(ResourceUpdatedNotificationParam::new(INBOX)).await.is_ok()
        {
            sleep(PAUSE).await;
        }
    });
    session.note_telling(Some(telling.abort_handle()));
    Ok(())
}

/// Tells a listener until it cancels.
pub(super) async fn listen(session: &Arc<Session>, context: &SubscriptionContext) -> Result<(), ErrorData> {
    let mut changes = Changes::of(session).await?;
    let told = async {
        while changes.next().await && context.sink().notify_resource_updated(INBOX).await.is_ok() {
            sleep(PAUSE).await;
        }
    };
    tokio::select! {
        () = context.cancelled() => {}
        () = told => {}
    }
    Ok(())
}

/// Where the client said that it is.
fn place(session: &Session) -> Place {
    Place { matching: None, roots: session.known_roots().unwrap_or_default() }
}

/// The number of waiting messages, as it changes.
struct Changes {
    /// The session ends when its client does, though we wait.
    session: Weak<Session>,
    bell: tokio::sync::watch::Receiver<u64>,
    /// `None` where it could not be told.
    last: Option<Option<Waiting>>,
}

impl Changes {
    async fn of(session: &Arc<Session>) -> Result<Self, ErrorData> {
        let bell = session.mailbox.bell().await.map_err(|error| ErrorData::internal_error(error, None))?;
        let last = session.mailbox.look(place(session)).await.ok();
        Ok(Self { session: Arc::downgrade(session), bell, last })
    }

    /// Waits for another number; whether there is one.
    async fn next(&mut self) -> bool {
        loop {
            let Some(session) = self.session.upgrade() else { return false };
            // Heard before the look: what is claimed after it rings again.
            let claimed = Arc::clone(&session.claimed);
            let claimed = claimed.notified();
            let waiting = session.mailbox.look(place(&session)).await.ok();
            drop(session);
            if waiting != self.last {
                self.last = waiting;
                return true;
            }
            tokio::select! {
                rung = self.bell.changed() => if rung.is_err() { return false },
                () = claimed => {}
            }
        }
    }
}
