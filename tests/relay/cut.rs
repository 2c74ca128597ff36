//! The network is cut between a request and its answer: nothing is lost, and nothing comes twice.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;

use backchannel::env::Env;
use backchannel::message::{AgentName, Message, MessageId};
use backchannel::secret::Secret;
use backchannel::spool::relay::{Deadline, Identity, PATIENCE, RelaySpool};
use backchannel::spool::{Afterwards, Claimed, Filter, Lease, Moment, Shown, Spool, Take};

use crate::support::cut::{Network, What};
use crate::support::earlier_relay::EarlierRelay;
use crate::support::relay::Relay;

/// More tries than a call makes.
const ALL: usize = 100;
const PROMPT: Shown = Shown { by: Moment::Prompt, delivery: None };

/// ann and bob, at a relay behind a network.
struct Bench {
    place: tempfile::TempDir,
    network: Network,
    tokens: [String; 2],
    relay: Option<Relay>,
    earlier: Option<EarlierRelay>,
}

impl Bench {
    fn new() -> Self {
        let relay = Relay::start();
        let tokens = ["ann", "bob"].map(|name| relay.peer(name).api.token.unwrap());
        Self::before(relay.address, tokens, Some(relay), None)
    }

    fn earlier() -> Self {
        let relay = EarlierRelay::start();
        let tokens = ["ann", "bob"].map(|name| relay.register(name));
        Self::before(relay.address, tokens, None, Some(relay))
    }

    fn before(
        address: SocketAddr,
        tokens: [String; 2],
        relay: Option<Relay>,
        earlier: Option<EarlierRelay>,
    ) -> Self {
        let network = Network::before(address);
        let bench = Self { place: tempfile::tempdir().unwrap(), network, tokens, relay, earlier };
        // What the relay can do is known before the network is cut.
        for name in ["ann", "bob"] {
            bench.spool(name).claim(&agent(name), &session("none"), &Filter::default(), Take::All).unwrap();
        }
        let unsent = Message::new(agent("ann"), "@nobody".parse().unwrap(), "x", Env::system().now());
        bench.spool("ann").send(&unsent, true).unwrap_err();
        bench
    }

    /// The agent's mail, as a process that has just begun opens it.
    fn spool(&self, name: &str) -> RelaySpool {
        let token = &self.tokens[usize::from(name == "bob")];
        let identity = Identity {
            url: format!("http://{}", self.network.address).parse().unwrap(),
            room: None,
            agent: agent(name),
            token: Secret::parse(token).unwrap(),
        };
        let root: &Path = &self.place.path().join(name);
        RelaySpool::open(root, identity, Deadline::Each(PATIENCE), 0, &Env::system()).unwrap()
    }

    fn send(&self, body: &str) -> backchannel::spool::Result<backchannel::spool::Sent> {
        let message = Message::new(agent("ann"), "@bob".parse().unwrap(), body, Env::system().now());
        self.spool("ann").send(&message, true)
    }

    fn claim(&self, session: &Lease) -> backchannel::spool::Result<Vec<Claimed>> {
        let claim = self.spool("bob").claim(&agent("bob"), session, &Filter::default(), Take::All)?;
        Ok(claim.messages)
    }
}

fn agent(name: &str) -> AgentName {
    name.parse().unwrap()
}

fn session(name: &str) -> Lease {
    Lease::of_session("codex", name, None, Env::system().now())
}

#[test]
fn a_claim_whose_answer_is_lost_is_asked_for_again() {
    let bench = Bench::new();
    bench.send("once").unwrap();
    bench.network.cut("/v1/claim", What::Answer, 1);
    assert_eq!(bench.claim(&session("s")).unwrap().len(), 1, "the second try has the same lease");
    assert_eq!(bench.network.lost(), 1);
    bench.send("twice").unwrap();
    bench.network.cut("/v1/claim", What::Answer, ALL);
    assert!(bench.claim(&session("s")).unwrap_err().is_temporary());
    bench.network.mend();
    // The process that asked is gone; another one takes in what it was given.
    let found = bench.claim(&session("t")).unwrap();
    assert_eq!(found.iter().map(|claimed| claimed.message.body.as_str()).collect::<Vec<_>>(), ["twice"]);
    assert!(bench.claim(&session("u")).unwrap().is_empty());
    let bob = bench.spool("bob");
    assert_eq!(bob.held(&agent("bob"), &session("s").id).unwrap().len(), 1);
}

