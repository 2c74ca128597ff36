//! The documents keep their word.

use std::fs;
use std::path::Path;

use crate::support::home::{BCH, Home, succeed};

fn text(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

#[test]
fn the_skill_costs_an_agent_700_tokens_at_most() {
    let tokens = tiktoken_rs::o200k_base().unwrap().encode_ordinary(&text("SKILL.md")).len();
    assert!(tokens <= 700, "{tokens}");
}

#[test]
fn every_dependency_has_its_reason() {
    let reasons = text("docs/dependencies.md");
    let manifest: toml::Table = text("Cargo.toml").parse().unwrap();
    for group in ["dependencies", "dev-dependencies"] {
        for name in manifest[group].as_table().unwrap().keys() {
            assert!(reasons.contains(&format!("| `{name}` |")), "{name}");
        }
    }
}

#[test]
fn the_demonstration_plays_and_leaves_nothing() {
    let home = Home::with(&[]);
    let place = tempfile::tempdir().unwrap();
    let mut command = home.command(BCH);
    let output = command.env("TMPDIR", place.path()).arg("demo").output().unwrap();
    let shown = succeed(&output);
    assert_eq!(shown.matches("begins ---").count(), 3, "{shown}");
    assert_eq!(shown.matches("# 0 unread, 0 shown").count(), 3, "{shown}");
    assert_eq!(fs::read_dir(place.path()).unwrap().count(), 0);
}
