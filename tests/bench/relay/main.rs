//! What the relay carries, in one run on one machine: `cargo bench --locked --bench relay`; a number after `--` is that
//! of the messages that go through it to see what they leave behind.
//!
//! The machine is shared, by the load itself first: of each rate the best of [`ROUNDS`] counts, taken in turn with what
//! it is compared with. Nothing is pinned to a core, and every limit is the relay's default but that of one agent's
//! unread mail, which the sends to one agent alone would reach.
#![expect(clippy::disallowed_methods, clippy::unwrap_used, reason = "a benchmark starts programs")]
#![expect(unreachable_pub, reason = "nothing outside reaches a benchmark")]

mod load;
mod process;
mod table;

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::{Duration, Instant};

use process::{Relay, events, get, inbox, send, stranger};
use table::{Aim, Earlier, Unit, heading, note, row};

/// How often each rate is measured.
const ROUNDS: usize = 5;
/// Connections of a rate, as they were for the first version's figures.
const CONNECTIONS: usize = 8;
const STREAMS: usize = 5_000;

fn main() {
    let through = std::env::args().filter_map(|word| word.parse().ok()).next().unwrap_or(100_000);
    let place = tempfile::tempdir().unwrap();
    raise_open_files();
    heading();
    memory(&place.path().join("memory"));
    let start = |agents| Relay::start(&place.path().join(format!("agents-{agents}"))).register(agents);
    let mut relays = [1, 500, 5_000].map(start);
    looks(&relays);
    latency(&relays[1]);
    let fresh = sends(&relays);
    synced(&relays[1], place.path());
    relays.iter_mut().for_each(Relay::empty);
    deliveries(&mut relays[1], fresh);
    drop(relays);
    messages_through(&place.path().join("through"), through);
}

/// The best of several figures.
fn best(figures: &[f64]) -> f64 {
    figures.iter().copied().fold(0.0, f64::max)
}

/// Looks into empty inboxes, each request another agent's.
fn looks(relays: &[Relay; 3]) {
    let (mut raw, mut strangers, mut looks) = (Vec::new(), Vec::new(), [const { Vec::new() }; 3]);
    for _ in 0..ROUNDS {
        raw.push(relays[1].rate(CONNECTIONS, vec![get("/v1/health", "")]));
        for (relay, looks) in relays.iter().zip(&mut looks) {
            looks.push(relay.rate(CONNECTIONS, (0..relay.agents).map(inbox).collect()));
        }
        strangers.push(relays[1].rate(CONNECTIONS, (0..500).map(stranger).collect()));
    }
    let (raw, looks) = (best(&raw), looks.map(|figures| best(&figures)));
    row("GET /v1/health, no token", raw, Unit::PerSecond, Earlier::Was(86_211.0), Aim::None);
    row("GET /v1/inbox, empty, 1 agent", looks[0], Unit::PerSecond, Earlier::Was(14_500.0), Aim::None);
    row("  500 agents", looks[1], Unit::PerSecond, Earlier::Was(150.0), Aim::AtLeast(30_000.0));
    row("  5,000 agents", looks[2], Unit::PerSecond, Earlier::Unknown, Aim::None);
    row(
        "  500 agents, a stranger's token",
        best(&strangers),
        Unit::PerSecond,
        Earlier::Was(130.0),
        Aim::None,
    );
    note(&format!(
        "5,000 agents to 1: {:.2}; 500 agents to no token: {:.2}",
        looks[2] / looks[0],
        looks[1] / raw
    ));
}

/// Sends to the next agent, each request another agent's, that wait for the disk when `durable`.
fn to_the_next(relay: &Relay, durable: bool) -> Vec<Vec<u8>> {
    (0..relay.agents).map(|from| send(from, (from + 1) % relay.agents, durable)).collect()
}

