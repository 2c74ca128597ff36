//! What a relay refuses to start with, where it puts its data, and where its secrets come from.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use serde_json::json;

use crate::support::http::Api;
use crate::support::relay::{ROOM, Relay, command, started};

/// Runs a relay that is not expected to start; what it says.
fn refused(command: &mut Command) -> String {
    let output = crate::support::relay::bounded(command);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && output.stdout.is_empty(), "{told}");
    told
}

fn relay(home: &Path, arguments: &[&str]) -> Command {
    let mut command = command(home);
    command.args(["--port", "0"]).args(arguments);
    command
}

#[test]
fn w10_it_listens_on_loopback_and_beyond_it_only_with_tls_or_on_ones_word() {
    let relay_on_loopback = Relay::start();
    assert!(relay_on_loopback.address.ip().is_loopback());
    for address in ["0.0.0.0", "::", "192.0.2.1"] {
        let home = tempfile::tempdir().unwrap();
        let told = refused(&mut relay(home.path(), &["--listen", address]));
        assert!(told.contains("without TLS") && told.contains("hint: bch relay --listen"), "{told}");
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), 0, "nothing was made");
    }
    // Without a token nobody registers either: the relay makes one, for its operator to read.
    for word in ["--insecure", "--behind-proxy"] {
        let home = tempfile::tempdir().unwrap();
        let mut running = Running::of(&mut relay(home.path(), &["--listen", "0.0.0.0", word]));
        let api = running.api(None);
        api.post("/v1/register", &json!({ "name": "eve" })).error(401);
        running.end();
    }
}

/// A relay that a test starts by its own command.
struct Running {
    child: std::process::Child,
    port: u16,
}

impl Running {
    fn of(command: &mut Command) -> Self {
        let (child, address) = started(command, String::new);
        Self { child, port: address.port() }
    }

    fn api(&self, token: Option<&str>) -> Api {
        Api::of(([127, 0, 0, 1], self.port).into(), token)
    }

    fn end(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end();
    }
}

#[test]
fn without_a_token_it_makes_one_and_says_where() {
    let home = tempfile::tempdir().unwrap();
    let log = fs::File::create(home.path().join("log")).unwrap();
    let mut running = Running::of(relay(home.path(), &[]).stderr(log));
    let data = home.path().join(".local/share/backchannel/relay");
    let path = data.join("room-token");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let token = fs::read_to_string(&path).unwrap();
    let told = fs::read_to_string(home.path().join("log")).unwrap();
    assert!(told.contains(path.to_str().unwrap()) && !told.contains(token.trim()), "{told}");
    running.api(Some(token.trim())).post("/v1/register", &json!({ "name": "alice" })).ok();
    running.api(None).post("/v1/register", &json!({ "name": "eve" })).error(401);
    running.end();
    // The same again at the next start; a token that is given counts in its place.
    let mut running = Running::of(&mut relay(home.path(), &[]));
    running.api(Some(token.trim())).post("/v1/register", &json!({ "name": "bob" })).ok();
    running.end();
    let running = Running::of(relay(home.path(), &[]).env("BACKCHANNEL_TOKEN", "another"));
    running.api(Some(token.trim())).post("/v1/register", &json!({ "name": "carol" })).error(401);
    running.api(Some("another")).post("/v1/register", &json!({ "name": "carol" })).ok();
    assert!(!home.path().join(".backchannel").exists(), "a person's own mail is somewhere else");
}

#[test]
fn its_data_is_where_it_was_told() {
    let home = tempfile::tempdir().unwrap();
    for (arguments, variables, place) in [
        (&["--data", "here"][..], &[("BACKCHANNEL_HOME", "there")][..], "here"),
        (&[], &[("BACKCHANNEL_HOME", "there")], "there"),
        (&[], &[("XDG_DATA_HOME", "/nonexistent/../nonexistent"), ("BACKCHANNEL_HOME", "third")], "third"),
    ] {
        let mut command = relay(home.path(), arguments);
        command.envs(variables.iter().copied());
        let mut running = Running::of(&mut command);
        assert!(home.path().join(place).join("room-token").exists(), "{place}");
        running.end();
    }
    let mut command = relay(home.path(), &[]);
    let told = refused(command.env_remove("HOME"));
    assert!(told.contains("there is no data directory") && told.contains("hint: bch relay --data"), "{told}");
    // One relay at a time.
    let _running = Running::of(&mut relay(home.path(), &["--data", "here"]));
    let told = refused(&mut relay(home.path(), &["--data", "here"]));
    assert!(told.contains("another relay runs on"), "{told}");
}

#[test]
fn secrets_come_from_files_that_are_nobody_elses() {
    let home = tempfile::tempdir().unwrap();
    let token = home.path().join("token");
    fs::write(&token, "from-a-file\n").unwrap();
    fs::set_permissions(&token, fs::Permissions::from_mode(0o644)).unwrap();
    let told = refused(&mut relay(home.path(), &["--token-file", "token"]));
    assert!(told.contains("others may read") && told.contains("hint: chmod 600"), "{told}");
    fs::set_permissions(&token, fs::Permissions::from_mode(0o600)).unwrap();
    let running = Running::of(&mut relay(home.path(), &["--token-file", "token"]));
    running.api(Some("from-a-file")).post("/v1/register", &json!({ "name": "alice" })).ok();
    let told = refused(&mut relay(home.path(), &["--data", "x", "--token-file", "nowhere"]));
    assert!(told.contains("nowhere"), "{told}");
    // A secret is no flag, and one is not the other.
    let told = refused(&mut relay(home.path(), &["--token", "secret"]));
    assert!(told.contains("--token-file"), "{told}");
    let mut same = relay(home.path(), &["--data", "x"]);
    let told = refused(same.env("BACKCHANNEL_TOKEN", "one").env("BACKCHANNEL_ADMIN_TOKEN", "one"));
    assert!(told.contains("the admin token is the room's token") && !told.contains("one\n"), "{told}");
}

#[test]
fn settings_are_checked_before_anything_is_served() {
    let home = tempfile::tempdir().unwrap();
    let data = home.path().join("data");
    fs::create_dir(&data).unwrap();
    for (settings, told) in [
        ("prot = 1\n", "line 1"),
        ("[limits]\nbody-bytes = 1000000\n", "262144"),
        ("tls-cert = \"a\"\n", "go together"),
        ("port = 7117\nport = 7118\n", "line 2"),
    ] {
        fs::write(data.join("relay.toml"), settings).unwrap();
        let said = refused(&mut relay(home.path(), &["--data", "data"]));
        assert!(said.contains(told) && said.starts_with("error: "), "{settings}: {said}");
    }
    // A path in the file is beside the file.
    fs::write(data.join("relay.toml"), "token-file = \"secret\"\n").unwrap();
    fs::write(data.join("secret"), ROOM).unwrap();
    fs::set_permissions(data.join("secret"), fs::Permissions::from_mode(0o600)).unwrap();
    let mut running = Running::of(&mut relay(home.path(), &["--data", "data"]));
    running.api(Some(ROOM)).post("/v1/register", &json!({ "name": "alice" })).ok();
    // A port that is taken.
    let taken = running.port.to_string();
    let mut command = command(home.path());
    let told = refused(command.args(["--data", "other", "--port", &taken]));
    assert!(told.contains("could not listen on") && told.contains("hint: bch relay --port 0"), "{told}");
    running.end();
}
