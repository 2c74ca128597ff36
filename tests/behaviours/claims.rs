//! Claimed, shown, acknowledged; or given back.

use backchannel::message::{Context, Message, Priority, Scope};
use backchannel::spool::{Afterwards, Claimed, Filter, Lease, Moment, Shown, Spool, Take};

use super::{Stage, address, agent, on_each_backend};

on_each_backend!(
    of_racing_readers_one_gets_it,
    urgent_goes_first_then_the_oldest,
    what_is_acknowledged_is_gone,
    what_a_command_printed_stays_for_a_while,
    what_is_kept_can_be_read_again,
    what_was_given_back_unseen_comes_as_new,
    what_was_shown_and_given_back_says_so,
    nobody_ends_what_another_holds,
    a_session_finds_what_it_holds,
    a_scope_leads_to_its_readers,
    blocked_senders_and_other_ids_are_left,
    a_claim_takes_what_fits,
    a_loud_sender_waits,
    one_message_is_taken_from_whoever_holds_it,
    a_second_machine_gets_what_the_first_gave_back,
    however_much_it_is_all_of_it_comes,
);

const PROMPT: Shown = Shown { by: Moment::Prompt, delivery: None };

fn of_racing_readers_one_gets_it(stage: &Stage) {
    let sent: Vec<_> = (0..40).map(|_| stage.send("ann", "@bob", |_| ()).id).collect();
    let mut claimed: Vec<_> = std::thread::scope(|scope| {
        let readers: Vec<_> = (0..4)
            .map(|reader| {
                scope.spawn(move || {
                    let lease = stage.session(&reader.to_string());
                    stage.claim(&lease, &Filter::default()).messages
                })
            })
            .collect();
        readers
            .into_iter()
            .flat_map(|reader| reader.join().unwrap())
            .map(|claimed| claimed.message.id)
            .collect()
    });
    claimed.sort();
    let mut expected = sent;
    expected.sort();
    assert_eq!(claimed, expected);
    assert_eq!(stage.unread(), 0);
}

fn urgent_goes_first_then_the_oldest(stage: &Stage) {
    let mut ids = Vec::new();
    for priority in [Priority::Normal, Priority::Urgent, Priority::Normal, Priority::Urgent] {
        ids.push(stage.send("ann", "@bob", |message| message.priority = priority).id);
        std::thread::sleep(std::time::Duration::from_millis(3));
    }
    let urgent = Filter { urgent: true, ..Filter::default() };
    let claim = stage.claim(&stage.session("u"), &urgent);
    assert_eq!(claim.messages.iter().map(|claimed| claimed.message.id).collect::<Vec<_>>(), [ids[1], ids[3]]);
    for claimed in &claim.messages {
        stage.spool("bob").release(&agent("bob"), &stage.session("u").id, &claimed.message).unwrap();
    }
    let claim = stage.claim(&stage.session("s"), &Filter::default());
    let order: Vec<_> = claim.messages.iter().map(|claimed| claimed.message.id).collect();
    assert_eq!(order, [ids[1], ids[3], ids[0], ids[2]]);
}

fn what_is_acknowledged_is_gone(stage: &Stage) {
    stage.send("ann", "@bob", |_| ());
    let (lease, bob) = (stage.session("s"), agent("bob"));
    let message = stage.claim(&lease, &Filter::default()).messages.remove(0).message;
    let spool = stage.spool("bob");
    assert_eq!(spool.inbox(&bob).unwrap().claimed, 1);
    spool.mark_shown(&bob, &lease.id, &message, PROMPT).unwrap();
    assert!(spool.acknowledge(&bob, &lease.id, &message, Afterwards::Gone).unwrap());
    assert!(!spool.acknowledge(&bob, &lease.id, &message, Afterwards::Gone).unwrap(), "it is gone");
    assert!(stage.claim(&stage.session("t"), &Filter::default()).messages.is_empty());
    spool.settle().unwrap();
    let inbox = spool.inbox(&bob).unwrap();
    assert_eq!((inbox.messages.len(), inbox.claimed), (0, 0));
    let found = spool.find(&bob, &message.id.short()).unwrap();
    assert_eq!(found.len(), 1);
    assert!(found[0].message.is_none() && !found[0].open && found[0].record.from == agent("ann"));
}

fn what_a_command_printed_stays_for_a_while(stage: &Stage) {
    stage.send("ann", "@bob", |_| ());
    let (lease, bob, spool) = (stage.session("s"), agent("bob"), stage.spool("bob"));
    let message = stage.claim(&lease, &Filter::default()).messages.remove(0).message;
    assert!(spool.acknowledge(&bob, &lease.id, &message, Afterwards::Recent).unwrap());
    assert_eq!(spool.recent(&bob).unwrap()[0].body, "the body");
    assert_eq!(stage.unread(), 0);
}

