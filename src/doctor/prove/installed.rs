//! What of ours is installed in a harness, read from the harness's own files as they are now: not as setup would
//! write it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use crate::edit::Format;
use crate::harness::{Event, Manifest, Settings, TimeoutUnit};
use crate::install::wishes::{Ground, Maker, NAME, Vehicle};

/// The name of our hook, by whatever path.
const HOOK: &str = "bch-hook";

/// Hooks and MCP entry.
#[derive(Debug, Default)]
pub(super) struct Installed {
    /// The file with the hooks.
    pub(super) hooks: PathBuf,
    lines: Vec<Line>,
    /// The file with the MCP entry.
    pub(super) tools: PathBuf,
    pub(super) server: Option<Server>,
}

/// One hook.
#[derive(Debug)]
pub(super) struct Line {
    event: String,
    /// The shell line.
    pub(super) command: String,
    /// When its harness ends it; none where the entry leaves that to the harness.
    pub(super) timeout: Option<Duration>,
}

/// The MCP entry.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) command: String,
    pub(super) arguments: Vec<String>,
    pub(super) environment: Vec<(String, String)>,
    /// Whether its user switched it off.
    pub(super) is_off: bool,
}

impl Installed {
    /// Reads what is there by this vehicle.
    pub(super) fn read(manifest: &Manifest, ground: &Ground<'_>, directory: &Path, vehicle: Vehicle) -> Self {
        let install = &manifest.install;
        let (mut hooks, mut hook_keys) = (directory.join(&install.hooks.file), install.hooks.path.clone());
        let (mut hook_format, mut tool_format) = (install.hooks.format, install.tools.place.format);
        let maker = Maker::new(manifest, ground);
        let mut tools = maker.map(|maker| maker.tools_file()).unwrap_or_default();
        let mut tool_keys = install.tools.place.path.clone();
        if let Some(folder) = install.folder.as_ref().filter(|_| vehicle == Vehicle::Folder) {
            let root = directory.join(&folder.path);
            hooks = root.join(&folder.hooks);
            tools = root.join(folder.tools.as_ref().unwrap_or(&folder.description));
            (hook_keys, tool_keys) = (vec!["hooks".to_owned()], vec!["mcpServers".to_owned()]);
            (hook_format, tool_format) = (Format::Json, Format::Json);
        }
        tool_keys.push(NAME.to_owned());
        let found = Settings::read(hooks.clone(), hook_format);
        let lines = found.iter().flat_map(|settings| settings.handlers(&hook_keys));
        let lines = lines.filter_map(|(event, hook)| Line::of(event, hook, manifest.timeout_unit)).collect();
        let server = Settings::read(tools.clone(), tool_format);
        let server = server.and_then(|settings| Server::of(settings.at(&tool_keys)?));
        Self { hooks, lines, tools, server }
    }

    /// Our hook of this event; of several one that bears our mark, as setup writes it.
    pub(super) fn line(&self, event: &Event) -> Option<&Line> {
        let mut lines = self.lines.iter().filter(|line| line.event == event.name);
        let marked = lines.clone().find(|line| line.command.contains(&Ground::mark()));
        marked.or_else(|| lines.next())
    }
}

impl Line {
    fn of(event: &str, hook: &Value, unit: TimeoutUnit) -> Option<Self> {
        let command = hook.get("command")?.as_str().filter(|command| command.contains(HOOK))?;
        let timeout = hook.get("timeout").and_then(Value::as_f64).filter(|timeout| *timeout >= 0.0);
        let timeout = timeout.map(|timeout| match unit {
            TimeoutUnit::Seconds => timeout,
            TimeoutUnit::Milliseconds => timeout / 1000.0,
        });
        let timeout = timeout.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        Some(Self { event: event.to_owned(), command: command.to_owned(), timeout })
    }
}

impl Server {
    fn of(entry: &Value) -> Option<Self> {
        let texts = |name: &str| entry.get(name).and_then(Value::as_array).into_iter().flatten();
        let fields = entry.get("env").and_then(Value::as_object).into_iter().flatten();
        let fields = fields.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())));
        Some(Self {
            command: entry.get("command")?.as_str()?.to_owned(),
            arguments: texts("args").filter_map(Value::as_str).map(str::to_owned).collect(),
            environment: fields.collect(),
            is_off: entry.get("enabled") == Some(&Value::Bool(false)),
        })
    }
}
