//! A home that leaves its relay: it is said what goes with it, and what stays there.

use super::team::{Team, bch};
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
