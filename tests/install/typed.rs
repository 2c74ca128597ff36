//! A token or an invite that somebody types at the terminal: nothing of it is shown, and the terminal is as it was.

use super::dialogue::{Dialogue, Ending, LIMIT};
use super::{UserHome, assert_same};
use crate::relay::team::Team;
use crate::support::is_left_out;
use crate::support::relay::ROOM;
use crate::support::tmux::Tmux;

const QUESTION: &str = "(it is not shown):";

/// Types it at the question, and waits for the end.
fn typed(home: &UserHome, arguments: &[&str], text: &str) -> (i32, String) {
    let dialogue = Dialogue::start(home, arguments);
    dialogue.reach(&[QUESTION]);
    dialogue.terminal.send_text(text);
    dialogue.end(Ending::Key("Enter"));
    (dialogue.status(), dialogue.last_lines("typed").join("\n"))
}

#[test]
fn an_invite_and_a_room_token_can_be_typed_and_are_not_shown() {
    if is_left_out(Tmux::check()) {
        return;
    }
    let team = Team::start();
    let (home, operator) = (UserHome::new(), UserHome::new());
    let invite = team.invite(&[]);
    let (status, screen) = typed(&home, &["join", "--as", "bob", "--yes", "--no-notify"], &invite);
    assert_eq!(status, 0, "{screen}");
    assert!(screen.contains("you are @bob,") && !screen.contains(&invite[5..15]), "{screen}");
    let (status, screen) = typed(&operator, &["invite", "--url", &team.url()], ROOM);
    assert_eq!(status, 0, "{screen}");
    assert!(screen.contains("bch1-") && !screen.contains(ROOM), "{screen}");
}

#[test]
fn a_stop_at_that_question_changes_nothing() {
    if is_left_out(Tmux::check()) {
        return;
    }
    let home = UserHome::new();
    let before = home.everything();
    for key in ["C-c", "C-d", "Escape"] {
        let dialogue = Dialogue::start(&home, &["join", "--as", "bob"]);
        dialogue.reach(&[QUESTION]);
        dialogue.terminal.send_text("bch1-half");
        dialogue.end(Ending::Key(key));
        assert_eq!(dialogue.status(), 1, "{key}");
        let lines = dialogue.last_lines(key).join("\n");
        assert!(
            lines.contains("error: stopped; nothing was changed\nhint: bch join - --as bob"),
            "{key}: {lines}"
        );
        assert!(!lines.contains("half"), "{key}: {lines}");
        dialogue.terminal.wait_for_text("modes kept", LIMIT);
        assert_same(&home.everything(), &before, key);
    }
}