/// Sends that wait for no disk, where no mail was deleted yet; the rate with 500 agents.
fn sends(relays: &[Relay; 3]) -> f64 {
    let mut sends = [const { Vec::new() }; 3];
    for _ in 0..ROUNDS {
        for (relay, sends) in relays.iter().zip(&mut sends) {
            sends.push(relay.rate(CONNECTIONS, to_the_next(relay, false)));
        }
    }
    let sends = sends.map(|figures| best(&figures));
    row("POST /v1/send, unsynced, 1 agent", sends[0], Unit::PerSecond, Earlier::Was(6_985.0), Aim::None);
    row("  500 agents", sends[1], Unit::PerSecond, Earlier::Was(148.0), Aim::AtLeast(6_000.0));
    row("  5,000 agents", sends[2], Unit::PerSecond, Earlier::Unknown, Aim::None);
    note(&format!("5,000 agents to 1: {:.2}", sends[2] / sends[0]));
    sends[1]
}

/// Sends that wait for the disk, by one sender and by 64 at once, and what the disk can do.
fn synced(relay: &Relay, place: &Path) {
    let (mut alone, mut many, mut fsync, mut fdatasync) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        fsync.push(flushes(place, File::sync_all));
        fdatasync.push(flushes(place, File::sync_data));
        alone.push(relay.rate(1, to_the_next(relay, true)));
        many.push(relay.rate(64, to_the_next(relay, true)));
    }
    let [alone, many, fsync, fdatasync] = [alone, many, fsync, fdatasync].map(|figures| best(&figures));
    let none = Earlier::Unknown;
    row("fsync of 600 bytes more, the disk itself", fsync, Unit::PerSecond, none, Aim::None);
    row("fdatasync of the same", fdatasync, Unit::PerSecond, none, Aim::None);
    row("POST /v1/send, synced, 1 sender", alone, Unit::PerSecond, none, Aim::None);
    row("  64 senders", many, Unit::PerSecond, none, Aim::AtLeast(8.0 * alone));
    note(&format!("64 senders to 1: {:.1} (at least 8); to fsync: {:.1}", many / alone, many / fsync));
    note("one flush for all who wait: syncfs, then fdatasync of the list of what was sent");
}

/// Mail that is sent and read at once: files come and go.
fn deliveries(relay: &mut Relay, fresh: f64) {
    let (mut sends, mut claims) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let (mut sending, mut claiming) = (Duration::ZERO, Duration::ZERO);
        for _ in 0..20 {
            sending += relay.fill(1);
            claiming += relay.claim();
        }
        relay.empty();
        sends.push(20.0 * relay.agents as f64 / sending.as_secs_f64());
        claims.push(20.0 * relay.agents as f64 / claiming.as_secs_f64());
    }
    let (sends, claims) = (best(&sends), best(&claims));
    row("POST /v1/claim of 1 with ack, 500 agents", claims, Unit::PerSecond, Earlier::Was(123.0), Aim::None);
    row(
        "POST /v1/send, unsynced, after mail was read",
        sends,
        Unit::PerSecond,
        Earlier::Was(148.0),
        Aim::None,
    );
    note(&format!(
        "to where none was: {:.2} (ext4 gives no inode out that was freed just now)",
        sends / fresh
    ));
}

/// Flushes of a small file in a second.
fn flushes(place: &Path, flush: fn(&File) -> std::io::Result<()>) -> f64 {
    let file = File::create(place.join("raw")).unwrap();
    let (begun, mut count) = (Instant::now(), 0);
    while begun.elapsed() < Duration::from_secs(1) {
        file.write_all_at(&[b'x'; 600], 600 * count).unwrap();
        flush(&file).unwrap();
        count += 1;
    }
    count as f64 / begun.elapsed().as_secs_f64()
}

/// From the sender's request to the event at the reader.
fn latency(relay: &Relay) {
    let mut lines = BufReader::new(relay.connect(&events(1))).lines();
    let mut sender = relay.connect(&get("/v1/health", ""));
    let mut buffer = [0; 4096];
    assert_ne!(sender.read(&mut buffer).unwrap(), 0);
    for (durable, what, aim) in [
        (false, "send to event, unsynced, 500 agents, p50", Aim::AtMost(2.0)),
        (true, "send to event, synced, 500 agents, p50", Aim::None),
    ] {
        let request = send(0, 1, durable);
        let mut times: Vec<_> = (0..2_000)
            .map(|_| {
                let begun = Instant::now();
                sender.write_all(&request).unwrap();
                assert!(lines.any(|line| line.unwrap().starts_with("data:")));
                let took = begun.elapsed().as_secs_f64() * 1000.0;
                // The answer, of one piece.
                assert_ne!(sender.read(&mut buffer).unwrap(), 0);
                took
            })
            .collect();
        times.sort_by(f64::total_cmp);
        let at = |share: usize| times[times.len() * share / 100];
        row(what, at(50), Unit::Milliseconds, Earlier::Was(16.2), aim);
        row("  p99", at(99), Unit::Milliseconds, Earlier::Unknown, Aim::None);
    }
}

