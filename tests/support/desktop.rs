//! A desktop of a test's own: a D-Bus session, a screen (Xvfb), and dunst, which shows notifications. Each is started
//! by the test with its own files, and ended by its process.
//!
//! What was sent is read by a monitor on the bus; what dunst made of it, from its history; how it looks, from a picture.

use std::collections::HashMap;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use zbus::export::futures_core::Stream as _;
use zbus::{Connection, MessageStream, OwnedVariant, connection};

const NAME: &str = "org.freedesktop.Notifications";
const PATH: &str = "/org/freedesktop/Notifications";
/// How long anything may take.
const LIMIT: Duration = Duration::from_secs(20);

/// Why there can be no desktop here, if so.
pub fn check() -> Result<(), String> {
    for program in ["dbus-daemon", "Xvfb", "dunst", "import"] {
        let found = std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())
            .any(|directory| directory.join(program).exists());
        if !found {
            return Err(format!("{program} is not installed: nobody saw a notification"));
        }
    }
    Ok(())
}

/// A program that ends with the value.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A D-Bus session, with nobody in it who shows notifications.
pub struct Session {
    directory: tempfile::TempDir,
    daemon: Running,
    pub address: String,
}

/// A call of `Notify`, as it crossed the bus.
#[derive(Debug, Clone)]
pub struct Sent {
    pub app: String,
    pub icon: String,
    pub title: String,
    pub body: String,
    pub actions: Vec<String>,
    pub hints: Vec<String>,
}

/// Everything that is sent from now on.
pub struct Monitor(Receiver<Sent>);

/// A screen with dunst on it.
pub struct Desktop {
    dunst: Running,
    _screen: Running,
    display: String,
    connection: Connection,
}

impl Session {
    pub fn start() -> Self {
        Self::at(None)
    }

    /// A session at this socket.
    pub fn at(socket: Option<&Path>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let config = directory.path().join("bus.conf");
        let socket = socket.map_or_else(|| directory.path().join("bus"), Path::to_owned);
        let text = format!(
            r#"<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
            "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
            <busconfig><type>session</type><listen>unix:path={}</listen><auth>EXTERNAL</auth>
            <policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/>
            <allow own="*"/></policy></busconfig>"#,
            socket.display()
        );
        fs::write(&config, text).unwrap();
        let mut command = Command::new("dbus-daemon");
        command.arg("--config-file").arg(&config).args(["--nofork", "--nopidfile", "--print-address=1"]);
        let (daemon, mut out) = start(&mut command);
        let address = line(&mut out);
        Self { directory, daemon, address }
    }

    /// The process of the bus.
    pub fn process(&self) -> u32 {
        self.daemon.0.id()
    }

    pub fn connect(&self) -> Connection {
        let address = self.address.as_str();
        zbus::block_on(connection::Builder::address(address).method_timeout(LIMIT).build()).unwrap()
    }

    pub fn monitor(&self) -> Monitor {
        let connection = self.connect();
        let rules = [format!("type='method_call',interface='{NAME}',member='Notify'")];
        let become_monitor = async {
            let stream = MessageStream::from(&connection);
            connection
                .call_method(
                    Some("org.freedesktop.DBus"),
                    "/org/freedesktop/DBus",
                    Some("org.freedesktop.DBus.Monitoring"),
                    "BecomeMonitor",
                    &(&rules[..], 0_u32),
                )
                .await
                .unwrap();
            stream
        };
        let mut stream = Box::pin(zbus::block_on(become_monitor));
        let (tell, told) = mpsc::channel();
        thread::spawn(move || {
            let next = |stream: &mut std::pin::Pin<Box<MessageStream>>| {
                zbus::block_on(std::future::poll_fn(|context| stream.as_mut().poll_next(context)))
            };
            while let Some(Ok(message)) = next(&mut stream) {
                if let Some(sent) = Sent::read(&message)
                    && tell.send(sent).is_err()
                {
                    return;
                }
            }
        });
        Monitor(told)
    }

