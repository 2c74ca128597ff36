//! The resource that says how many messages wait, and its news.

use serde_json::json;

use super::{Client, home};

const INBOX: &str = "backchannel://inbox";

fn count(client: &mut Client) -> String {
    let read = client.ask("resources/read", &json!({ "uri": INBOX }));
    read["result"]["contents"][0]["text"].as_str().unwrap_or_else(|| panic!("{read}")).to_owned()
}

#[test]
fn it_says_how_many_wait_and_never_what() {
    let home = home();
    let mut client = Client::start(&home);
    assert_eq!(client.hello["capabilities"]["resources"]["subscribe"], true);
    let list = client.ask("resources/list", &json!({}))["result"]["resources"].take();
    assert_eq!(list.as_array().unwrap().len(), 1);
    assert_eq!(list[0]["uri"], INBOX);
    assert_eq!(count(&mut client), "1 unread here, 0 elsewhere");
    assert_eq!(home.unread("bob").len(), 1, "a look claims nothing");
    assert!(client.ask("resources/read", &json!({"uri": "file:///etc/passwd"}))["error"].is_object());
    client.close();
}

#[test]
fn a_subscriber_is_told_as_mail_lands_and_as_it_is_read() {
    let home = home();
    let mut client = Client::start(&home);
    client.ask("resources/subscribe", &json!({ "uri": INBOX }));
    home.send("alice", "@bob", "second", &[]);
    let told = client.aside();
    assert_eq!(told["method"], "notifications/resources/updated");
    assert_eq!(told["params"]["uri"], INBOX);
    assert!(!told.to_string().contains("second"));
    assert_eq!(count(&mut client), "2 unread here, 0 elsewhere");
    client.call("bch_inbox", &json!({})).unwrap();
    assert_eq!(client.aside()["method"], "notifications/resources/updated");
    assert_eq!(count(&mut client), "0 unread here, 0 elsewhere");
    client.ask("resources/unsubscribe", &json!({ "uri": INBOX }));
    home.send("alice", "@bob", "third", &[]);
    client.call("bch_whoami", &json!({})).unwrap();
    assert!(client.asides.is_empty(), "{:?}", client.asides);
    client.close();
}

#[test]
fn a_client_of_today_listens() {
    let home = home();
    let mut client = Client::spawn(&home);
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
        "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "0"}
    });
    let discovered = client.ask("server/discover", &json!({ "_meta": meta }));
    let versions = discovered["result"]["supportedVersions"].to_string();
    assert!(versions.contains("2026-07-28") && versions.contains("2025-06-18"), "{discovered}");
    let listening = client.request(
        "subscriptions/listen",
        &json!({"notifications": {"resourceSubscriptions": [INBOX]}, "_meta": meta}),
    );
    let acknowledged = client.aside();
    assert_eq!(acknowledged["method"], "notifications/subscriptions/acknowledged", "{acknowledged}");
    home.send("alice", "@bob", "second", &[]);
    let told = client.aside();
    assert_eq!(told["method"], "notifications/resources/updated", "{told}");
    client.notify("notifications/cancelled", &json!({ "requestId": listening }));
    let called = client.ask("tools/call", &json!({"name": "bch_whoami", "arguments": {}, "_meta": meta}));
    assert_eq!(super::told(&called).unwrap(), "@bob");
    client.close();
}
