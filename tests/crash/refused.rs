//! A disk that refuses: closed directories, a read-only or full one, one without hard links, one that tells of
//! no change. Where the programs can go on they do; where they cannot they say so and lose nothing.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::process::{Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::each_call::{Trial, WAITING, drain, hook, send};
use super::{DRAIN, bob, bodies, fill, numbers, set, twin};
use crate::support::home::{BCH, HOOK, Home, feed, succeed};
use crate::support::mount;

/// A home in which every directory of a mailbox is there already.
fn used() -> Home {
    let home = Home::unprivileged(&["bob", "ann"]);
    home.send("ann", "@bob", "an older one", &[]);
    succeed(&home.as_agent("bob", DRAIN));
    fill(&home, "bob", WAITING);
    home
}

fn run(trial: &Trial, home: &Home) -> Output {
    feed(&mut (trial.command)(home), &(trial.stdin)(home))
}

#[test]
fn a_directory_that_may_not_be_written_or_read_costs_no_message() {
    let template = used();
    let mailbox = ["", "/new", "/tmp", "/cur", "/claimed", "/records", "/recent"]
        .map(|name| format!("spool/bob{name}"));
    let others = ["", "agents", "spool", "spool/ann", "spool/ann/new", "spool/ann/tmp"].map(str::to_owned);
    let mut refusals = 0;
    for place in mailbox.iter().chain(&others) {
        for mode in [0o500, 0o000] {
            for trial in [drain(), hook(), send()] {
                let home = twin(&template);
                let path = home.path().join(place);
                if !path.exists() {
                    fs::create_dir(&path).unwrap();
                    home.give(&path);
                }
                let close = |mode| fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
                close(mode);
                let output = run(&trial, &home);
                close(0o700);
                refusals += u32::from(!output.status.success());
                (trial.check)(&home, &output, &format!("{place} has mode {mode:o}\n{output:?}"));
            }
        }
    }
    println!("{refusals} commands were refused something");
    assert!(refusals > 10, "{refusals}: the system refuses this user nothing");
}

/// Runs a shell script where it may mount. `None` where nobody may.
fn where_it_may_mount(home: &Home, script: &str, arguments: &[&str], why: &str) -> Option<Output> {
    let mut command = mount::script(script, home.path());
    command.args(arguments).current_dir(home.work());
    command.env("BACKCHANNEL_HOME", home.path()).env("BACKCHANNEL_AGENT", "bob");
    // Straight to the descriptor: what a test that passes prints is not shown.
    let tell = |reason: &String| drop(writeln!(std::io::stderr(), "LEFT OUT: {why}, for {reason}"));
    mount::run(command).inspect_err(tell).ok()
}

#[test]
fn a_read_only_disk_can_be_looked_at_and_loses_nothing() {
    let home = Home::with(&["bob", "ann"]);
    fill(&home, "bob", WAITING);
    let payload = home.work().join("payload");
    fs::write(&payload, (hook().stdin)(&home)).unwrap();
    let script = "mount --bind \"$0\" \"$0\" && mount -o remount,bind,ro \"$0\" || exit 99\n\
                  CLAUDECODE=1 \"$1\" claude-code UserPromptSubmit --agent bob --home \"$0\" <\"$3\"; echo hook $?\n\
                  \"$2\" drain --all; echo drain $?\n\
                  \"$2\" send @ann 'body 77 is whole'; echo send $?\n\
                  \"$2\" sub '#team'; echo sub $?\n\
                  \"$2\" inbox --all; echo inbox $?";
    let arguments = [HOOK, BCH, payload.to_str().unwrap()];
    let why = "nobody saw a read-only disk";
    let Some(output) = where_it_may_mount(&home, script, &arguments, why) else { return };
    let text = succeed(&output);
    // The hook printed nothing, `inbox` printed all three.
    assert!(text.starts_with("hook 0\ndrain 1\nsend 1\nsub 1\n") && text.ends_with("inbox 0\n"), "{text}");
    assert_eq!(text.lines().count(), 8, "{text}");
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(told.matches("Read-only file system").count(), 3, "{told}");
    assert_eq!(numbers(&home.unread("bob")), WAITING.collect::<Vec<_>>());
    assert!(home.unread("ann").is_empty());
}

