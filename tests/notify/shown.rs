//! What a notification says, and what dunst makes of it.

use std::time::Instant;

use super::{Notifier, command};
use crate::support::desktop::{self, Session};
use crate::support::home::{Home, succeed};
use crate::support::is_left_out;

#[test]
fn urgent_mail_is_shown_as_it_lands_and_stays_unread() {
    if is_left_out(desktop::check()) {
        return;
    }
    let home = Home::with(&["bob", "alice", "ops-bot"]);
    succeed(&home.as_agent("bob", &["sub", "#ops"]));
    succeed(&home.as_agent("ops-bot", &["sub", "#ops"]));
    let session = Session::start();
    let (screen, monitor) = (session.desktop(""), session.monitor());
    let notifier = Notifier::start(&home, &session, &[]);
    home.send("alice", "@bob", "no hurry", &[]);
    let start = Instant::now();
    home.send(
        "alice",
        "@bob",
        "The build is red since my last push.\nDetails below.",
        &["--urgent", "--scope", "github.com/org/proj"],
    );
    let sent = monitor.next();
    println!("announced {:?} after the command that sent it was started", start.elapsed());
    assert_eq!((&*sent.app, &*sent.icon, &*sent.title), ("backchannel", "", "@alice → @bob"));
    assert_eq!(sent.body, "github.com/org/proj\nThe build is red since my last push.");
    assert_eq!(
        (sent.actions.len(), &sent.hints[..]),
        (0, &["category".to_owned(), "urgency".to_owned()][..])
    );
    // Mail by a channel lies in two mailboxes here, and is announced once.
    home.send("alice", "#ops", "Deploys are frozen", &["--urgent"]);
    assert_eq!(monitor.next().title, "@alice → #ops");
    screen.picture("normal");
    assert_eq!(notifier.end(), Some(0));
    let history = screen.history();
    let titles: Vec<_> = history.iter().map(|[title, ..]| title.as_str()).collect();
    assert_eq!(titles, ["@alice → @bob", "@alice → #ops"]);
    assert!(monitor.rest().is_empty());
    assert_eq!((home.unread("bob").len(), home.unread("ops-bot").len()), (3, 1), "watching claims nothing");
}

/// Bodies that try to be something else than text, with what their first line is to look like.
fn hostile() -> Vec<(String, String)> {
    let long = "x".repeat(64 * 1024);
    [
        ("<b>bold</b> <img src=http://127.0.0.1:9/pixel.png> <a href=\"http://e.vil\">click</a>", None),
        ("&lt;b&gt; &amp;amp; </b></span> & <", None),
        ("first line\nsecond line\r\nthird line", Some("first line")),
        ("$(touch PWNED) `touch PWNED`; touch PWNED", None),
        ("\u{1b}[31mred\u{1b}[0m \u{7}bell \u{9b}2J", Some(r"\u{1b}[31mred\u{1b}[0m \u{7}bell \u{9b}2J")),
        (
            "pay \u{202e}drawkcab\u{202c} zero\u{200b}width",
            Some(r"pay \u{202e}drawkcab\u{202c} zero\u{200b}width"),
        ),
        (&long, Some(&*format!("{}…", &long[..200]))),
        (
            "\u{fffd}\\xff\\xc3\\x28 \\u0000 \\n \u{0}nul",
            Some("\u{fffd}\\xff\\xc3\\x28 \\u0000 \\n \\u{0}nul"),
        ),
        ("%s %n %b %a %p %i %I %% 100%", None),
        ("\"quoted\" 'and' \\ back", None),
    ]
    .map(|(body, shown)| (body.to_owned(), shown.unwrap_or(body).to_owned()))
    .to_vec()
}

#[test]
fn hostile_text_stays_text() {
    if is_left_out(desktop::check()) {
        return;
    }
    let senders: Vec<_> = (0..hostile().len()).map(|number| format!("eve{number}")).collect();
    let mut agents = vec!["bob"];
    agents.extend(senders.iter().map(String::as_str));
    let home = Home::with(&agents);
    let session = Session::start();
    let (screen, monitor) =
        (session.desktop("markup = full\nformat = \"<b>%s</b>\\n%b\""), session.monitor());
    let notifier = Notifier::start(&home, &session, &[]);
    let escaped = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    for (sender, (body, shown)) in senders.iter().zip(hostile()) {
        let id = plant(&home, sender, &body, "urgent");
        let sent = monitor.next();
        assert_eq!(sent.title, format!("@{sender} → @bob"));
        assert_eq!(sent.body, escaped(&shown), "{id}");
    }
    screen.picture("hostile");
    assert_eq!(notifier.end(), Some(0));
    let history = screen.history();
    assert_eq!(history.len(), senders.len());
    for (([_, body, message], sender), (_, shown)) in history.iter().zip(&senders).zip(hostile()) {
        assert!(!body.contains('\u{1b}') && !body.contains('\n'), "{body:?}");
        println!("{message}");
        // Set in Pango's markup, of which the only element is the one that the settings put around the title.
        let rest =
            message.strip_prefix(&format!("<b>@{sender} → @bob</b>")).unwrap_or_else(|| panic!("{message}"));
        assert!(!rest.contains('<') && !rest.contains('>'), "{message}");
        let plain = rest.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"");
        let plain = plain.replace("&apos;", "'").replace("&#39;", "'").replace("&amp;", "&");
        assert_eq!(plain.trim(), shown.trim(), "{message}");
    }
    assert!(!home.work().join("PWNED").exists());
}

/// Puts a message into bob's mailbox as any program could: a command would refuse some of these bodies.
pub fn plant(home: &Home, from: &str, body: &str, priority: &str) -> String {
    let id = uuid::Uuid::new_v4().to_string();
    let text = serde_json::json!({
        "id": id, "from": from, "to": "@bob", "body": body, "priority": priority, "ts": "2026-01-01T00:00:00Z"
    });
    let draft = home.path().join(format!("spool/bob/tmp/{id}.json"));
    std::fs::write(&draft, text.to_string()).unwrap();
    std::fs::rename(&draft, home.path().join(format!("spool/bob/new/{id}.json"))).unwrap();
    id
}

#[test]
fn a_test_says_who_shows_it() {
    if is_left_out(desktop::check()) {
        return;
    }
    let home = Home::with(&["bob"]);
    let session = Session::start();
    let (screen, monitor) = (session.desktop(""), session.monitor());
    let said = succeed(&command(&home, &session.address, &["--test"]).output().unwrap());
    assert!(said.starts_with("shown by dunst ") && said.ends_with(", with markup\n"), "{said}");
    assert_eq!(monitor.next().title, "backchannel: a test");
    screen.picture("test");
    let said = succeed(&command(&home, &session.address, &["--test", "--json"]).output().unwrap());
    let said: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!(said["server"]["markup"], true, "{said}");
}

#[test]
fn a_server_that_reads_no_markup_is_sent_none() {
    if is_left_out(desktop::check()) {
        return;
    }
    let home = Home::with(&["bob"]);
    let session = Session::start();
    let (screen, monitor) = (session.desktop("markup = no"), session.monitor());
    let said = succeed(&command(&home, &session.address, &["--test"]).output().unwrap());
    assert!(said.ends_with(", without markup\n"), "{said}");
    monitor.next();
    plant(&home, "eve", "<b>a</b> & b", "urgent");
    succeed(&command(&home, &session.address, &["--once"]).output().unwrap());
    assert_eq!(monitor.next().body, "<b>a</b> & b");
    screen.picture("without-markup");
}