fn what_is_kept_can_be_read_again(stage: &Stage) {
    stage.send("ann", "@bob", |_| ());
    let (lease, bob, spool) = (stage.session("s"), agent("bob"), stage.spool("bob"));
    let message = stage.claim(&lease, &Filter::default()).messages.remove(0).message;
    assert!(spool.acknowledge(&bob, &lease.id, &message, Afterwards::Kept).unwrap());
    spool.settle().unwrap();
    assert_eq!(stage.unread(), 0);
    let other = stage.session("t");
    assert_eq!(spool.take(&bob, &other, message.id).unwrap().unwrap().body, "the body");
    assert!(spool.acknowledge(&bob, &other.id, &message, Afterwards::Gone).unwrap());
    assert!(spool.take(&bob, &other, message.id).unwrap().is_none());
}

fn what_was_given_back_unseen_comes_as_new(stage: &Stage) {
    stage.send("ann", "@bob", |_| ());
    let (lease, bob, spool) = (stage.session("s"), agent("bob"), stage.spool("bob"));
    let message = stage.claim(&lease, &Filter::default()).messages.remove(0).message;
    spool.release(&bob, &lease.id, &message).unwrap();
    assert_eq!(stage.unread(), 1);
    let again = stage.claim(&stage.session("t"), &Filter::default()).messages.remove(0);
    assert!(!again.repeat && again.message.id == message.id);
}

fn what_was_shown_and_given_back_says_so(stage: &Stage) {
    stage.send("ann", "@bob", |_| ());
    let (lease, bob, spool) = (stage.session("s"), agent("bob"), stage.spool("bob"));
    let claimed = stage.claim(&lease, &Filter::default()).messages.remove(0);
    assert!(!claimed.repeat);
    spool.mark_shown(&bob, &lease.id, &claimed.message, PROMPT).unwrap();
    spool.release(&bob, &lease.id, &claimed.message).unwrap();
    assert_eq!(stage.unread(), 1);
    assert!(stage.claim(&stage.session("t"), &Filter::default()).messages[0].repeat);
}

fn nobody_ends_what_another_holds(stage: &Stage) {
    stage.send("ann", "@bob", |_| ());
    let (lease, other) = (stage.session("s"), stage.session("t"));
    let (bob, spool) = (agent("bob"), stage.spool("bob"));
    let message = stage.claim(&lease, &Filter::default()).messages.remove(0).message;
    assert!(!spool.acknowledge(&bob, &other.id, &message, Afterwards::Gone).unwrap());
    spool.release(&bob, &other.id, &message).unwrap();
    assert_eq!((stage.unread(), spool.held(&bob, &lease.id).unwrap().len()), (0, 1));
}

fn a_session_finds_what_it_holds(stage: &Stage) {
    for _ in 0..2 {
        stage.send("ann", "@bob", |_| ());
    }
    let (lease, bob, spool) = (stage.session("s"), agent("bob"), stage.spool("bob"));
    let claim = stage.claim(&lease, &Filter::default());
    spool.mark_shown(&bob, &lease.id, &claim.messages[0].message, PROMPT).unwrap();
    spool.renew(&bob, &lease).unwrap();
    let held = spool.held(&bob, &lease.id).unwrap();
    assert_eq!(held.iter().filter(|held| held.shown == Some(PROMPT)).count(), 1);
    assert_eq!(held.iter().filter(|held| held.shown.is_none()).count(), 1);
    assert!(spool.held(&bob, &stage.session("t").id).unwrap().is_empty());
    assert_eq!(spool.holdings(&bob).unwrap().readers.len(), 1);
}

fn a_scope_leads_to_its_readers(stage: &Stage) {
    let scoped = |scope: &str| {
        stage.send("ann", "@bob", |message| message.scope = Some(Scope::parse(scope).unwrap())).id
    };
    let (here, _there) = (scoped("org/proj"), scoped("org/proj-two"));
    let all = stage.send("ann", "@bob", |_| ()).id;
    let contexts = vec![Context::new("git@github.com:org/proj.git").unwrap()];
    let filter = Filter { contexts: Some(contexts), ..Filter::default() };
    let claim = stage.claim(&stage.session("s"), &filter);
    let mut ids: Vec<_> = claim.messages.iter().map(|claimed| claimed.message.id).collect();
    ids.sort();
    let mut expected = vec![here, all];
    expected.sort();
    assert_eq!((ids, claim.left.other_scopes), (expected, 1));
    assert_eq!(stage.unread(), 1);
}