#[test]
fn a_disk_that_fills_up_keeps_what_was_sent() {
    let home = Home::with(&[]);
    let payload = home.work().join("payload");
    fs::write(&payload, (hook().stdin)(&home)).unwrap();
    let script = "mount -t tmpfs -o size=192k,mode=700 none \"$0\" || exit 99\n\
                  \"$2\" init bob && BACKCHANNEL_AGENT=ann \"$2\" init ann || exit 1\n\
                  head -c 64k /dev/zero >\"$0/ballast\"\n\
                  number=0; while [ $number -lt 60 ]; do\n\
                  BACKCHANNEL_AGENT=ann \"$2\" send @bob \"body $number is whole\" >/dev/null 2>&1 && echo sent $number\n\
                  number=$((number + 1)); done\n\
                  echo full; \"$2\" inbox --all --json\n\
                  echo hook; CLAUDECODE=1 \"$1\" claude-code UserPromptSubmit --agent bob --home \"$0\" <\"$3\" || exit 1\n\
                  echo drain; \"$2\" drain --all --json; echo after; \"$2\" inbox --all --json\n\
                  rm \"$0/ballast\"; echo freed; \"$2\" drain --all --json; echo recent; \"$2\" inbox --recent --json";
    fs::create_dir_all(home.path()).unwrap();
    let arguments = [HOOK, BCH, payload.to_str().unwrap()];
    let why = "nobody saw a disk that fills up";
    let Some(output) = where_it_may_mount(&home, script, &arguments, why) else { return };
    let text = succeed(&output);
    let part = |from: &str, to: &str| {
        let rest = text.split_once(&format!("\n{from}\n")).unwrap().1;
        rest.split_once(&format!("\n{to}\n")).map_or(rest, |(part, _)| part).to_owned()
    };
    let told: Vec<u32> = text.lines().filter_map(|line| line.strip_prefix("sent ")?.parse().ok()).collect();
    assert!((5..60).contains(&told.len()), "it was never full: {told:?}");
    println!("{} were sent until the disk was full", told.len());
    let unread = |from, to| bodies(part(from, to).as_bytes());
    assert_eq!(set(unread("full", "hook")), set(told.clone()), "{text}");
    assert_eq!(unread("full", "hook").len(), told.len());
    let printed = set(unread("drain", "after"));
    assert_eq!(&printed | &set(unread("after", "freed")), set(told.clone()), "{text}");
    assert_eq!(set(bodies(part("recent", "").as_bytes())), set(told), "{text}");
}

