//! What each harness needs so that mail reaches it, made from its manifest: facts in, wishes out.

pub mod cron;
mod ground;
pub mod notifier;

use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::{Content, Wish, first_version};
use crate::edit::{self, Entry, Format};
use crate::harness::{Event, Folder, Gives, Installation, Manifest, Place, TimeoutUnit};
use crate::spool::local::files::read_settings;
pub use ground::{Ground, programs};

/// The key of our MCP server, and the name of our folders and skills.
pub const NAME: &str = "backchannel";
/// One of these is in an MCP entry of ours, also in one that another tool changed, or of the first version.
const SERVER_MARKS: [&str; 3] = ["/bch", first_version::SERVER, ".backchannel"];
/// What an agent is told of its mail.
const INSTRUCTIONS: &str = include_str!("../../../templates/instructions.md");
/// What a hook may take, in seconds, unless its event says otherwise.
const TIMEOUT: u64 = 10;

/// Where mail reaches a harness.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Vehicle {
    /// A folder of ours, which the harness loads by itself.
    Folder,
    /// Entries in the harness's own files.
    Settings,
}

/// What one harness needs.
pub struct Maker<'a> {
    manifest: &'a Manifest,
    ground: &'a Ground<'a>,
    directory: PathBuf,
    user_home: PathBuf,
}

impl<'a> Maker<'a> {
    /// `None` where the harness's directory cannot be known: there is no home.
    #[must_use]
    pub fn new(manifest: &'a Manifest, ground: &'a Ground<'a>) -> Option<Self> {
        let (directory, user_home) = manifest.install.directories(ground.env)?;
        Some(Self { manifest, ground, directory, user_home })
    }

