//! Notifications of macOS, by its notification centre. It takes plain text.

use mac_notification_sys::Notification;

use super::announcement::Announcement;
use super::desktop::{Desktop, Error, Server};

/// The notification centre.
pub(super) struct Centre;

impl Desktop for Centre {
    fn greet(&mut self) -> Result<Server, Error> {
        Ok(Server { name: "macOS".to_owned(), version: String::new(), markup: false })
    }

    fn show(&mut self, announcement: &Announcement) -> Result<(), Error> {
        let mut notification = Notification::default();
        notification.title(&announcement.title).message(&announcement.body).asynchronous(true);
        notification.send().map(drop).map_err(|error| Error::Refused(error.to_string()))
    }

    fn leave(&mut self) {}
}