#[test]
fn a_send_whose_answer_is_lost_is_delivered_once() {
    let bench = Bench::new();
    bench.network.cut("/v1/send", What::Answer, 1);
    assert!(bench.send("one").unwrap().queued.is_none());
    bench.network.cut("/v1/send", What::Answer, ALL);
    assert!(bench.send("two").unwrap().queued.is_some());
    bench.network.mend();
    bench.network.cut("/v1/send", What::Request, ALL);
    assert!(bench.send("three").unwrap().queued.is_some());
    bench.network.mend();
    bench.spool("ann").settle().unwrap();
    assert_eq!(bench.spool("ann").queued().unwrap(), 0);
    let bodies: Vec<_> =
        bench.claim(&session("s")).unwrap().into_iter().map(|claimed| claimed.message.body).collect();
    assert_eq!(bodies, ["one", "two", "three"]);
}

#[test]
fn what_was_read_is_not_shown_again_though_the_relay_was_not_told() {
    let bench = Bench::new();
    bench.send("read").unwrap();
    let (bob, lease) = (bench.spool("bob"), session("s"));
    let message = bench.claim(&lease).unwrap().remove(0).message;
    bob.mark_shown(&agent("bob"), &lease.id, &message, PROMPT).unwrap();
    assert!(bob.acknowledge(&agent("bob"), &lease.id, &message, Afterwards::Gone).unwrap());
    bench.network.cut("/v1/claim/ack", What::Request, ALL);
    assert!(bob.settle().unwrap_err().is_temporary());
    bench.network.mend();
    assert!(bench.claim(&session("t")).unwrap().is_empty(), "the claim told it");
    let relay = bench.relay.as_ref().unwrap();
    let bob_at_the_relay = relay.api(Some(&bench.tokens[1]));
    assert_eq!(bob_at_the_relay.get("/v1/inbox/bob").ok().as_array().unwrap().len(), 0);
    let data: String = walk(&relay.data());
    assert!(!data.contains(&message.id.to_string()), "nothing of it is left: {data}");
}

/// The names of all files under a directory.
fn walk(directory: &Path) -> String {
    let entries = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    entries.map(|path| if path.is_dir() { walk(&path) } else { format!("{}\n", path.display()) }).collect()
}

#[test]
fn whatever_is_cut_each_message_is_read_once() {
    let bench = Bench::new();
    let mut read: BTreeMap<MessageId, usize> = BTreeMap::new();
    let mut sent = 0;
    // Each path is cut at its request and at its answer, once and for all tries, in turn.
    let cuts = ["/v1/send", "/v1/claim", "/v1/claim/ack", "/v1/claim/release"]
        .into_iter()
        .flat_map(|path| [(path, What::Request), (path, What::Answer)])
        .flat_map(|(path, what)| [(path, what, 1), (path, what, ALL)]);
    for (round, (path, what, count)) in cuts.chain([("none", What::Request, 0)]).enumerate() {
        bench.network.cut(path, what, count);
        for _ in 0..3 {
            bench.send("x").unwrap();
            sent += 1;
        }
        let (bob, lease) = (bench.spool("bob"), session(&round.to_string()));
        for (index, claimed) in bench.claim(&lease).unwrap_or_default().into_iter().enumerate() {
            let message = claimed.message;
            if index % 3 == 2 {
                bob.release(&agent("bob"), &lease.id, &message).unwrap();
            } else if bob.acknowledge(&agent("bob"), &lease.id, &message, Afterwards::Gone).unwrap() {
                *read.entry(message.id).or_default() += 1;
            }
        }
        let _ = bob.settle();
        let _ = bench.spool("ann").settle();
        bench.network.mend();
    }
    bench.spool("ann").settle().unwrap();
    let (bob, lease) = (bench.spool("bob"), session("last"));
    bob.settle().unwrap();
    for claimed in bench.claim(&lease).unwrap() {
        assert!(bob.acknowledge(&agent("bob"), &lease.id, &claimed.message, Afterwards::Gone).unwrap());
        *read.entry(claimed.message.id).or_default() += 1;
    }
    assert!(bench.network.lost() > 16, "{}", bench.network.lost());
    assert_eq!((read.len(), read.values().sum::<usize>()), (sent, sent));
}

