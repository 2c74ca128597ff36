//! Notifications as freedesktop.org specifies them, version 1.2, over the session's D-Bus
//! (specifications.freedesktop.org/notification-spec, checked 2026-11-25).
//!
//! A server that announces `body-markup` reads `<b>`, `<a>` and `<img>` in a body, so `&`, `<` and `>` are escaped
//! for it, and for it alone. There are no actions and no hints that a text could steer. Only sockets are spoken to: an
//! address that starts a program (`unixexec:`, `autolaunch:`) is none for us.

use std::collections::HashMap;
use std::fmt::Display;
use std::future::Future;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use zbus::Variant;
use zbus::{Connection, connection, fdo};

use super::announcement::Announcement;
use super::desktop::{Desktop, Error, Server};
use crate::env::Env;

const NAME: &str = "org.freedesktop.Notifications";
/// The name under which a desktop lists what we show.
const OURS: &str = "backchannel";
const PATH: &str = "/org/freedesktop/Notifications";
/// How long an answer may take; D-Bus may have to start the server first.
const PATIENCE: Duration = Duration::from_secs(10);
/// Normal: a sender must not be able to fill the screen with what stays until it is dismissed.
const URGENCY: u8 = 1;

/// The session's bus.
pub(super) struct Session {
    address: String,
    open: Option<(Connection, bool)>,
    /// A call that was given up, and still waits.
    stuck: Option<JoinHandle<()>>,
}

impl Session {
    /// The bus that the environment names; else the one that a user's session has by convention, which a cron job
    /// is not told of.
    pub(super) fn new(env: &Env) -> Self {
        let named = env.text("DBUS_SESSION_BUS_ADDRESS");
        let address = named.unwrap_or_else(|| {
            let user = rustix::process::geteuid().as_raw();
            let directory = env.text("XDG_RUNTIME_DIR").unwrap_or_else(|| format!("/run/user/{user}"));
            format!("unix:path={directory}/bus")
        });
        Self { address, open: None, stuck: None }
    }

    fn unreachable(&self, reason: impl Display) -> Error {
        Error::NoSession { address: self.address.clone(), reason: reason.to_string() }
    }

    /// Runs calls on a thread of their own, and gives them up when they take too long: of what hangs before D-Bus's
    /// own time-outs begin there is one at most.
    fn within<T, F>(&mut self, calls: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Error>> + Send + 'static,
    {
        if self.stuck.as_ref().is_some_and(|thread| !thread.is_finished()) {
            return Err(Error::NoAnswer(PATIENCE.as_secs()));
        }
        let (tell, told) = mpsc::sync_channel(1);
        let run = move || {
            let _ = tell.send(zbus::block_on(calls));
        };
        let thread = thread::Builder::new().name("desktop".to_owned()).spawn(run);
        let thread = thread.map_err(|error| self.unreachable(error))?;
        told.recv_timeout(PATIENCE + Duration::from_secs(1)).unwrap_or_else(|_| {
            self.stuck = Some(thread);
            Err(Error::NoAnswer(PATIENCE.as_secs()))
        })
    }
}

impl Desktop for Session {
    fn greet(&mut self) -> Result<Server, Error> {
        // An address may be a list.
        let mut addresses =
            self.address.split(';').filter(|one| one.starts_with("unix:") || one.starts_with("tcp:"));
        let address =
            addresses.next().ok_or_else(|| self.unreachable("it is no address of a socket"))?.to_owned();
        let whole = self.address.clone();
        let (connection, server) = self.within(async move {
            let builder = connection::Builder::address(address.as_str()).method_timeout(PATIENCE);
            let connection = builder.build().await;
            let connection =
                connection.map_err(|error| Error::NoSession { address: whole, reason: error.to_string() })?;
            let server = ask(&connection).await.map_err(refusal)?;
            Ok((connection, server))
        })?;
        self.open = Some((connection, server.markup));
        Ok(server)
    }

    fn show(&mut self, announcement: &Announcement) -> Result<(), Error> {
        let Some((connection, markup)) = self.open.clone() else {
            return Err(Error::NoServer("nobody was greeted".to_owned()));
        };
        let Announcement { title, body } = announcement.clone();
        let body = if markup { escaped(&body) } else { body };
        self.within(async move { send(&connection, &title, &body).await.map_err(refusal) })
    }

    fn leave(&mut self) {
        self.open = None;
    }
}

async fn ask(connection: &Connection) -> zbus::Result<Server> {
    let answer = connection.call_method(Some(NAME), PATH, Some(NAME), "GetServerInformation", &()).await?;
    let (name, _vendor, version, _specification): (String, String, String, String) =
        answer.body().deserialize()?;
    let answer = connection.call_method(Some(NAME), PATH, Some(NAME), "GetCapabilities", &()).await?;
    let capabilities: Vec<String> = answer.body().deserialize()?;
    Ok(Server { name, version, markup: capabilities.iter().any(|one| one == "body-markup") })
}

async fn send(connection: &Connection, title: &str, body: &str) -> zbus::Result<()> {
    let hints =
        HashMap::from([("urgency", Variant::U8(URGENCY)), ("category", Variant::from("im.received"))]);
    let (replaces, icon, actions, server_decides) = (0_u32, "", [""; 0], -1_i32);
    let call = (OURS, replaces, icon, title, body, &actions[..], hints, server_decides);
    connection.call_method(Some(NAME), PATH, Some(NAME), "Notify", &call).await?;
    Ok(())
}

fn refusal(error: zbus::Error) -> Error {
    match &error {
        zbus::Error::FDO(known) => match &**known {
            fdo::Error::ServiceUnknown(text)
            | fdo::Error::NameHasNoOwner(text)
            | fdo::Error::SpawnFailed(text) => Error::NoServer(text.clone()),
            fdo::Error::NoReply(_) | fdo::Error::Timeout(_) => Error::NoAnswer(PATIENCE.as_secs()),
            _ => Error::Refused(error.to_string()),
        },
        zbus::Error::InputOutput(system) if system.kind() == std::io::ErrorKind::TimedOut => {
            Error::NoAnswer(PATIENCE.as_secs())
        }
        _ => Error::Refused(error.to_string()),
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
