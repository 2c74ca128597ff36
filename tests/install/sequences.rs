//! Whatever order setup, its user's edits and other tools' rewriting come in: uninstall leaves what is the user's, all
//! of it, and nothing of ours.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::{UserHome, result};

const SETTINGS: &str = ".gemini/settings.json";
const EVENTS: [&str; 3] = ["BeforeAgent", "AfterTool", "Mine"];

/// One thing that happens to the file.
#[derive(Debug, Clone)]
enum Step {
    Setup {
        folder: bool,
        approve: bool,
    },
    /// The user adds a setting of their own.
    Set(u8),
    /// The user adds a hook of their own, before or after ours.
    Hook(usize, usize),
    /// Another tool writes the file anew.
    Rewrite(bool),
    /// The user takes one of our hooks out.
    Drop(usize),
    /// Another tool changes one of our hooks.
    Change(usize),
    Uninstall,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (any::<bool>(), any::<bool>()).prop_map(|(folder, approve)| Step::Setup { folder, approve }),
        2 => any::<u8>().prop_map(Step::Set),
        2 => (0..EVENTS.len(), 0..3usize).prop_map(|(event, position)| Step::Hook(event, position)),
        1 => any::<bool>().prop_map(Step::Rewrite),
        1 => (0..EVENTS.len()).prop_map(Step::Drop),
        1 => (0..EVENTS.len()).prop_map(Step::Change),
        1 => Just(Step::Uninstall),
    ]
}

fn is_ours(value: &Value) -> bool {
    value.to_string().contains("bch-hook")
}

/// The file, and what in it is the user's.
struct World {
    home: UserHome,
    user: Value,
    hooks: usize,
}

impl World {
    fn change(&self, change: impl FnOnce(&mut Value)) {
        let mut value: Value = serde_json::from_str(&self.home.read(SETTINGS)).unwrap();
        change(&mut value);
        self.home.write(SETTINGS, format!("{value:#}"));
    }

    fn groups<'a>(value: &'a mut Value, event: &str) -> &'a mut Vec<Value> {
        let hooks = value.as_object_mut().unwrap().entry("hooks").or_insert_with(|| json!({}));
        let groups = hooks.as_object_mut().unwrap().entry(event).or_insert_with(|| json!([]));
        groups.as_array_mut().unwrap()
    }

    fn run(&mut self, step: &Step) {
        match step {
            Step::Setup { folder, approve } => {
                let mut words = vec!["setup", "--vehicle", if *folder { "folder" } else { "settings" }];
                words.extend(approve.then_some("--approve-tools"));
                assert!(self.home.run(&words).0);
                let set_up = self.home.snapshot();
                let (_, report) = self.home.run(&words);
                assert_eq!(result(&report, "gemini-cli"), "unchanged");
                assert_eq!(self.home.snapshot(), set_up, "twice is not once");
            }
            Step::Set(number) => {
                let (key, value) = (format!("key{}", number % 3), json!(number));
                self.change(|settings| settings[&key] = value.clone());
                self.user[&key] = value;
            }
            Step::Hook(event, position) => {
                self.hooks += 1;
                let mine = json!({"hooks": [{"type": "command", "command": format!("mine {}", self.hooks)}]});
                let mut before = 0;
                self.change(|settings| {
                    let groups = Self::groups(settings, EVENTS[*event]);
                    let position = (*position).min(groups.len());
                    before = groups[..position].iter().filter(|group| !is_ours(group)).count();
                    groups.insert(position, mine.clone());
                });
                Self::groups(&mut self.user, EVENTS[*event]).insert(before, mine);
            }
            Step::Rewrite(is_pretty) => {
                let value: Value = serde_json::from_str(&self.home.read(SETTINGS)).unwrap();
                let text = if *is_pretty { format!("{value:#}") } else { value.to_string() };
                self.home.write(SETTINGS, text);
            }
            Step::Drop(event) => {
                self.change(|settings| {
                    Self::groups(settings, EVENTS[*event]).retain(|group| !is_ours(group))
                });
            }
            Step::Change(event) => self.change(|settings| {
                for group in Self::groups(settings, EVENTS[*event]).iter_mut().filter(|group| is_ours(group))
                {
                    group["hooks"][0]["timeout"] = json!(1);
                }
            }),
            Step::Uninstall => assert!(self.home.run(&["uninstall"]).0),
        }
    }
}

/// Without what is empty, which nobody misses.
fn pruned(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let fields = fields.iter().map(|(key, value)| (key.clone(), pruned(value)));
            let is_something = |value: &Value| *value != json!({}) && *value != json!([]);
            Value::Object(fields.filter(|(_, value)| is_something(value)).collect::<Map<_, _>>())
        }
        other => other.clone(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(60) })]

    #[test]
    fn uninstall_leaves_what_is_the_users_after_any_sequence(steps in proptest::collection::vec(step(), 1..9)) {
        let home = UserHome::new();
        home.write(SETTINGS, "{\n\t\"a\": 1.0\n}");
        let mut world = World { home, user: json!({"a": 1.0}), hooks: 0 };
        steps.iter().for_each(|step| world.run(step));
        world.run(&Step::Uninstall);
        let left: Value = serde_json::from_str(&world.home.read(SETTINGS)).unwrap();
        prop_assert_eq!(pruned(&left), pruned(&world.user));
        let others: Vec<_> = world.home.snapshot().into_keys().filter(|path| !path.ends_with("settings.json")).collect();
        prop_assert_eq!(others, [std::path::PathBuf::from(".gemini")]);
        prop_assert!(!world.home.file(".local").exists());
    }
}