#[test]
fn what_an_earlier_relay_gave_without_an_answer_is_found_again() {
    let bench = Bench::earlier();
    bench.send("given once").unwrap();
    bench.network.cut("/v1/take", What::Answer, 1);
    assert!(bench.claim(&session("s")).unwrap_err().is_temporary());
    let found = bench.claim(&session("s")).unwrap();
    assert_eq!((found.len(), found[0].message.body.as_str(), found[0].repeat), (1, "given once", true));
    bench.send("never asked").unwrap();
    bench.network.cut("/v1/take", What::Request, 1);
    assert!(bench.claim(&session("s")).unwrap_err().is_temporary());
    assert_eq!(bench.claim(&session("s")).unwrap()[0].message.body, "never asked");
    assert!(bench.claim(&session("t")).unwrap().is_empty());
}

#[test]
fn an_earlier_relay_is_not_sent_a_message_twice() {
    let bench = Bench::earlier();
    let relay = bench.earlier.as_ref().unwrap();
    let before = relay.sent();
    bench.network.cut("/v1/send", What::Answer, 1);
    // Whether it came nobody can know: its sender is told, and decides.
    assert!(bench.send("perhaps").unwrap_err().is_temporary());
    assert_eq!(relay.sent(), before + 1);
    assert_eq!(bench.spool("ann").queued().unwrap(), 0);
}

#[test]
fn what_a_dead_process_left_half_done_is_finished_and_what_the_machine_lost_goes_back() {
    let bench = Bench::new();
    let (bob, name) = (bench.spool("bob"), agent("bob"));
    let root = bench.place.path().join("bob");
    let file = |place: &str, id: MessageId| root.join(place).join(format!("{id}.json"));
    for body in ["read", "lost", "on its way"] {
        bench.send(body).unwrap();
    }
    let lease = session("s");
    let claimed = bench.claim(&lease).unwrap();
    let [read, lost, back] = [0, 1, 2].map(|index: usize| claimed[index].message.clone());
    let held = root.join("spool/bob/claimed").join(lease.id.to_string());
    // Dead between the end of a message here and its note: it was read.
    std::fs::remove_file(held.join(format!("{}.json", read.id))).unwrap();
    // Gone with the machine, before it came to the disk: nobody read it.
    std::fs::remove_file(held.join(format!("{}.json", lost.id))).unwrap();
    let loan = std::fs::read_to_string(file("wire", lost.id)).unwrap();
    let mut loan: serde_json::Value = serde_json::from_str(&loan).unwrap();
    loan["boot"] = "another".into();
    std::fs::write(file("wire", lost.id), loan.to_string()).unwrap();
    // Dead in the middle of giving back.
    std::fs::create_dir_all(root.join("back")).unwrap();
    std::fs::rename(held.join(format!("{}.json", back.id)), file("back", back.id)).unwrap();
    let mut bodies: Vec<_> =
        bench.claim(&session("t")).unwrap().into_iter().map(|claimed| claimed.message.body).collect();
    bodies.sort();
    assert_eq!(bodies, ["lost", "on its way"]);
    bob.settle().unwrap();
    assert!(bob.held(&name, &lease.id).unwrap().is_empty());
    assert!(!file("wire", read.id).exists() && !file("back", back.id).exists());
}

#[test]
fn a_relay_that_wants_us_to_wait_for_ever_is_not_waited_for() {
    use std::io::{Read, Write};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let mut client = client.unwrap();
            let _ = client.read(&mut [0; 4096]);
            let body = r#"{"error":"not now"}"#;
            let _ = write!(
                client,
                "HTTP/1.1 429 Too Many\r\nretry-after: {}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
                u64::MAX,
                body.len()
            );
        }
    });
    let place = tempfile::tempdir().unwrap();
    let identity = Identity {
        url: format!("http://{address}").parse().unwrap(),
        room: None,
        agent: agent("ann"),
        token: Secret::parse("a-token").unwrap(),
    };
    let ann = RelaySpool::open(place.path(), identity, Deadline::Each(PATIENCE), 0, &Env::system()).unwrap();
    let message = Message::new(agent("ann"), "@bob".parse().unwrap(), "x", Env::system().now());
    assert!(ann.send(&message, true).unwrap().queued.is_some());
    assert_eq!(ann.queued().unwrap(), 1);
}
