//! Sending, looking, the directory.

use backchannel::message::{Priority, Scope};
use backchannel::spool::Error;

use super::{Stage, address, agent, on_each_backend};

on_each_backend!(
    a_message_arrives_as_it_was_sent,
    a_channel_is_copied_to_each_subscriber_but_the_sender,
    nobody_to_read_it_is_an_error,
    a_look_changes_nothing,
    a_subscription_is_one,
    agents_find_each_other,
    one_may_write_to_oneself,
);

fn a_message_arrives_as_it_was_sent(stage: &Stage) {
    let body = "héllo \u{1f600} \"quoted\"\n\ttab\r\nand \\u0000";
    let sent = stage.send("ann", "@bob", |message| {
        message.body = body.to_owned();
        message.priority = Priority::Urgent;
        message.scope = Some(Scope::parse("github.com/org/proj").unwrap());
        message.thread = Some("an earlier one".to_owned());
        message.refs = vec!["/a/path".to_owned(), "https://example.com/?a=b".to_owned()];
    });
    let found = stage.spool("bob").inbox(&agent("bob")).unwrap().messages;
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].to_json(), sent.to_json());
    assert_eq!((found[0].body.as_str(), &found[0].from), (body, &agent("ann")));
    assert_eq!(found[0].scope.as_ref().unwrap().as_str(), "github.com/org/proj");
    assert_eq!((found[0].thread.as_deref(), found[0].refs.len()), (Some("an earlier one"), 2));
}

fn a_channel_is_copied_to_each_subscriber_but_the_sender(stage: &Stage) {
    for name in ["ann", "bob", "cid"] {
        stage.spool(name).subscribe(&agent(name), &"#team".parse().unwrap()).unwrap();
    }
    let sent = stage.send("ann", "#team", |_| ());
    for (name, expected) in [("ann", 0), ("bob", 1), ("cid", 1), ("dan", 0)] {
        let found = stage.spool(name).inbox(&agent(name)).unwrap().messages;
        assert_eq!(found.len(), expected, "{name}");
        assert!(found.iter().all(|message| message.id == sent.id && message.to == address("#team")));
    }
}

fn nobody_to_read_it_is_an_error(stage: &Stage) {
    let message =
        |to: &str| backchannel::message::Message::new(agent("ann"), address(to), "text", stage.env.now());
    let spool = stage.spool("ann");
    let error = spool.send(&message("@zoe"), true).unwrap_err();
    assert!(matches!(error, Error::UnknownAgent(_)), "{error:?}");
    let error = spool.send(&message("#empty"), true).unwrap_err();
    assert!(matches!(error, Error::NoSubscribers(_)), "{error:?}");
    assert!(error.hint().unwrap().contains("bch sub '#empty'"));
}

fn a_look_changes_nothing(stage: &Stage) {
    stage.send("ann", "@bob", |_| ());
    let spool = stage.spool("bob");
    for _ in 0..3 {
        let inbox = spool.inbox(&agent("bob")).unwrap();
        assert_eq!((inbox.messages.len(), inbox.claimed, inbox.bad.len()), (1, 0, 0));
    }
    let found = spool.find(&agent("bob"), "").unwrap();
    assert_eq!((found.len(), found[0].open), (1, true));
}

fn a_subscription_is_one(stage: &Stage) {
    let (spool, bob, team) = (stage.spool("bob"), agent("bob"), "#team".parse().unwrap());
    spool.subscribe(&bob, &team).unwrap();
    spool.subscribe(&bob, &team).unwrap();
    assert_eq!(spool.channels().unwrap(), std::slice::from_ref(&team));
    let record = spool.agents().unwrap().into_iter().find(|agent| agent.name == bob).unwrap();
    assert_eq!(record.subscriptions, std::slice::from_ref(&team));
    assert!(spool.unsubscribe(&bob, &team).unwrap());
    assert_eq!(spool.channels().unwrap(), []);
}

fn agents_find_each_other(stage: &Stage) {
    let spool = stage.spool("ann");
    let names: Vec<_> = spool.agents().unwrap().into_iter().map(|agent| agent.name.to_string()).collect();
    assert_eq!(names, ["ann", "bob", "cid", "dan"]);
    assert!(spool.agent(&agent("bob")).unwrap().is_some() && spool.agent(&agent("zoe")).unwrap().is_none());
    assert_eq!(spool.register(&agent("ann")).unwrap().name, agent("ann"), "once more is the same");
}

fn one_may_write_to_oneself(stage: &Stage) {
    stage.send("bob", "@bob", |_| ());
    assert_eq!(stage.unread(), 1);
}