#[test]
fn a_file_system_without_hard_links_carries_mail() {
    let home = Home::with(&[]);
    fs::create_dir_all(home.path()).unwrap();
    let payload = home.work().join("payload");
    fs::write(&payload, (hook().stdin)(&home)).unwrap();
    let image = home.work().join("image");
    fs::File::create(&image).unwrap().set_len(16 << 20).unwrap();
    // FAT by the kernel, or exFAT by FUSE: `exfat-fuse` and `exfatprogs`.
    let script = "PATH=$PATH:/usr/sbin:/sbin; { mkfs.exfat \"$4\" && mount -t exfat-fuse -o loop \"$4\" \"$0\"; } >/dev/null 2>&1 ||\n\
                  { mkfs.vfat \"$4\" && mount -t vfat -o loop \"$4\" \"$0\"; } >/dev/null 2>&1 || exit 99\n\
                  touch \"$0/one\"; ln \"$0/one\" \"$0/two\" 2>/dev/null && echo 'there are links'\n\
                  for agent in bob ann cid; do BACKCHANNEL_AGENT=$agent \"$2\" init $agent; done\n\
                  for agent in bob cid; do BACKCHANNEL_AGENT=$agent \"$2\" sub '#team'; done\n\
                  export BACKCHANNEL_AGENT=ann; for number in 0 1 2 3 4; do \"$2\" send '#team' \"body $number is whole\"; done\n\
                  export BACKCHANNEL_AGENT=bob\n\
                  echo hook; CLAUDECODE=1 \"$1\" claude-code UserPromptSubmit --agent bob --home \"$0\" <\"$3\"\n\
                  echo end; sed s/UserPromptSubmit/Stop/ <\"$3\" >\"$3.stop\"\n\
                  CLAUDECODE=1 \"$1\" claude-code Stop --agent bob --home \"$0\" <\"$3.stop\"\n\
                  \"$2\" inbox --all; BACKCHANNEL_AGENT=cid \"$2\" drain --all\n\
                  echo recent; BACKCHANNEL_AGENT=cid \"$2\" inbox --recent --json; umount \"$0\"";
    let arguments = [HOOK, BCH, payload.to_str().unwrap(), image.to_str().unwrap()];
    let why = "nobody saw a file system without hard links (exFAT by FUSE), only calls that are refused";
    let Some(output) = where_it_may_mount(&home, script, &arguments, why) else { return };
    let text = succeed(&output);
    assert!(!text.contains("there are links"), "{text}");
    let (hooked, rest) = text.split_once("\nhook\n").unwrap().1.split_once("end\n").unwrap();
    assert_eq!(set(bodies(hooked.as_bytes())), set(0..5), "{text}");
    let (drained, recent) = rest.split_once("\nrecent\n").unwrap();
    assert!(drained.starts_with("no unread mail here\n"), "{text}");
    assert_eq!(bodies(drained.as_bytes()), [0, 1, 2, 3, 4], "{text}");
    assert_eq!(set(bodies(recent.as_bytes())), set(0..5), "{text}");
}

/// What `watch` prints of a message that comes after its first look, with a fault in it; how long that took.
fn watched(fault: &str) -> Duration {
    let home = Home::with(&["bob", "ann"]);
    home.send("ann", "@bob", "body 1 is whole", &[]);
    let trace = home.work().join("trace");
    let mut command = home.command("strace");
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.args(["-f", "-qq", "-e", "trace=inotify_init,inotify_init1,inotify_add_watch", "-o"]).arg(&trace);
    command.args(["-e", &format!("inject={fault}"), BCH, "watch", "--all", "--json"]);
    let mut watch = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(watch.stdout.take().unwrap()).lines();
    let mut next = || bodies(lines.next().unwrap().unwrap().as_bytes());
    assert_eq!(next(), [1]);
    let start = Instant::now();
    home.send("ann", "@bob", "body 2 is whole", &[]);
    assert_eq!(next(), [2]);
    let took = start.elapsed();
    // Its output closed, it ends with the next message.
    drop(lines);
    home.send("ann", "@bob", "body 3 is whole", &[]);
    assert_eq!(watch.wait().unwrap().code(), Some(1));
    assert!(fs::read_to_string(trace).unwrap().contains("(INJECTED)"), "{fault}");
    let there: Vec<Value> = home.unread("bob");
    assert_eq!(numbers(&there), [1, 2, 3], "watching claims nothing");
    took
}

#[test]
fn where_the_system_tells_of_no_change_watch_looks_by_itself() {
    let refused =
        ["inotify_init1:error=ENOSYS", "inotify_init1:error=EMFILE", "inotify_add_watch:error=ENOSPC"];
    // The last is a network mount: it takes the watch, and is silent on what other machines do.
    for fault in refused.iter().chain(&["inotify_add_watch:retval=1"]) {
        println!("{fault}: after {:?}", watched(fault));
    }
}

#[test]
fn a_drain_says_what_is_refused_and_what_to_look_at() {
    let home = used();
    let new = home.path().join("spool/bob/new");
    fs::set_permissions(&new, fs::Permissions::from_mode(0o000)).unwrap();
    let output = bob(&home, DRAIN).output().unwrap();
    fs::set_permissions(&new, fs::Permissions::from_mode(0o700)).unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(told.contains("spool/bob/new: Permission denied") && told.contains("\nhint: ls -ld "), "{told}");
}
