//! Many readers at once: each message goes to exactly one of them.

use std::process::{Command, Output};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle, ScopedJoinHandle};
use std::time::Duration;

use super::{DRAIN, bob, bodies, fill, hook_command, numbers, prompt};
use crate::support::home::{Home, feed, succeed};

fn start(mut command: Command, stdin: Vec<u8>) -> JoinHandle<Output> {
    thread::spawn(move || feed(&mut command, &stdin))
}

/// Checks that each of so many messages was printed or is unread, and once; returns how many each printed.
fn each_once(home: &Home, count: u32, programs: Vec<JoinHandle<Output>>) -> Vec<usize> {
    let outputs: Vec<Output> = programs.into_iter().map(|program| program.join().unwrap()).collect();
    let printed: Vec<Vec<u32>> = outputs.iter().map(|output| bodies(succeed(output).as_bytes())).collect();
    let shares = printed.iter().map(Vec::len).collect();
    let mut all = printed.concat();
    all.extend(numbers(&home.unread("bob")));
    all.sort_unstable();
    assert_eq!(all, (0..count).collect::<Vec<_>>());
    println!("shares: {shares:?}");
    shares
}

#[test]
fn of_twenty_drains_at_once_each_of_5000_messages_is_printed_by_one() {
    let home = Home::with(&["bob"]);
    fill(&home, "bob", 0..5000);
    let programs = (0..20).map(|_| start(bob(&home, DRAIN), Vec::new())).collect();
    each_once(&home, 5000, programs);
    assert_eq!(home.unread("bob").len(), 0);
    assert_eq!(home.recent("bob").len(), 5000);
}

/// Runs the programs that `next` makes, one after the other, until the mail has come and is gone.
fn repeat(next: impl Fn(u32) -> (Command, Vec<u8>), is_over: impl Fn() -> bool) -> Vec<u32> {
    let mut printed = Vec::new();
    for round in 0.. {
        let is_last = is_over();
        let (mut command, stdin) = next(round);
        printed.extend(bodies(succeed(&feed(&mut command, &stdin)).as_bytes()));
        if is_last {
            break;
        }
    }
    printed
}

#[test]
fn of_twenty_sessions_and_five_drains_at_once_each_message_is_shown_by_one() {
    let home = Home::with(&["bob"]);
    let all_came = AtomicBool::new(false);
    let is_over = || all_came.load(Ordering::Relaxed);
    let (home, is_over) = (&home, &is_over);
    let (by_sessions, by_drains) = thread::scope(|scope| {
        let sessions: Vec<_> = (0..20)
            .map(|number| {
                // A session that prompts again is shown again what it holds, so that each prompt is a session's first.
                let next = move |round| (hook_command(home), prompt(home, &format!("{number}-{round}")));
                scope.spawn(move || repeat(next, is_over))
            })
            .collect();
        let drains: Vec<_> = (0..5)
            .map(|_| scope.spawn(move || repeat(|_| (bob(home, DRAIN), Vec::new()), is_over)))
            .collect();
        for batch in 0..100 {
            fill(home, "bob", batch * 20..(batch + 1) * 20);
            thread::sleep(Duration::from_millis(10));
        }
        all_came.store(true, Ordering::Relaxed);
        let join = |threads: Vec<ScopedJoinHandle<'_, Vec<u32>>>| {
            threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
        };
        (join(sessions), join(drains))
    });
    println!("{} were shown by sessions, {} printed by drains", by_sessions.len(), by_drains.len());
    assert!(by_sessions.len() > 100 && by_drains.len() > 100, "nobody raced");
    let mut all = [by_sessions, by_drains, numbers(&home.unread("bob"))].concat();
    all.sort_unstable();
    assert_eq!(all, (0..2000).collect::<Vec<_>>());
}

#[test]
fn of_twenty_sessions_at_once_each_message_is_shown_by_one() {
    let home = Home::with(&["bob"]);
    fill(&home, "bob", 0..200);
    let hooks = (0..20).map(|session| start(hook_command(&home), prompt(&home, &format!("s{session}"))));
    let shares = each_once(&home, 200, hooks.collect());
    assert!(shares.iter().filter(|share| **share > 0).count() > 1, "nobody raced: {shares:?}");
}
