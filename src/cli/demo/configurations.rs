//! The user's files in the throw-away home: what three harnesses find there, each with the quirks that a
//! rewriting would lose. It holds the files' text and writes it; who edits them later is not known here.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::Context as _;

/// One file as its user keeps it.
pub(super) struct Configuration {
    /// Below the home.
    pub(super) path: &'static str,
    /// What is easily lost in it.
    pub(super) quirks: &'static str,
    mode: u32,
    text: &'static str,
    line_end: &'static str,
}

impl Configuration {
    /// Its bytes, with its own line ends.
    pub(super) fn bytes(&self) -> Vec<u8> {
        self.text.replace('\n', self.line_end).into_bytes()
    }

    /// Writes it into a home, with the directories above it.
    pub(super) fn write(&self, home: &Path) -> anyhow::Result<()> {
        let path = home.join(self.path);
        let write = || {
            fs::create_dir_all(path.parent().unwrap_or(home))?;
            fs::write(&path, self.bytes())?;
            fs::set_permissions(&path, fs::Permissions::from_mode(self.mode))
        };
        write().with_context(|| format!("could not write {}", path.display()))
    }
}

/// All of them, by harness.
pub(super) const ALL: [Configuration; 5] = [
    Configuration {
        path: ".claude.json",
        quirks: "all on one line, an MCP server of the user's own",
        mode: 0o600,
        text: CLAUDE_STATE,
        line_end: "\n",
    },
    Configuration {
        path: ".claude/settings.json",
        quirks: "tabs, `\\u00e9` and `1.0` spelled so, no line end at the end",
        mode: 0o644,
        text: CLAUDE_SETTINGS,
        line_end: "\n",
    },
    Configuration {
        path: ".codex/AGENTS.md",
        quirks: "two spaces that break a line, no line end at the end",
        mode: 0o640,
        text: CODEX_INSTRUCTIONS,
        line_end: "\n",
    },
    Configuration {
        path: ".codex/config.toml",
        quirks: "CRLF line ends, comments, `mcp_servers` as an inline table",
        mode: 0o600,
        text: CODEX_CONFIG,
        line_end: "\r\n",
    },
    Configuration {
        path: ".gemini/settings.json",
        quirks: "comments, three indentations, a hook of the user's own",
        mode: 0o644,
        text: GEMINI_SETTINGS,
        line_end: "\n",
    },
];

const CLAUDE_STATE: &str = r#"{"numStartups": 41, "theme":"dark", "mcpServers": {"docs": {"command": "docs-mcp"}}}
"#;

const CLAUDE_SETTINGS: &str = r#"{
	"model": "opus",
	"env": {"GREETING": "caf\u00e9"},
	"feedbackSurveyRate": 1.0,
	"permissions": {
		"allow": ["Bash(git status)",   "Bash(git diff:*)"],
		"deny": []
	},
	"hooks": {
		"Stop": [{"hooks": [{"type": "command", "command": "date >>~/turns"}]}]
	}
}"#;

const CODEX_INSTRUCTIONS: &str =
    "# Rules\n\n* Ask before you push,  \n  and say what changed.\n* Tests first.";

const CODEX_CONFIG: &str = r#"# Codex, written by hand on another system
model = "gpt-5-codex"        # the big one
model_reasoning_effort = 'high'
mcp_servers = { docs = { command = "docs-mcp", args = [] } }   # all on one line

[tui]
notifications = true
"#;

const GEMINI_SETTINGS: &str = r#"// Gemini CLI, kept by hand
{
   "ui": { "theme": "GitHub" },  // three spaces, on purpose
   "hooks": {
      "BeforeAgent": [
          // mine; keep it first
          { "hooks": [ { "type": "command", "command": "git fetch -q" } ] }
      ]
   },
     /* the editor */
     "general": { "vimMode": true }
}
"#;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_quirk_that_is_told_is_there() {
        let bytes = ALL.map(|file| String::from_utf8(file.bytes()).unwrap());
        let [state, settings, instructions, config, gemini] = bytes.each_ref().map(String::as_str);
        assert_eq!(state.lines().count(), 1);
        assert!(settings.contains("\n\t\t\"allow\"") && settings.contains(r"caf\u00e9"));
        assert!(settings.contains(": 1.0,") && settings.ends_with('}'));
        assert!(instructions.contains(",  \n") && !instructions.ends_with('\n'));
        assert_eq!(config.matches('\n').count(), config.matches("\r\n").count());
        assert!(config.contains("mcp_servers = {") && config.contains("# "));
        let starts: std::collections::HashSet<_> =
            gemini.lines().map(|line| line.len() - line.trim_start().len()).collect();
        assert!(starts.is_superset(&[3, 5, 10].into()) && gemini.contains("//") && gemini.contains("/*"));
    }
}
