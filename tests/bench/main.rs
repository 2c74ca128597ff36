//! Speed, as ratios taken in one run: `cargo build --release && cargo bench --bench speed`.
//!
//! A shared machine is noisy: the programs are timed in turn, round after round, and medians compared.
#![expect(clippy::disallowed_methods, clippy::unwrap_used, reason = "a benchmark starts programs")]

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

const BCH: &str = env!("CARGO_BIN_EXE_bch");
const HOOK: &str = env!("CARGO_BIN_EXE_bch-hook");

fn main() {
    let place = tempfile::tempdir().unwrap();
    let floor = static_program(place.path());
    let home = Home::new(place.path().join("empty"));
    let payload =
        br#"{"hook_event_name":"UserPromptSubmit","session_id":"s","cwd":"/","model":"m","prompt":"p"}"#;

    let mut times = [Vec::new(), Vec::new(), Vec::new()];
    for _ in 0..400 {
        times[0].push(time(&mut Command::new(&floor), payload));
        times[1].push(time(&mut home.hook(), payload));
        times[2].push(time(&mut home.bch(&["send", "@alice", "x", "--no-sync"]), b""));
    }
    let [floor, hook, send] = times.map(median);
    row("a static C program that returns at once", floor, "");
    row(
        "bch-hook, empty inbox",
        hook,
        &format!("{:.2} times the C program (at most 1.3)", ratio(hook, floor)),
    );
    row("bch send --no-sync", send, &format!("{:.2} times the hook (at most 2)", ratio(send, hook)));
    println!("{:<44} {:>9} KiB  (at most 4096)", "bch-hook, memory, empty inbox", home.hook_memory());

    for (count, limit) in [(1_000, 10), (10_000, 80)] {
        let home = Home::new(place.path().join(format!("unread-{count}")));
        home.fill(count, ",\"scope\":\"org/elsewhere\"");
        let took = median((0..15).map(|_| time(&mut home.hook(), payload)).collect());
        row(&format!("bch-hook, {count} unread, none matching"), took, &format!("(at most {limit} ms)"));
    }
    drain(&place.path().join("drain"));
    parallel_senders(&place.path().join("parallel"));
    harnesses(&place.path().join("harnesses"));
}

/// What looks at the harnesses where all is set up. None is on the search path: no program runs but our own.
fn harnesses(path: &Path) {
    for (file, text) in [
        (".claude/settings.json", "{\n  \"model\": \"m\"\n}\n"),
        (".codex/config.toml", "model = \"m\"\n"),
        (".gemini/settings.json", "{\n  // mine\n  \"ui\": {}\n}\n"),
    ] {
        let file = path.join(file);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }
    let bch = |arguments: &[&str]| {
        let mut command = Command::new(BCH);
        command.env_clear().env("HOME", path).args(arguments).current_dir("/").stdout(Stdio::null());
        command
    };
    assert!(bch(&["init", "bob"]).status().unwrap().success());
    for wanted in [0, 3] {
        let output = bch(&["setup", "--yes"]).stdout(Stdio::piped()).output().unwrap();
        let unchanged = String::from_utf8(output.stdout).unwrap().matches(": nothing to do\n").count();
        assert_eq!((output.status.success(), unchanged), (true, wanted));
    }
    let mut times = [Vec::new(), Vec::new(), Vec::new()];
    for _ in 0..50 {
        times[0].push(time(&mut bch(&["setup", "--yes"]), b""));
        let (took, status) = time_ended(&mut bch(&["doctor"]), b"");
        // It fails rightly: nobody trusted our hooks in Codex.
        assert_eq!(status.code(), Some(1));
        times[1].push(took);
        times[2].push(time(&mut bch(&["uninstall", "--dry-run"]), b""));
    }
    let [setup, doctor, uninstall] = times.map(median);
    row("bch setup --yes, nothing to change", setup, "(at most 50 ms)");
    row("bch doctor, three harnesses set up", doctor, "");
    row("bch uninstall --dry-run, the same", uninstall, "");
}

/// 16 senders at once, 50 messages each.
fn parallel_senders(path: &Path) {
    let home = Home::new(path.to_owned());
    let start = Instant::now();
    let mut times: Vec<Duration> = std::thread::scope(|scope| {
        let senders: Vec<_> = (0..16)
            .map(|_| {
                scope.spawn(|| {
                    let send = || time(&mut home.bch(&["send", "@alice", "x", "--no-sync"]), b"");
                    (0..50).map(|_| send()).collect::<Vec<_>>()
                })
            })
            .collect();
        senders.into_iter().flat_map(|sender| sender.join().unwrap()).collect()
    });
    let rate = times.len() as f64 / start.elapsed().as_secs_f64();
    times.sort();
    let late = times[times.len() * 95 / 100];
    println!("{:<44} {rate:>9.0} /s   (at least 2000)", "16 parallel senders, not synced");
    row("their 95th percentile", late, "(below 20 ms)");
}

