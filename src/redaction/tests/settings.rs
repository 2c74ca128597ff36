//! The table in `bch.toml`.

use super::*;
use crate::config::Config;

/// The settings as a home has them.
fn read(text: &str) -> Result<Redaction, String> {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("bch.toml"), text).unwrap();
    Config::load_from(home.path()).unwrap().redaction().map_err(|error| {
        assert!(error.hint().unwrap().contains("bch.toml"));
        error.to_string()
    })
}

#[test]
fn is_on_unless_it_is_turned_off() {
    let text = "PASSWORD=hunter22";
    let home = tempfile::tempdir().unwrap();
    let unset = Config::load_from(home.path()).unwrap().redaction().unwrap();
    for on in [unset, read("recent_minutes = 3").unwrap(), read("[redaction]").unwrap()] {
        assert_eq!(on.redact(text).text, "PASSWORD=[redacted: password]");
    }
    let off = "[redaction]\non = false\n[redaction.patterns]\nown = 'hunter'";
    assert_eq!(read(off).unwrap().redact(text).text, text);
    assert_eq!(Redaction::off().redact(text).text, text);
}

#[test]
fn takes_own_patterns_and_leaves_kinds_out() {
    let redaction = read(
        "[redaction]\nexcept = ['password']\n[redaction.patterns]\nstaff = '(?i)staff-\\d{6}'\nticket = 'ticket (\\w+)'",
    )
    .unwrap();
    let redacted = redaction
        .redact("PASSWORD=hunter22 STAFF-123456, ticket ABCdéf; again ABCdéf; api_key=0123456789abcdef");
    assert_eq!(
        redacted.text,
        "PASSWORD=hunter22 [redacted: staff], ticket [redacted: ticket]; again [redacted: ticket]; \
         api_key=[redacted: secret]"
    );
    assert_eq!(redacted.found.to_string(), "secret, staff, ticket (2)");
}

#[test]
fn a_mistake_is_said_and_not_passed_over() {
    let long = "[redaction.patterns]\nx = '(?:\\w{1000}){1000}'";
    let many: String = (0..101).map(|number| format!("p{number} = 'x'\n")).collect();
    for (text, said) in [
        ("[redaction]\nof = true", "unknown field"),
        ("[redaction]\nexcept = ['paswords']", "no kind `paswords`"),
        ("[redaction.patterns]\nStaff = 'x'", "name `Staff`"),
        ("[redaction.patterns]\n'' = 'x'", "name ``"),
        (
            "[redaction.patterns]\nstaff = '('",
            "pattern `staff` in `redaction.patterns` is none: unclosed group",
        ),
        ("[redaction.patterns]\nstaff = 'x*'", "found in an empty text"),
        (long, "exceeds size limit"),
        (&format!("[redaction.patterns]\n{many}"), "more than 100"),
    ] {
        let error = read(text).unwrap_err();
        assert!(error.contains(said), "{error}");
        assert!(error.starts_with("could not use the settings in "), "{error}");
    }
}