    /// Starts a screen, and dunst with these lines in its settings.
    pub fn desktop(&self, settings: &str) -> Desktop {
        let home = self.directory.path().join("home");
        fs::create_dir_all(&home).unwrap();
        let config = self.directory.path().join("dunstrc");
        let lines = "[global]\nfont = Sans 11\nwidth = (300, 560)\nheight = 300\norigin = top-left\n\
                     offset = 20x20\nnotification_limit = 20\nsort = no\nidle_threshold = 0\nsticky_history = yes\n\
                     history_length = 100\nicon_position = off\n";
        fs::write(&config, format!("{lines}{settings}\n[urgency_normal]\ntimeout = 0\n")).unwrap();
        let mut screen = Command::new("Xvfb");
        screen.args(["-displayfd", "1", "-screen", "0", "640x720x24", "-nolisten", "tcp"]);
        let (screen, mut out) = start(&mut screen);
        let display = format!(":{}", line(&mut out));
        let mut dunst = Command::new("dunst");
        dunst.arg("-config").arg(&config).env_clear().env("HOME", &home).env("XDG_CONFIG_HOME", &home);
        dunst.env("DISPLAY", &display).env("DBUS_SESSION_BUS_ADDRESS", &self.address);
        dunst.env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("LANG", "C.UTF-8");
        let (dunst, _) = start(&mut dunst);
        let desktop = Desktop { dunst, _screen: screen, display, connection: self.connect() };
        wait_until("dunst takes notifications", || {
            let bus = "org.freedesktop.DBus";
            let call = desktop.connection.call_method(
                Some(bus),
                "/org/freedesktop/DBus",
                Some(bus),
                "NameHasOwner",
                &NAME,
            );
            zbus::block_on(call).unwrap().body().deserialize().unwrap()
        });
        desktop
    }
}

impl Sent {
    fn read(message: &zbus::Message) -> Option<Self> {
        if message.header().member()?.as_str() != "Notify" {
            return None;
        }
        type Call = (String, u32, String, String, String, Vec<String>, HashMap<String, OwnedVariant>, i32);
        let (app, _, icon, title, body, actions, hints, _): Call = message.body().deserialize().ok()?;
        let mut hints: Vec<_> = hints.into_keys().collect();
        hints.sort();
        Some(Self { app, icon, title, body, actions, hints })
    }
}

impl Monitor {
    /// The next notification.
    #[track_caller]
    pub fn next(&self) -> Sent {
        self.0.recv_timeout(LIMIT).expect("no notification came")
    }

    /// The next ones.
    #[track_caller]
    pub fn take(&self, count: usize) -> Vec<Sent> {
        (0..count).map(|_| self.next()).collect()
    }

    /// What came and was not taken.
    pub fn rest(&self) -> Vec<Sent> {
        self.0.try_iter().collect()
    }
}

impl Desktop {
    /// The process of dunst.
    pub fn process(&self) -> u32 {
        self.dunst.0.id()
    }

    fn call(&self, interface: &str, method: &str) -> zbus::Message {
        let call = self.connection.call_method(Some(NAME), PATH, Some(interface), method, &());
        zbus::block_on(call).unwrap()
    }

    /// What dunst shows or showed, oldest first: title, body, and the whole as it is set, in Pango's markup. All of it
    /// leaves the screen.
    pub fn history(&self) -> Vec<[String; 3]> {
        self.call("org.dunstproject.cmd0", "NotificationCloseAll");
        let answer = self.call("org.dunstproject.cmd0", "NotificationListHistory");
        let list: Vec<HashMap<String, OwnedVariant>> = answer.body().deserialize().unwrap();
        let text = |entry: &HashMap<String, OwnedVariant>, key: &str| -> String {
            entry[key].try_clone().unwrap().try_into().unwrap()
        };
        list.iter().rev().map(|entry| ["summary", "body", "message"].map(|key| text(entry, key))).collect()
    }

    /// Takes a picture of the screen into the directory that `BCH_PICTURES` names, if it names one.
    pub fn picture(&self, name: &str) {
        let Some(directory) = std::env::var_os("BCH_PICTURES") else { return };
        // What was taken is drawn a little later, and dunst tells nobody when.
        thread::sleep(Duration::from_millis(500));
        let file = PathBuf::from(directory).join(format!("{name}.png"));
        let mut import = Command::new("import");
        import.args(["-display", &self.display, "-window", "root"]).arg(file);
        assert!(import.status().unwrap().success());
    }
}

fn start(command: &mut Command) -> (Running, BufReader<ChildStdout>) {
    let mut child =
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let out = BufReader::new(child.stdout.take().unwrap());
    (Running(child), out)
}

fn line(out: &mut BufReader<ChildStdout>) -> String {
    let mut line = String::new();
    out.read_line(&mut line).unwrap();
    assert!(!line.trim().is_empty(), "it ended before it was ready");
    line.trim().to_owned()
}

/// Looks until it is so.
#[track_caller]
pub fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < LIMIT, "not within {LIMIT:?}: {what}");
        thread::sleep(Duration::from_millis(20));
    }
}
