//! `bch room`, as an operator types it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Output;

use serde_json::Value;

use crate::support::home::{BCH, Home, succeed};
use crate::support::relay::{ADMIN, Relay};

struct Desk {
    relay: Relay,
    home: Home,
}

impl Desk {
    fn room(&self, arguments: &[&str]) -> Output {
        let url = format!("http://{}", self.relay.address);
        let mut command = self.home.command(BCH);
        command.args(["room", "--url", &url]).args(arguments).env("BACKCHANNEL_ADMIN_TOKEN", ADMIN);
        command.output().unwrap()
    }

    fn json(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&succeed(&self.room(&[arguments, &["--json"]].concat()))).unwrap()
    }
}

#[test]
fn an_operator_has_rooms_by_one_command_each() {
    let desk = Desk { relay: Relay::start(), home: Home::with(&[]) };
    let room = desk.json(&["new", "the project"]);
    let (id, token) = (room["roomId"].as_str().unwrap(), room["roomToken"].as_str().unwrap());
    let alice = desk.relay.peer_of(token, "alice");
    desk.relay.peer_of(token, "bob");
    let text = succeed(&desk.room(&["new"]));
    assert!(text.starts_with("room:  ") && text.contains("\ntoken: "), "{text}");

    let rooms = desk.json(&["list"]);
    assert_eq!(rooms.as_array().unwrap().len(), 3);
    let listed = succeed(&desk.room(&["list"]));
    assert!(
        listed.contains(&format!("{id}  2 agents  0 waiting")) && listed.contains("the project"),
        "{listed}"
    );
    assert!(!listed.contains(token));

    let rotated = desk.json(&["rotate", id]);
    desk.relay.peer_of(rotated["roomToken"].as_str().unwrap(), "carol");
    let revoked = desk.json(&["revoke", id, "--agent", "@carol"]);
    desk.relay.peer_of(revoked["roomToken"].as_str().unwrap(), "dave");
    let kept = succeed(&desk.room(&["revoke", id, "--agent", "dave", "--keep-token"]));
    assert!(kept.contains("@dave is revoked") && kept.contains("the old one"), "{kept}");

    let asked = desk.room(&["revoke", id]);
    let told = String::from_utf8_lossy(&asked.stderr).into_owned();
    assert!(!asked.status.success() && told.contains(&format!("hint: bch room revoke {id} --yes")), "{told}");
    alice.api.get("/v1/inbox/alice").ok();
    succeed(&desk.room(&["revoke", id, "--yes"]));
    alice.api.get("/v1/inbox/alice").error(401);
}

#[test]
fn a_mistake_is_told_with_what_mends_it() {
    let desk = Desk { relay: Relay::start(), home: Home::with(&[]) };
    let url = format!("http://{}", desk.relay.address);
    let refused = |arguments: &[&str], variables: &[(&str, &str)]| {
        let mut command = desk.home.command(BCH);
        let output = command.arg("room").args(arguments).envs(variables.iter().copied()).output().unwrap();
        assert!(!output.status.success());
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(told.starts_with("error: ") && told.contains("\nhint: ") && !told.contains(ADMIN), "{told}");
        told
    };
    let admin = ("BACKCHANNEL_ADMIN_TOKEN", ADMIN);
    assert!(refused(&["list"], &[admin]).contains("which relay"));
    assert!(refused(&["list", "--url", &url], &[]).contains("admin token is needed"));
    let wrong = refused(&["list", "--url", &url], &[("BACKCHANNEL_ADMIN_TOKEN", "a-wrong-one")]);
    assert!(wrong.contains("does not know this token: nobody has this token"), "{wrong}");
    assert!(refused(&["list", "--url", "http://relay.example.com"], &[admin]).contains("not https"));
    assert!(refused(&["rotate", "../x", "--url", &url], &[admin]).contains("no room's id"));
    assert!(refused(&["rotate", "nowhere", "--url", &url], &[admin]).contains("there is no room nowhere"));
    // Nobody listens on a port that was just free.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    assert!(
        refused(&["list", "--url", &format!("http://{free}")], &[admin])
            .contains("could not reach the relay")
    );
    // A URL from the environment gets no token from a file.
    let file = desk.home.work().join("admin");
    fs::write(&file, ADMIN).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    assert!(
        refused(&["list", "--token-file", "admin"], &[("BACKCHANNEL_URL", &url)])
            .contains("from the environment")
    );
    let listed = desk
        .home
        .command(BCH)
        .args(["room", "list", "--url", &url, "--token-file", "admin"])
        .output()
        .unwrap();
    assert!(succeed(&listed).starts_with("default  0 agents"));
    let listed = desk
        .home
        .command(BCH)
        .args(["room", "list"])
        .env(admin.0, admin.1)
        .env("BACKCHANNEL_URL", &url)
        .output();
    succeed(&listed.unwrap());
}