/// Memory of an idle relay, and of one with many idle streams.
fn memory(place: &Path) {
    let relay = Relay::start(place);
    row("memory, idle", relay.memory("VmRSS"), Unit::Mebibytes, Earlier::Was(52.0), Aim::AtMost(15.0));
    let relay = relay.register(STREAMS);
    let before = relay.memory("VmRSS");
    row("memory, 5,000 agents", before, Unit::Mebibytes, Earlier::Unknown, Aim::None);
    let mut streams: Vec<_> = (0..STREAMS).map(|agent| relay.connect(&events(agent))).collect();
    let (mut head, mut keepalive) = ([0; 12], [0; 1024]);
    for stream in &mut streams {
        stream.read_exact(&mut head).unwrap();
        assert_eq!(&head, b"HTTP/1.1 200");
        assert_ne!(stream.read(&mut keepalive).unwrap(), 0);
    }
    let opened = relay.memory("VmRSS") - before;
    for stream in &mut streams {
        let count = stream.read(&mut keepalive).unwrap();
        assert!(memchr::memmem::find(&keepalive[..count], b": keepalive").is_some());
    }
    let kept = relay.memory("VmRSS") - before;
    // The first version had 500, and 104 MiB more by them.
    let per_stream = Earlier::Was(104.0 * 10.0);
    row("5,000 idle event streams, more", opened.max(kept), Unit::Mebibytes, per_stream, Aim::AtMost(100.0));
    drop(streams);
    let begun = Instant::now();
    while relay.metric("event_streams") > 0 && begun.elapsed() < Duration::from_secs(60) {
        std::thread::sleep(Duration::from_millis(100));
    }
    row(
        "after they are closed, more",
        relay.memory("VmRSS") - before,
        Unit::Mebibytes,
        Earlier::Unknown,
        Aim::None,
    );
}

/// What messages leave behind that went through: sent, claimed, acknowledged.
fn messages_through(place: &Path, count: usize) {
    const AGENTS: usize = 100;
    const EACH: usize = 20;
    let mut relay = Relay::start(place).register(AGENTS);
    let (memory, disk) = (relay.memory("VmRSS"), relay.disk());
    let begun = Instant::now();
    let mut middle = None;
    let rounds = count.div_ceil(AGENTS * EACH);
    for round in 0..rounds {
        relay.fill(EACH);
        relay.claim();
        if round + 1 == rounds / 10 {
            relay.empty();
            middle = Some((relay.memory("VmRSS"), relay.disk()));
        }
    }
    relay.empty();
    let rate = (rounds * AGENTS * EACH) as f64 / begun.elapsed().as_secs_f64();
    assert_eq!(relay.metric("messages_acknowledged_total"), rounds * AGENTS * EACH);
    row(&format!("{count} messages through"), rate, Unit::PerSecond, Earlier::Unknown, Aim::None);
    let (middle_memory, middle_disk) = middle.unwrap_or((memory, disk));
    let (last_memory, last_disk) = (relay.memory("VmRSS"), relay.disk());
    let line = |what: &str, figures: [f64; 3]| {
        note(&format!(
            "{what} before, after a tenth, after all: {:.1}, {:.1}, {:.1}",
            figures[0], figures[1], figures[2]
        ));
    };
    line("memory in MiB", [memory, middle_memory, last_memory]);
    line("disk in MiB", [disk, middle_disk, last_disk].map(|disk| disk.bytes as f64 / (1024.0 * 1024.0)));
    line("files", [disk, middle_disk, last_disk].map(|disk| disk.files as f64));
    note(&format!("memory at its most: {:.1} MiB", relay.memory("VmHWM")));
}

/// Many streams are as many open files on this side too; the relay raises its own limit.
fn raise_open_files() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).unwrap();
    assert!(limit.maximum.is_none_or(|most| most as usize > STREAMS + 100), "ulimit -Hn is too low");
}
