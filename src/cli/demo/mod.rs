//! `demo`: the whole story in a throw-away home, played by the same code that serves real users.
//!
//! Nothing outside that home is read or written but our own two programs, which setup copies; no variable of
//! the real environment is listened to, and no process is started.

mod configurations;
mod files;
mod harnesses;
mod mail;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context as _, bail, ensure};

use super::{identity, output, setup};
use crate::env::Env;
use crate::message::AgentName;
use crate::spool::Spool;
use crate::spool::local::LocalSpool;
use files::Snapshot;

/// Where bob works, and whom the messages concern.
const SCOPE: &str = "org/proj";

pub(super) fn demo(env: &Env) -> anyhow::Result<()> {
    let stop = setup::watch_for_signals()?;
    let home = make_home(env)?;
    let played = play(&home, env, Arc::clone(&stop));
    // The home was made here; what is left of it is nobody's.
    let removed = fs::remove_dir_all(&home).with_context(|| format!("could not remove {home}"));
    if stop.load(Ordering::Relaxed) {
        removed?;
        bail!("the demonstration was stopped");
    }
    let shown = played?;
    removed?;
    output::print(&shown)?;
    Ok(())
}

/// An empty directory of our own, by a path without links: what a hook's payload says must be text.
fn make_home(env: &Env) -> anyhow::Result<String> {
    let above = env.temporary_directory();
    let above = fs::canonicalize(&above).with_context(|| format!("could not find {}", above.display()))?;
    let above = above.to_str().with_context(|| format!("{} is not UTF-8", above.display()))?;
    let number = uuid::Uuid::new_v4().as_simple().to_string();
    let home = format!("{above}/bch-demo-{}", &number[..8]);
    fs::create_dir(&home).with_context(|| format!("could not make {home}"))?;
    Ok(home)
}

/// The throw-away home, and what every step needs of it.
struct Stage {
    home: PathBuf,
    /// The mail's home in it.
    mail: PathBuf,
    /// The work tree in which bob works.
    work: PathBuf,
    /// Surroundings with this home and nothing else.
    env: Env,
    spool: LocalSpool,
    alice: AgentName,
    bob: AgentName,
    /// Set by Ctrl-C: the next line that is to be said ends the story, so that the home is removed.
    stop: Arc<AtomicBool>,
}

impl Stage {
    fn build(home: &str, env: &Env, stop: Arc<AtomicBool>) -> anyhow::Result<Self> {
        let (home, env) = (PathBuf::from(home), Env::made(&[("HOME", home)], home, env.now()));
        let (mail, work) = (home.join(".backchannel"), home.join("proj"));
        let git = work.join(".git");
        fs::create_dir_all(&git).with_context(|| format!("could not make {}", git.display()))?;
        let remote = "[remote \"origin\"]\n\turl = git@github.com:org/proj.git\n";
        let config = git.join("config");
        fs::write(&config, remote).with_context(|| format!("could not write {}", config.display()))?;
        let spool = LocalSpool::open(&mail, &env, 60);
        let alice = spool.register(&"alice".parse()?)?.name;
        Ok(Self { home, mail, work, env, spool, alice, bob: "bob".parse()?, stop })
    }

    /// Prints a part of the story.
    fn say(&self, text: &str) -> anyhow::Result<()> {
        ensure!(!self.stop.load(Ordering::Relaxed), "stopped");
        Ok(output::print(text)?)
    }

    fn look(&self) -> anyhow::Result<Snapshot> {
        Snapshot::take(&self.home, &self.mail)
    }
}

/// Plays every step; returns the line that says what was shown.
fn play(home: &str, env: &Env, stop: Arc<AtomicBool>) -> anyhow::Result<String> {
    let stage = Stage::build(home, env, stop)?;
    stage.say(&format!(
        "A throw-away home, {}: all of this happens in it, and it goes at the end.\n\
         Two agents: @alice writes, @bob works in github.com/{SCOPE} on this machine.\n\
         \n== 1. Three harnesses are here, with files as their user keeps them ==\n",
        output::plain(home)
    ))?;
    for file in &configurations::ALL {
        file.write(&stage.home)?;
        stage.say(&format!("{:<22} {:>4} bytes: {}\n", file.path, file.bytes().len(), file.quirks))?;
    }
    let before = stage.look()?;
    stage.say("\n== 2. This machine gets an agent, and setup tells the harnesses ==\n$ bch init bob\n")?;
    identity::init(stage.bob.as_str(), false, false, &stage.env)?;
    harnesses::set_up(&stage)?;
    let set_up = stage.look()?;
    stage.say(
        "\n== 3. Mail reaches the model, and the end of the turn acknowledges it ==\n\
         # What each harness does with its new hooks; Codex does it once a person trusted them, see step 4.\n",
    )?;
    let acknowledged = mail::deliver(&stage)?;
    stage.say("\n== 4. Doctor looks at everything ==\n")?;
    harnesses::examine_all(&stage)?;
    stage.say("\n== 5. Everything of ours goes again ==\n")?;
    harnesses::take_out(&stage)?;
    stage.say("\n== 6. Is every file what it was? ==\n")?;
    compare(&stage, &before, &set_up, &stage.look()?)?;
    Ok(format!(
        "\nShown: {} files of three harnesses set up and given back byte for byte, {acknowledged} messages shown \
         and acknowledged.\n",
        configurations::ALL.len()
    ))
}

/// Prints what each file was, became and is, as it was found on the disk.
fn compare(stage: &Stage, before: &Snapshot, set_up: &Snapshot, now: &Snapshot) -> anyhow::Result<()> {
    let row = |name: &str, cells: [String; 3], word: &str| {
        let line = format!("{name:<22} {:<19} {:<19} {:<19} {word}", cells[0], cells[1], cells[2]);
        format!("{}\n", line.trim_end())
    };
    stage.say(&row("bytes and SHA-256:", ["before", "set up", "now"].map(str::to_owned), ""))?;
    for file in &configurations::ALL {
        let path = Path::new(file.path);
        let cells = [before, set_up, now].map(|snapshot| snapshot.describe(path));
        let word = if now.has_same(before, path) { "the same" } else { "DIFFERENT" };
        stage.say(&row(file.path, cells, word))?;
    }
    stage.say(&format!(
        "# Setup made {} files and directories more; {} of them are left. The mail is bob's, and uninstall keeps it.\n",
        set_up.count_beyond(before),
        now.count_beyond(before)
    ))?;
    let differences = now.differences(before);
    ensure!(differences.is_empty(), "not everything is what it was: {}", differences.join(", "));
    Ok(())
}
