//! The service's own Python client takes the brain of the tests for the service: `unisonlabs` from PyPI, pinned in
//! `requirements.txt`, which `tests/run` installs. Where it is not installed its tests are left out, loudly; in CI that is
//! a failure.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::brain::{Brain, Fault, Hashes, On, Shape};
use crate::support::is_left_out;
use crate::support::relay::bounded;

const PATH: &str = "/private/backchannel/room/inbox/bob/one.md";

/// The Python that has the client.
fn python() -> PathBuf {
    let place = std::env::var_os("BCH_UNISON_CLIENT").map(PathBuf::from);
    let usual = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/unisonlabs");
    place.unwrap_or(usual).join("bin/python")
}

fn check() -> Result<(), String> {
    let python = python();
    python
        .exists()
        .then_some(())
        .ok_or_else(|| format!("{} is not there: ./tests/run installs unisonlabs", python.display()))
}

/// Plays one scene of `official.py`.
#[track_caller]
fn play(brain: &Brain, scene: &[&str]) {
    let home = tempfile::tempdir().unwrap();
    let script: OsString =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/brain/official.py").into_os_string();
    let output = bounded(
        Command::new(python())
            .env_clear()
            .env("HOME", home.path())
            .env("UNISON_API_URL", brain.url())
            .env("UNISON_TOKEN", brain.token())
            .current_dir(home.path())
            .stdin(Stdio::null())
            .args(["-I", "-B"])
            .arg(script)
            .args(scene),
    );
    assert!(output.status.success(), "{scene:?}: {}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn writes_reads_lists_and_deletes_in_each_shape() {
    if is_left_out(check()) {
        return;
    }
    let usual = Shape::default();
    let bare_lists = Shape { has_bodies_in_lists: false, has_hashes_in_lists: false, ..usual };
    let shapes = [
        usual,
        Shape { is_wrapped: true, ..usual },
        bare_lists,
        Shape { hashes: Hashes::Absent, is_wrapped: true, ..bare_lists },
        Shape { hashes: Hashes::Null, ..usual },
    ];
    for shape in shapes {
        let brain = Brain::with(shape);
        let has_hashes = shape.hashes == Hashes::Given;
        let facts = format!("[{has_hashes}, {}, {}]", shape.has_bodies_in_lists, shape.has_hashes_in_lists);
        play(&brain, &["life", &facts]);
        assert_eq!(brain.documents().len(), 31, "{shape:?}");
        assert!(brain.requests().iter().all(|asked| asked.token.as_deref() == Some(&brain.token())));
    }
}

#[test]
fn is_let_in_by_its_token_alone() {
    if is_left_out(check()) {
        return;
    }
    let brain = Brain::start();
    play(&brain, &["nobody", &brain.token_of("reader", &["brain:read"])]);
}

#[test]
fn knows_each_error() {
    if is_left_out(check()) {
        return;
    }
    let brain = Brain::start();
    for status in [400, 403, 408, 409, 429, 500, 503] {
        brain.next(On::read(&format!("/{status}.md")), Fault::status(status));
    }
    brain.next(On::read("/text.md"), Fault::text(502));
    brain.next(On::read("/null.md"), Fault::null(502));
    brain.next(On::read("/nothing.md"), Fault::null(200));
    brain.next(On::read("/cut.md"), Fault::cut());
    brain.next(On::read("/half.md"), Fault::half());
    brain.next(On::write("/slow.md"), Fault::held());
    brain.put("/private/half.md", "half of it");
    brain.put("/private/fine.md", "fine");
    play(&brain, &["errors"]);
    // It waited no longer, and what it had asked is done all the same.
    brain.wait_until_held(1);
    assert!(brain.document("/private/slow.md").is_none());
    brain.release();
    let begun = Instant::now();
    while brain.document("/private/slow.md").is_none() {
        assert!(begun.elapsed() < Duration::from_secs(10));
        std::thread::yield_now();
    }
}

#[test]
fn tries_again_when_it_is_told_to() {
    if is_left_out(check()) {
        return;
    }
    let brain = Brain::start();
    brain.put("/private/busy.md", "busy");
    brain.next_times(2, On::read("/busy.md"), Fault::busy("0.01"));
    play(&brain, &["retries"]);
    let statuses: Vec<_> = brain.requests().iter().map(|asked| asked.status).collect();
    assert_eq!(statuses, [Some(429), Some(429), Some(200)]);
    let [first, .., last] = &brain.requests()[..] else { panic!() };
    // Its own waits would be 0.5 s and 1 s.
    assert!(last.at - first.at < Duration::from_millis(500));
}

#[test]
fn cannot_know_what_became_of_a_lost_answer() {
    if is_left_out(check()) {
        return;
    }
    let brain = Brain::start();
    brain.put(PATH, "unread");
    brain.next(On::write(PATH), Fault::cut().after_it_was_done());
    brain.next(On::delete(PATH), Fault::cut().after_it_was_done());
    play(&brain, &["unknown"]);
    assert!(brain.documents().is_empty());
    assert_eq!((brain.count(&On::write(PATH)), brain.count(&On::delete(PATH))), (2, 2));
}

#[test]
fn wins_a_race_once() {
    if is_left_out(check()) {
        return;
    }
    let brain = Brain::start();
    brain.put(PATH, "unread");
    play(&brain, &["race"]);
    assert_eq!(brain.document(PATH).unwrap().writes, 2);
}

#[test]
fn has_an_asynchronous_side() {
    if is_left_out(check()) {
        return;
    }
    play(&Brain::start(), &["asynchronous"]);
}
