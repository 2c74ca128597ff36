//! A home that leaves its relay: it is said what goes with it, and what stays there.

use super::team::{Team, bch, failure, json};
use crate::support::home::succeed;

#[test]
fn purge_says_what_was_not_sent_and_takes_the_token() {
    let mut team = Team::start();
    let (alice, bob) = (team.machine("alice"), team.machine("bob"));
    let address = team.relay.address;
    team.relay.kill();
    succeed(&bch(&bob, &["send", "@alice", "never sent"]));
    let url = team.url();
    let told = bch(&bob, &["uninstall", "--purge", "--dry-run"]);
    let told = String::from_utf8_lossy(&told.stdout);
    assert!(told.contains(&format!("the token of @bob at {url}, 1 not sent yet")), "{told}");
    assert!(bob.path().join("credentials").exists(), "it was a look");
    succeed(&bch(&bob, &["uninstall", "--purge", "--yes"]));
    assert!(!bob.path().exists());
    team.relay.restart_at(address);
    let agents = String::from_utf8_lossy(&bch(&alice, &["agents"]).stdout).into_owned();
    assert!(agents.contains("@bob"), "the name is the relay's: {agents}");
}

#[test]
fn whoever_was_revoked_joins_by_another_name() {
    let team = Team::start();
    let (sam, other) = (team.machine("sam"), team.machine("other"));
    let join = |name: &str| super::team::join(&sam, &team.invite(&["--channel", "#team"]), name, &[]);
    // While the relay knows it, the place is taken.
    let told = failure(&join("sam-2"), 1);
    assert!(told.contains("this machine's agent is @sam"), "{told}");
    team.relay.admin().delete("/v1/agents/sam?keep_token=true").ok();
    let told = failure(&bch(&sam, &["inbox"]), 1);
    assert!(told.contains("bch join INVITE --as NAME"), "{told}");
    let told = failure(&join("sam"), 1);
    assert!(told.contains("the name @sam is taken") && told.contains("--as sam-2"), "{told}");
    let told = succeed(&join("sam-2"));
    assert!(told.contains("the relay knows @sam no more: @sam-2 is this machine's agent now"), "{told}");
    succeed(&bch(&other, &["send", "@sam-2", "welcome back"]));
    assert_eq!(json(&bch(&sam, &["drain", "--json"]))[0]["body"], "welcome back");
    assert!(succeed(&bch(&sam, &["whoami"])).starts_with("@sam-2 "));
}

#[test]
fn who_stays_behind_on_this_machine_is_named() {
    let team = Team::start();
    let home = crate::support::home::Home::with(&["wil", "pal"]);
    succeed(&home.as_agent("wil", &["init", "wil", "--switch"]));
    let told = succeed(&super::team::join(&home, &team.invite(&[]), "wil", &[]));
    assert!(told.contains("@pal stays on this machine") && !told.contains("@wil stays"), "{told}");
}

#[test]
fn what_a_join_set_aside_and_did_not_live_to_decide_on_is_found_again() {
    let team = Team::start();
    let bob = team.machine("bob");
    let kept = std::fs::read_dir(bob.path().join("credentials")).unwrap().next().unwrap().unwrap().path();
    std::fs::rename(&kept, kept.with_extension("gone")).unwrap();
    succeed(&super::team::join(&bob, &team.invite(&[]), "bob", &[]));
    assert!(kept.exists() && !kept.with_extension("gone").exists());
    assert!(succeed(&bch(&bob, &["drain"])).contains("no unread mail"));
}