fn drain(path: &Path) {
    let mut times = Vec::new();
    for round in 0..3 {
        let home = Home::new(path.join(round.to_string()));
        home.fill(10_000, "");
        times.push(time(&mut home.bch(&["drain"]), b""));
    }
    row("bch drain, 10000 messages", median(times), "(at most 300 ms)");
}

struct Home(PathBuf);

impl Home {
    fn new(path: PathBuf) -> Self {
        fs::create_dir_all(&path).unwrap();
        let home = Self(path);
        for agent in ["bob", "alice"] {
            let status = home.bch(&["init", agent]).env("BACKCHANNEL_AGENT", agent).status();
            assert!(status.unwrap().success());
        }
        home
    }

    fn bch(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(BCH);
        command.env_clear().env("BACKCHANNEL_HOME", &self.0).env("BACKCHANNEL_AGENT", "bob").args(arguments);
        command.current_dir("/").stdout(Stdio::null());
        command
    }

    fn hook(&self) -> Command {
        let mut command = Command::new(HOOK);
        command.env_clear().args(["codex", "UserPromptSubmit", "--agent", "bob", "--home"]).arg(&self.0);
        command.stdout(Stdio::null());
        command
    }

    fn fill(&self, count: u32, extra: &str) {
        // Of today: after a week a message goes to any reader, whatever its scope.
        let now = recent();
        for number in 0..count {
            let id = format!("{number:08x}-0000-4000-8000-000000000000");
            let message = format!(
                "{{\"id\":\"{id}\",\"from\":\"alice\",\"to\":\"@bob\",\"body\":\"message {number}, of a usual \
                 length for such a thing\",\"priority\":\"normal\",\"ts\":\"{now}\"{extra}}}"
            );
            fs::write(self.0.join(format!("spool/bob/new/{id}.json")), message).unwrap();
        }
    }

    /// The hook's peak while it waits for its payload, after it looked at everything.
    fn hook_memory(&self) -> u64 {
        let mut child = self.hook().stdin(Stdio::piped()).spawn().unwrap();
        let mut input = child.stdin.take().unwrap();
        input.write_all(b"{").unwrap();
        let status = format!("/proc/{}/status", child.id());
        let peak = || {
            let status = fs::read_to_string(&status).unwrap();
            let line =
                status.lines().find(|line| line.starts_with("VmHWM")).unwrap_or("VmHWM: 0 kB").to_owned();
            line.split_ascii_whitespace().nth(1).unwrap().parse::<u64>().unwrap()
        };
        // Until it has read what there is, and waits for more.
        let start = Instant::now();
        let mut most = 0;
        while start.elapsed() < Duration::from_millis(300) {
            most = most.max(peak());
        }
        let peak = most;
        drop(input);
        child.wait().unwrap();
        peak
    }
}

/// A time stamp of today, which the benchmark's messages bear.
fn recent() -> String {
    #[expect(clippy::disallowed_methods, reason = "the benchmark's own clock")]
    let now = jiff::Timestamp::now();
    format!("{now:.3}")
}

fn static_program(place: &Path) -> PathBuf {
    let (source, program) = (place.join("floor.c"), place.join("floor"));
    fs::write(&source, "int main(void) { return 0; }\n").unwrap();
    let status = Command::new("cc").args(["-O2", "-static", "-o"]).arg(&program).arg(&source).status();
    assert!(status.unwrap().success());
    program
}

fn time(command: &mut Command, stdin: &[u8]) -> Duration {
    let (took, status) = time_ended(command, stdin);
    assert!(status.success());
    took
}

/// The same for a command that may fail.
fn time_ended(command: &mut Command, stdin: &[u8]) -> (Duration, ExitStatus) {
    let start = Instant::now();
    let mut child = command.stdin(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    // The program need not read it.
    let _ = child.stdin.take().unwrap().write_all(stdin);
    let status = child.wait().unwrap();
    (start.elapsed(), status)
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

fn ratio(one: Duration, other: Duration) -> f64 {
    one.as_secs_f64() / other.as_secs_f64()
}

fn row(name: &str, took: Duration, remark: &str) {
    println!("{name:<44} {:>9.2} ms   {remark}", took.as_secs_f64() * 1000.0);
}
