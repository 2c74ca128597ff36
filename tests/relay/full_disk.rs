//! A disk that is full: everybody is told so, nothing is half done, and space is all that it takes to go on.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::support::http::{Api, PATIENCE};
use crate::support::relay::{ADMIN, ROOM, lease, started};
use crate::support::{home::BCH, is_left_out, mount};

/// Runs a relay on a disk of two mebibytes; the test reaches the disk through the process's own root.
const RELAY: &str = r#"mount -t tmpfs -o size=2m,mode=0700 none "$0" || exit 99
exec env -i HOME="$0" BACKCHANNEL_TOKEN="$2" BACKCHANNEL_ADMIN_TOKEN="$3" "$1" relay --data "$0/data" --port 0"#;

/// Whether anybody may mount here at all.
fn can_mount(directory: &Path) -> Result<(), String> {
    mount::run(mount::script(r#"mount -t tmpfs -o size=1m none "$0" || exit 99"#, directory)).map(drop)
}

#[test]
fn a_full_disk_is_told_and_left_behind() {
    let directory = tempfile::tempdir().unwrap();
    if is_left_out(
        can_mount(directory.path()).map_err(|reason| format!("{reason}, so no relay's disk was full")),
    ) {
        return;
    }
    let mut command: Command = mount::script(RELAY, directory.path());
    command.args([BCH, ROOM, ADMIN]).stderr(Stdio::null());
    let (mut child, address) = started(&mut command, String::new);
    let disk = format!("/proc/{}/root{}", child.id(), directory.path().display());
    let disk = Path::new(&disk);
    let api = |token: &str| Api::of(address, Some(token));
    let register = |name: &str| {
        api(ROOM).post("/v1/register", &json!({ "name": name })).ok()["token"].as_str().unwrap().to_owned()
    };
    let (alice, bob) = (api(&register("alice")), api(&register("bob")));
    let body = "x".repeat(100 * 1024);
    let send = |body: &str| alice.post("/v1/send", &json!({ "to": "@bob", "body": body }));
    let mut promised = Vec::new();
    let refused = loop {
        let answer = send(&body);
        if answer.status != 200 {
            break answer;
        }
        promised.push(answer.json()["id"].clone());
        assert!(promised.len() < 40, "the disk does not fill");
    };
    assert!(refused.error(507).contains("full"), "it is the disk's word");
    // The last bytes go, too, and everything else still is answered: reading needs no space.
    fs::write(disk.join("filler"), vec![0; 4 << 20]).unwrap_err();
    send("even a short one").error(507);
    api(ROOM).post("/v1/register", &json!({ "name": "carol" })).error(507);
    bob.post("/v1/subscribe", &json!({ "channel": "#proj" })).error(507);
    let unread = |api: &Api| {
        let inbox = api.get("/v1/inbox/bob").ok();
        inbox.as_array().unwrap().iter().map(|message| message["id"].clone()).collect::<Vec<Value>>()
    };
    assert_eq!(unread(&bob), promised, "all that was promised, and nothing half");
    assert_eq!(bob.post("/v1/claim", &json!({ "lease": lease(1), "max_bytes": 1 })).status, 200);
    // With space it goes on, without a restart.
    fs::remove_file(disk.join("filler")).unwrap();
    bob.post("/v1/claim/release", &json!({ "lease": lease(1) })).ok();
    // Everything comes, a page in each answer.
    let mut claimed = Vec::new();
    for page in 2.. {
        let told = bob.post("/v1/claim", &json!({ "lease": lease(page) })).ok();
        claimed.extend(told["messages"].as_array().unwrap().iter().map(|message| message["id"].clone()));
        assert_eq!(told["left"]["matching"], promised.len() - claimed.len());
        bob.post("/v1/claim/ack", &json!({ "lease": lease(page) })).ok();
        if claimed.len() >= promised.len() {
            break;
        }
    }
    assert_eq!(claimed, promised);
    send(&body).ok();
    api(ROOM).post("/v1/register", &json!({ "name": "carol" })).ok();
    assert_eq!(alice.get("/v1/agents").ok().as_array().unwrap().len(), 3);
    assert_eq!(unread(&bob).len(), 1);
    child.kill().unwrap();
    let begun = std::time::Instant::now();
    while child.try_wait().unwrap().is_none() {
        assert!(begun.elapsed() < PATIENCE);
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}