    /// The harness's directory.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    fn install(&self) -> &Installation {
        &self.manifest.install
    }

    fn wish(&self, path: PathBuf, content: Content) -> Wish {
        let tools = &self.install().tools;
        // A file is locked beside itself, under its own name.
        let lock = tools.lock_suffix.as_ref().filter(|_| path == self.tools_file()).map(|suffix| {
            let mut name = path.clone().into_os_string();
            name.push(suffix);
            PathBuf::from(name)
        });
        Wish { owner: self.manifest.id.clone(), path, content, lock }
    }

    /// Everything, by one vehicle; by the harness's own files where it has no folder for us.
    #[must_use]
    pub fn wishes(&self, vehicle: Vehicle) -> Vec<Wish> {
        let (vehicle, mut wishes) = match &self.install().folder {
            Some(folder) if vehicle == Vehicle::Folder => (vehicle, self.folder(folder)),
            _ => (Vehicle::Settings, self.settings()),
        };
        wishes.extend(self.first_version(vehicle));
        wishes.extend(self.approval(vehicle));
        wishes.extend(self.instructions(vehicle));
        join(wishes)
    }

    fn folder(&self, folder: &Folder) -> Vec<Wish> {
        let root = self.directory.join(&folder.path);
        let mut description = json!({
            "name": NAME, "version": env!("CARGO_PKG_VERSION"), "description": env!("CARGO_PKG_DESCRIPTION")
        });
        let servers = json!({ NAME: self.server() });
        let mut files = vec![(folder.skill.as_str(), crate::SKILL.as_bytes().to_vec())];
        if let Some(instructions) = &folder.instructions {
            files.push((&instructions.file, INSTRUCTIONS.as_bytes().to_vec()));
            description[&instructions.key] = instructions.file.as_str().into();
        }
        match &folder.tools {
            Some(file) => files.push((file, pretty(&json!({ "mcpServers": servers })))),
            None => description["mcpServers"] = servers,
        }
        let hooks: Map<_, _> =
            self.hooks().map(|(event, group)| (event.name.clone(), json!([group]))).collect();
        files.push((&folder.hooks, pretty(&json!({ "hooks": hooks }))));
        // The description comes last: until it is there, the harness loads nothing of the folder.
        files.push((&folder.description, pretty(&description)));
        let whole = |bytes| Content::Whole { bytes };
        files.into_iter().map(|(file, bytes)| self.wish(root.join(file), whole(bytes))).collect()
    }

    fn settings(&self) -> Vec<Wish> {
        let install = self.install();
        let hooks = self.hooks().map(|(event, value)| Entry::Element {
            path: [&install.hooks.path[..], std::slice::from_ref(&event.name)].concat(),
            value,
            mark: Ground::mark(),
        });
        let server = Entry::Member {
            path: [&install.tools.place.path[..], &[NAME.to_owned()]].concat(),
            value: self.server(),
            mark: Some(format!("/{NAME}/bin/bch")),
            replaces: SERVER_MARKS.map(str::to_owned).to_vec(),
        };
        let skill = install.skill.as_ref().map(|file| {
            let bytes = crate::SKILL.as_bytes().to_vec();
            self.wish(self.directory.join(file), Content::Whole { bytes })
        });
        let mut wishes: Vec<_> = skill.into_iter().collect();
        wishes.push(self.entries(self.tools_file(), &install.tools.place, vec![server]));
        wishes.push(self.entries(self.directory.join(&install.hooks.file), &install.hooks, hooks.collect()));
        wishes
    }

    fn entries(&self, path: PathBuf, place: &Place, entries: Vec<Entry>) -> Wish {
        self.wish(path, Content::Entries { format: place.format, entries, outdated: Vec::new() })
    }

    /// The file with its MCP servers.
    #[must_use]
    pub fn tools_file(&self) -> PathBuf {
        let tools = &self.install().tools;
        let is_moved = self
            .install()
            .directory_variable
            .as_ref()
            .is_some_and(|name| self.ground.env.variable(name).is_some());
        match &tools.file_in_home {
            Some(file) if !is_moved => self.user_home.join(file),
            _ => self.directory.join(&tools.place.file),
        }
    }

    /// Each event that matters, with the group of our hook.
    fn hooks(&self) -> impl Iterator<Item = (&Event, Value)> {
        self.manifest.events.iter().map(|event| {
            let seconds = event.timeout.unwrap_or(TIMEOUT);
            let timeout = match self.manifest.timeout_unit {
                TimeoutUnit::Seconds => seconds,
                TimeoutUnit::Milliseconds => seconds * 1000,
            };
            let mut hook = Map::new();
            hook.insert("type".into(), "command".into());
            if self.install().named_hooks {
                hook.insert("name".into(), NAME.into());
            }
            hook.insert("command".into(), self.ground.hook_line(self.manifest, event).into());
            hook.insert("timeout".into(), timeout.into());
            (event, json!({ "hooks": [hook] }))
        })
    }

    /// The entry of our MCP server.
    fn server(&self) -> Value {
        let tools = &self.install().tools;
        let mut server = tools.fields.clone();
        let agent = self.ground.identities.get(&self.manifest.id);
        let agent = agent.map(|agent| ["--agent".to_owned(), agent.to_string()]);
        let mut arguments = vec!["mcp".to_owned()];
        arguments.extend(agent.into_iter().flatten());
        arguments.extend(["--home".to_owned(), self.ground.home.to_string_lossy().into_owned()]);
        server.insert("command".into(), self.ground.programs.join("bch").to_string_lossy().into());
        server.insert("args".into(), arguments.into());
        if self.ground.approve_tools {
            server.extend(tools.approving_fields.clone());
        }
        Value::Object(server)
    }

    fn approval(&self, vehicle: Vehicle) -> Option<Wish> {
        let install = self.ground.approve_tools.then_some(self.install())?;
        let of_folder = install.folder.as_ref().filter(|_| vehicle == Vehicle::Folder);
        if let Some(approval) = of_folder.and_then(|folder| folder.approval.as_ref()) {
            let bytes = approval.text.as_bytes().to_vec();
            return Some(self.wish(self.directory.join(&approval.file), Content::Whole { bytes }));
        }
        let approval = install.tools.approval.as_ref()?;
        let element = if vehicle == Vehicle::Folder { &approval.folder_element } else { &approval.element };
        let entry = Entry::Element {
            path: approval.place.path.clone(),
            value: element.as_str().into(),
            mark: element.clone(),
        };
        Some(self.entries(self.directory.join(&approval.place.file), &approval.place, vec![entry]))
    }

    fn instructions(&self, vehicle: Vehicle) -> Option<Wish> {
        let instructions = self.install().instructions.as_ref()?;
        let has_own = self.install().folder.as_ref().is_some_and(|folder| folder.instructions.is_some());
        let is_wanted = !(has_own && vehicle == Vehicle::Folder);
        let is_in_force = |file: &String| {
            read_settings(&self.directory.join(file)).is_ok_and(|bytes| !bytes.trim_ascii().is_empty())
        };
        let overriding = instructions.overriding_file.clone().filter(is_in_force);
        let named = instructions.setting.as_ref().and_then(|place| self.setting(place));
        let file = overriding.or(named).unwrap_or_else(|| instructions.file.clone());
        let section = is_wanted.then(|| Entry::Section { text: INSTRUCTIONS.to_owned() });
        let outdated = vec![first_version::section()];
        let entries = section.into_iter().collect();
        let content = Content::Entries { format: Format::Markdown, entries, outdated };
        Some(self.wish(self.directory.join(file), content))
    }

    /// What the first version left in the harness's own files.
    fn first_version(&self, vehicle: Vehicle) -> Vec<Wish> {
        let install = self.install();
        let clean = |path: PathBuf, place: &Place, outdated| {
            self.wish(path, first_version::clean(place.format, vec![outdated]))
        };
        let prompts = self.manifest.events.iter().filter(|event| event.gives == Gives::All);
        let hooks = prompts.map(|event| {
            let file = self.directory.join(&install.hooks.file);
            clean(file, &install.hooks, first_version::hook(&install.hooks.path, &event.name))
        });
        let mut wishes: Vec<_> = hooks.collect();
        if vehicle == Vehicle::Folder {
            let place = &install.tools.place;
            wishes.push(clean(
                self.tools_file(),
                place,
                first_version::server(&[&place.path[..], &[NAME.to_owned()]].concat()),
            ));
            if let Some(skill) = &install.skill {
                let mark = first_version::SKILL.to_owned();
                wishes.push(self.wish(self.directory.join(skill), Content::Gone { mark }));
            }
        }
        wishes
    }

    /// A file name that a setting gives: the first, where it is a list.
    fn setting(&self, place: &Place) -> Option<String> {
        let bytes = read_settings(&self.directory.join(&place.file)).ok()?;
        let value = edit::value(place.format, &bytes).ok()?;
        let found = place.path.iter().try_fold(&value, |value, key| value.get(key))?;
        let name = found.as_str().or_else(|| found.as_array()?.first()?.as_str())?;
        // A path elsewhere is a file of a project, not of the user's directory.
        (!name.contains('/')).then(|| name.to_owned())
    }
}

/// Puts the entries of one file together: it is written once.
fn join(wishes: Vec<Wish>) -> Vec<Wish> {
    let mut joined: Vec<Wish> = Vec::new();
    for wish in wishes {
        let same = joined.iter_mut().find(|other| other.path == wish.path);
        match (same.map(|wish| &mut wish.content), wish.content) {
            (
                Some(Content::Entries { entries, outdated, .. }),
                Content::Entries { entries: more, outdated: old, .. },
            ) => {
                entries.extend(more);
                outdated.extend(old);
            }
            (_, content) => joined.push(Wish { content, ..wish }),
        }
    }
    joined
}

fn pretty(value: &Value) -> Vec<u8> {
    let mut text = serde_json::to_string_pretty(value).unwrap_or_default();
    text.push('\n');
    text.into_bytes()
}