fn blocked_senders_and_other_ids_are_left(stage: &Stage) {
    stage.send("ann", "@bob", |_| ());
    let wanted = stage.send("cid", "@bob", |_| ()).id;
    stage.send("dan", "@bob", |_| ());
    let filter = Filter { except: vec![address("@ann")], ids: None, ..Filter::default() };
    let only = Filter { ids: Some(vec![wanted]), ..filter.clone() };
    let claim = stage.claim(&stage.session("s"), &only);
    assert_eq!(claim.messages.iter().map(|claimed| claimed.message.id).collect::<Vec<_>>(), [wanted]);
    let claim = stage.claim(&stage.session("s"), &filter);
    assert_eq!(claim.messages.len(), 1);
    assert_eq!(claim.messages[0].message.from, agent("dan"));
    assert_eq!(stage.unread(), 1);
}

fn within(stage: &Stage, session: &str, bytes: usize) -> backchannel::spool::Claim {
    // What a delivery writes around a body counts, too.
    let weigh = |message: &Message| message.body.len() + 200;
    let (bob, spool) = (agent("bob"), stage.spool("bob"));
    let quota = spool.quota(&bob).unwrap();
    let take = Take::Within { bytes, weigh: &weigh, quota: &quota };
    spool.claim(&bob, &stage.session(session), &Filter::default(), take).unwrap()
}

fn a_claim_takes_what_fits(stage: &Stage) {
    for size in [100, 400, 400, 700] {
        stage.send("ann", "@bob", |message| message.body = "x".repeat(size));
        std::thread::sleep(std::time::Duration::from_millis(3));
    }
    let claim = within(stage, "s", 1_600);
    assert_eq!(
        claim.messages.iter().map(|claimed| claimed.message.body.len()).collect::<Vec<_>>(),
        [100, 400, 400]
    );
    assert_eq!(claim.left.matching, 1);
    // What is too long for any delivery is not left for ever.
    assert_eq!(within(stage, "s", 500).messages.len(), 1);
}

fn a_loud_sender_waits(stage: &Stage) {
    for _ in 0..23 {
        stage.send("ann", "@bob", |_| ());
    }
    let quiet = stage.send("cid", "@bob", |_| ()).id;
    let claim = within(stage, "s", 1_000_000);
    assert_eq!(claim.messages.len(), 21);
    assert!(claim.messages.iter().any(|claimed| claimed.message.id == quiet));
    assert_eq!(claim.left.held_back, [(agent("ann"), 3)]);
}

fn one_message_is_taken_from_whoever_holds_it(stage: &Stage) {
    let id = stage.send("ann", "@bob", |_| ()).id;
    stage.send("ann", "@bob", |_| ());
    let (lease, bob, spool) = (stage.session("s"), agent("bob"), stage.spool("bob"));
    assert_eq!(spool.take(&bob, &lease, id).unwrap().unwrap().id, id);
    assert_eq!(stage.unread(), 1);
    let other = stage.session("t");
    assert_eq!(spool.take(&bob, &other, id).unwrap().unwrap().id, id);
    assert_eq!(
        (spool.held(&bob, &lease.id).unwrap().len(), spool.held(&bob, &other.id).unwrap().len()),
        (0, 1)
    );
}

fn a_second_machine_gets_what_the_first_gave_back(stage: &Stage) {
    stage.send("ann", "@bob", |_| ());
    let (lease, bob) = (stage.session("s"), agent("bob"));
    let (one, two) = (stage.spool_on("bob", ""), stage.spool_on("bob", "-two"));
    fn claim(spool: &dyn Spool, lease: &Lease) -> Vec<Claimed> {
        spool.claim(&agent("bob"), lease, &Filter::default(), Take::All).unwrap().messages
    }
    let message = claim(&*one, &lease).remove(0).message;
    assert!(claim(&*two, &stage.session("t")).is_empty(), "it is claimed");
    one.release(&bob, &lease.id, &message).unwrap();
    one.settle().unwrap();
    if stage.gives_back() {
        assert_eq!(claim(&*two, &stage.session("t")).len(), 1);
    } else {
        // A relay of the first version takes nothing back: it waits where it is.
        assert_eq!(claim(&*one, &stage.session("t")).len(), 1);
    }
}

fn however_much_it_is_all_of_it_comes(stage: &Stage) {
    for _ in 0..18 {
        stage.send("ann", "@bob", |message| message.body = "x".repeat(200_000));
    }
    let claim = stage.claim(&stage.session("s"), &Filter::default());
    assert_eq!((claim.messages.len(), claim.left.matching), (18, 0));
    assert_eq!(stage.unread(), 0);
}
