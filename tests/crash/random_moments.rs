//! The programs are killed at 200 random moments each, between their first instruction and their last.

use std::collections::BTreeSet;
use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::{DRAIN, bob, bodies, files, fill, hook_command, numbers, prompt, set, shown, shows_again};
use crate::support::home::{Home, feed, succeed};

const KILLS: u32 = 200;

/// Random moments that `CRASH_SEED` brings back.
struct Moments {
    state: u64,
    /// Within how long the program runs, as far as is known.
    span: Duration,
    /// How many of the programs had not ended.
    struck: u32,
}

impl Moments {
    /// Moments within a run of this program, which is measured.
    fn of(mut program: impl FnMut() -> (Command, Vec<u8>)) -> Self {
        let seed = std::env::var("CRASH_SEED").ok().and_then(|seed| seed.parse().ok());
        let state = seed.unwrap_or_else(|| u64::from(std::process::id()) * 7919 + 1);
        let (mut command, stdin) = program();
        let start = Instant::now();
        succeed(&feed(&mut command, &stdin));
        let span = start.elapsed();
        println!("CRASH_SEED={state}, a run takes {span:?}");
        Self { state, span, struck: 0 }
    }

    /// xorshift.
    fn next(&mut self) -> Duration {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        self.span.mul_f64((self.state % 10_000) as f64 / 10_000.0)
    }

    /// Runs a program and kills it after a while; returns what it printed.
    fn kill(&mut self, mut command: Command, stdin: &[u8]) -> (Vec<u8>, Duration) {
        let moment = self.next();
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut out = child.stdout.take().unwrap();
        let reader = std::thread::spawn(move || {
            let mut bytes = Vec::new();
            std::io::Read::read_to_end(&mut out, &mut bytes).unwrap();
            bytes
        });
        let _ = child.stdin.take().unwrap().write_all(stdin);
        std::thread::sleep(moment);
        child.kill().unwrap();
        let is_struck = child.wait().unwrap().signal() == Some(9);
        self.struck += u32::from(is_struck);
        // One run alone tells little of how long the next ones take.
        self.span = self.span.mul_f64(if is_struck { 1.02 } else { 0.98 });
        (reader.join().unwrap(), moment)
    }

    /// Says how many were struck, and fails where most of them had ended before.
    fn tell(&self) {
        println!("{} of {KILLS} were struck before they ended", self.struck);
        assert!(self.struck > KILLS / 4, "{}", self.struck);
    }
}

#[test]
fn a_drain_that_is_killed_at_random_moments_loses_nothing() {
    let home = Home::with(&["bob"]);
    let rehearsal = Home::with(&["bob"]);
    fill(&rehearsal, "bob", 0..50);
    let mut moments = Moments::of(|| (bob(&rehearsal, DRAIN), Vec::new()));
    let (mut sent, mut printed) = (0, BTreeSet::new());
    for _ in 0..KILLS {
        let next = sent + 50 - u32::try_from(home.unread("bob").len()).unwrap();
        fill(&home, "bob", sent..next);
        sent = next;
        let (out, moment) = moments.kill(bob(&home, DRAIN), b"");
        printed.extend(bodies(&out));
        let counts = files(&home, "bob");
        assert_eq!(set(counts.keys().copied()), set(0..sent), "lost after {moment:?}");
        assert!(counts.values().all(|count| *count == 1), "not one file after {moment:?}");
    }
    let unread = set(numbers(&home.unread("bob")));
    assert!(set(numbers(&home.recent("bob"))).is_subset(&printed), "acknowledged, not printed");
    assert_eq!(&printed | &unread, set(0..sent));
    moments.tell();
}

#[test]
fn w6_a_drain_of_3000_that_is_killed_midway_loses_nothing() {
    let home = Home::with(&["bob"]);
    let rehearsal = Home::with(&["bob"]);
    fill(&rehearsal, "bob", 0..3000);
    let mut moments = Moments::of(|| (bob(&rehearsal, DRAIN), Vec::new()));
    let (mut sent, mut printed) = (0, BTreeSet::new());
    for _ in 0..5 {
        let next = sent + 3000 - u32::try_from(home.unread("bob").len()).unwrap();
        fill(&home, "bob", sent..next);
        sent = next;
        printed.extend(bodies(&moments.kill(bob(&home, DRAIN), b"").0));
        let recent = set(numbers(&home.recent("bob")));
        assert!(recent.is_subset(&printed), "acknowledged, not printed");
        assert_eq!(&recent | &set(numbers(&home.unread("bob"))), set(0..sent), "lost");
    }
}

#[test]
fn a_hook_that_is_killed_at_random_moments_loses_nothing() {
    let home = Home::with(&["bob"]);
    let rehearsal = Home::with(&["bob"]);
    // More than the turns below can end.
    [&home, &rehearsal].iter().for_each(|home| fill(home, "bob", 0..400));
    let mut moments = Moments::of(|| (hook_command(&rehearsal), prompt(&rehearsal, "rehearsal")));
    let mut seen = BTreeSet::new();
    for round in 0..KILLS {
        let session = format!("session-{round}");
        let (out, moment) = moments.kill(hook_command(&home), &prompt(&home, &session));
        let text = shown(&home, &session);
        bodies(&out).iter().for_each(|number| shows_again(&text, *number, &format!("{moment:?}")));
        // A turn that ends is evidence; one that is broken off, and its session with it, is none.
        let ends = round % 40 == 0;
        if ends {
            seen.extend(bodies(text.as_bytes()));
        }
        let event = if ends { "Stop" } else { "SessionEnd" };
        let payload = home.payload(event, &session, &home.work());
        assert_eq!(home.hook("claude-code", event, "bob", &payload), None);
        let there = files(&home, "bob");
        assert!(there.values().all(|count| *count == 1), "not one file");
        assert_eq!(&seen | &set(there.keys().copied()), set(0..400), "lost after {moment:?}");
    }
    assert!(seen.len() < 400, "some of the kills met an empty mailbox");
    moments.tell();
}

#[test]
fn a_send_that_is_killed_at_random_moments_leaves_a_whole_message_or_none() {
    let home = Home::with(&["bob", "ann"]);
    let command = |number: u32| bob(&home, &["send", "@ann", &format!("body {number} is whole")]);
    let mut moments = Moments::of(|| (command(KILLS), Vec::new()));
    let mut told = set([KILLS]);
    for number in 0..KILLS {
        let (out, _) = moments.kill(command(number), b"");
        if String::from_utf8(out).unwrap().starts_with("sent ") {
            told.insert(number);
        }
    }
    let there = numbers(&home.unread("ann"));
    assert_eq!(there.len(), set(there.iter().copied()).len(), "twice");
    assert!(told.is_subset(&set(there.iter().copied())), "told, not sent");
    assert_eq!(files(&home, "ann").len(), there.len(), "not whole");
    println!("{} of {KILLS} are there, {} were told", there.len(), told.len());
    moments.tell();
}
