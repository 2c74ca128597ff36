//! `harnesses`: which are supported, which are here, how mail reaches each, and what was proven of that.

use console::style;
use jiff::Timestamp;
use serde::Serialize;

use super::output;
use super::setup::Site;
use crate::doctor::age;
use crate::doctor::proven::{Proof, ProofBy, Proven};
use crate::env::Env;
use crate::harness::Manifest;
use crate::install::earlier::Earlier;
use crate::install::setup::is_here;
use crate::install::wishes::{Ground, Vehicle};

/// What a machine knows of one harness.
#[derive(Serialize)]
struct Row {
    id: String,
    title: String,
    /// Whether its directory or its program is here.
    found: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    /// How mail reaches it; `null` where it is not set up.
    delivery: Option<&'static str>,
    /// Whether it has our tools.
    tools: bool,
    /// The agent of its own that it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    agent: Option<String>,
    /// The last proof; `null` where there was none.
    proven: Option<Proof>,
}

impl Row {
    /// Whether the proof holds for what is here now.
    fn is_proven(&self) -> bool {
        let is_of_now = |proof: &Proof| {
            !proof.version.as_ref().is_some_and(|then| is_another(then, self.version.as_deref()))
        };
        self.proven.as_ref().is_some_and(|proof| proof.ok && is_of_now(proof))
    }
}

pub(super) fn harnesses(json: bool, env: &Env) -> anyhow::Result<()> {
    let site = Site::open(env)?;
    // Files that a variable moved at setup are still there when it is not set any more.
    let moved = site.env.with(site.receipt.environment());
    let mut ground = site.ground(false);
    ground.env = &moved;
    let proven = Proven::load(&ground.home);
    let rows: Vec<_> =
        Manifest::all().iter().map(|manifest| row(manifest, &ground, &site, &proven)).collect();
    match json {
        true => output::print_json(&rows)?,
        false => output::print(&table(&rows, env.now()))?,
    }
    Ok(())
}

fn row(manifest: &Manifest, ground: &Ground<'_>, site: &Site, proven: &Proven) -> Row {
    let found = is_here(manifest, ground.env);
    let earlier = Earlier::of(manifest, ground, &site.receipt).filter(|_| found);
    let delivery = earlier.map(|earlier| match earlier.vehicle {
        Vehicle::Folder => "folder",
        Vehicle::Settings => "settings",
    });
    let agent = ground.identities.get(&manifest.id).filter(|_| delivery.is_some());
    Row {
        id: manifest.id.clone(),
        title: manifest.title.clone(),
        found,
        version: manifest.install.version(ground.env).filter(|_| found),
        delivery,
        tools: delivery.is_some(),
        agent: agent.map(ToString::to_string),
        proven: proven.of(&manifest.id).filter(|_| delivery.is_some()).cloned(),
    }
}

/// Columns for a person: what is not here is said in a word.
fn table(rows: &[Row], now: Timestamp) -> String {
    let cells = |row: &Row| {
        let version = row.version.as_deref().unwrap_or(if row.found { "unknown" } else { "-" });
        let mail = match (row.found, row.delivery) {
            (false, _) => "not here".to_owned(),
            (true, None) => "not set up".to_owned(),
            (true, Some(delivery)) => {
                let place = if delivery == "folder" { "a folder of ours" } else { "its settings" };
                let agent = row.agent.as_ref().map(|agent| format!(", as @{agent}")).unwrap_or_default();
                format!("by {place}{agent}")
            }
        };
        let proof = row.proven.as_ref().map(|proof| told(proof, row.version.as_deref(), now));
        let unproven = if row.delivery.is_some() { "not yet" } else { "" };
        [row.title.clone(), version.to_owned(), mail, proof.unwrap_or_else(|| unproven.to_owned())]
    };
    let head = ["HARNESS", "VERSION", "MAIL ARRIVES", "PROVEN"].map(str::to_owned);
    let lines: Vec<_> = std::iter::once(head).chain(rows.iter().map(cells)).collect();
    let widths =
        [0, 1, 2].map(|column| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0));
    let mut text = String::new();
    for (index, [title, version, mail, proof]) in lines.iter().enumerate() {
        let [first, second, third] = widths;
        let line = output::plain(&format!("{title:<first$}  {version:<second$}  {mail:<third$}  {proof}"));
        let line = line.trim_end();
        let line = if index == 0 { style(line).bold().to_string() } else { line.to_owned() };
        text.push_str(&(line + "\n"));
    }
    text + &hints(rows)
}

/// The commands that bring what is missing.
fn hints(rows: &[Row]) -> String {
    let mut hints = Vec::new();
    if rows.iter().any(|row| row.found && row.delivery.is_none()) {
        hints.push("set up what is here: bch setup\n");
    }
    if rows.iter().any(|row| row.delivery.is_some() && !row.is_proven()) {
        hints.push("prove that mail arrives: bch doctor --prove\n");
    }
    if hints.is_empty() { String::new() } else { format!("\n{}", hints.concat()) }
}

/// A proof in a few words.
fn told(proof: &Proof, version: Option<&str>, now: Timestamp) -> String {
    let by = match proof.by {
        ProofBy::Hook => "by its hooks",
        ProofBy::Live => "live",
    };
    match (proof.ok, &proof.version) {
        (false, _) => "NO".to_owned(),
        (true, Some(then)) if is_another(then, version) => format!("{by}, for {then} only"),
        (true, _) => format!("{by}, {} ago", age(now, proof.when)),
    }
}

/// Whether the harness was proven at another version than it is of now.
fn is_another(then: &str, version: Option<&str>) -> bool {
    version.is_some_and(|version| version != then)
}
