//! Each fault that a proof claims to catch, planted and caught, with the command that mends it.

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{HOOKS, canaries, change_line, prove, send, waiting};
use crate::install::doctor::{
    CLAUDE, Diagnosis, FOLDER, GEMINI, UserHome, change, codex, group, replace_program, well_by,
};

const PROMPT: &str = "UserPromptSubmit";
const AGAIN: &str = "bch setup --only claude-code";

/// Plants a fault in a machine that is well, and expects one finding of a proof to tell it.
#[track_caller]
fn proves(plant: impl FnOnce(&UserHome), check: &str, detail: &str, hint: &str) -> (UserHome, Diagnosis) {
    let home = well_by("settings");
    plant(&home);
    let found = prove(&home);
    found.expect(check, detail, "fail", hint);
    assert!(canaries(&home).is_empty());
    let text = home.bch(&["doctor", "--prove"]).stdout;
    let text = String::from_utf8_lossy(&text);
    assert!(text.contains(&format!("  FAIL  {check}: ")) && text.contains("hint: "), "{text}");
    (home, found)
}

/// Another tool's edit of the prompt's line.
fn edit(edit: impl Fn(&str) -> String) -> impl FnOnce(&UserHome) {
    move |home| change_line(home, CLAUDE, PROMPT, edit)
}

#[test]
fn programs_that_are_gone_or_named_by_an_old_path_are_told() {
    let gone = |home: &UserHome| fs::remove_file(home.file(HOOKS)).unwrap();
    let (_, found) = proves(gone, "prompt", "prints nothing, with mail waiting", AGAIN);
    found.expect("programs", "is not there", "fail", "bch setup");
    let moved = edit(|line| line.replace("/backchannel/bin/", "/old/backchannel/bin/"));
    let (_, found) = proves(moved, "prompt", "prints nothing, with mail waiting", AGAIN);
    found.expect("entries", "were changed", "fail", AGAIN);
}

#[test]
fn a_line_that_another_tool_edited_is_run_as_it_is() {
    let words = edit(|line| line.replace(" UserPromptSubmit", ""));
    proves(words, "prompt", "prints nothing", AGAIN);
    let status = edit(|line| format!("{line}; exit 2"));
    proves(status, "prompt", "failed: exit status: 2, at which Claude Code may hold the prompt up", AGAIN);
    let wrapped = edit(|line| format!("echo ran; {line}"));
    proves(wrapped, "prompt", "prints what Claude Code does not understand: `ran`", AGAIN);
    let noisy = edit(|line| format!("{line}; echo $HOME >&2"));
    proves(noisy, "prompt", "writes to standard error", AGAIN);
    let agent = edit(|line| line.replace(" --home", " --agent 'no name' --home"));
    proves(agent, "prompt", "prints nothing", AGAIN);
    // One that only wraps it brings the mail, and is told as changed alone.
    let home = well_by("settings");
    change_line(&home, CLAUDE, PROMPT, |line| format!("( {line} )"));
    let found = prove(&home);
    found.expect("entries", "1 of our entries were changed", "fail", AGAIN);
    assert_eq!(found.find("prompt", PROMPT)["status"], "ok");
    let missing = |home: &UserHome| {
        change(home, CLAUDE, |value| drop(value["hooks"].as_object_mut().unwrap().remove(PROMPT)));
    };
    proves(missing, "prompt", "has no hook of ours for UserPromptSubmit", AGAIN);
}

#[test]
fn an_end_of_turn_that_answers_or_acknowledges_nothing_is_told() {
    let answers = |home: &UserHome| {
        change_line(home, CLAUDE, "Stop", |line| format!("{line}; echo '{{}}'"));
    };
    proves(answers, "end of turn", "prints what Claude Code takes for an answer", AGAIN);
    let silent = |home: &UserHome| change_line(home, CLAUDE, "Stop", |line| format!("true || {line}"));
    let (home, _) = proves(silent, "end of turn", "acknowledged nothing", AGAIN);
    assert_eq!(waiting(&home), (Vec::new(), 0));
}

#[test]
fn a_hook_that_hangs_is_ended_with_all_that_it_started() {
    let home = well_by("settings");
    let mark = home.file("lives-on");
    change_line(&home, CLAUDE, PROMPT, |line| {
        format!("(/bin/sleep 8; echo x >{}) & wait; {line}", mark.display())
    });
    let start = Instant::now();
    prove(&home).expect("prompt", "UserPromptSubmit did not end within 5 s", "fail", AGAIN);
    assert!(start.elapsed() < Duration::from_secs(60));
    std::thread::sleep(Duration::from_secs(9).saturating_sub(start.elapsed()));
    assert!(!mark.exists());
}

#[test]
fn a_time_out_below_five_seconds_is_told_and_mended() {
    for (file, event, short, enough) in
        [(CLAUDE, PROMPT, 4, 5), (CLAUDE, "SessionEnd", 1, 10), (GEMINI, "BeforeAgent", 4999, 5000)]
    {
        let set = |home: &UserHome, timeout: u64| {
            change(home, file, |value| value["hooks"][event][0]["hooks"][0]["timeout"] = timeout.into());
        };
        let (home, _) = proves(|home| set(home, short), "time-out", event, "bch doctor --fix");
        set(&home, enough);
        assert!(!prove(&home).all.iter().any(|check| check["check"] == "time-out"), "{event}");
        set(&home, short);
        let fixed = home.bch(&["doctor", "--fix", "--prove", "--json"]);
        let fixed = Diagnosis::of(&fixed);
        assert!(fixed.ok && fixed.bad.is_empty(), "{:#?}", fixed.bad);
    }
    let home = well_by("folder");
    let file = format!("{FOLDER}/hooks/hooks.json");
    change(&home, &file, |value| value["hooks"][PROMPT][0]["hooks"][0]["timeout"] = 2.into());
    let found = prove(&home);
    found.expect("time-out", PROMPT, "fail", "rm ");
    let hint =
        found.find("time-out", PROMPT)["hint"].as_str().unwrap().replace("bch", crate::support::home::BCH);
    let mut command = Command::new("/bin/sh");
    command
        .args(["-c", &format!("{hint} --yes")])
        .env_clear()
        .env("HOME", home.path())
        .env("PATH", "/usr/bin:/bin");
    assert!(command.output().unwrap().status.success());
    assert!(prove(&home).ok);
}

/// A program that knows of no canary serves whom it is installed for: what it takes is given back.
#[test]
fn an_older_program_takes_nobodys_mail() {
    let home = well_by("settings");
    send(&home, "for bob alone");
    let bin = home.file(".local/share/backchannel/bin");
    for name in ["bch", "bch-hook"] {
        fs::rename(bin.join(name), bin.join(format!("real-{name}"))).unwrap();
        let script = format!("#!/bin/sh\nunset BACKCHANNEL_CANARY\nexec \"${{0%/*}}/real-{name}\" \"$@\"");
        replace_program(&home, name, &script);
    }
    let found = prove(&home);
    found.expect("prompt", "other mail than the canary's", "fail", AGAIN);
    found.expect("prompt", "gave back 1 message that it claimed instead", "fail", AGAIN);
    found.expect("tools", "serves @bob and no canary", "fail", AGAIN);
    found.expect("programs", "another build", "warn", "bch setup");
    assert_eq!(waiting(&home), (vec!["for bob alone".to_owned()], 0));
}

#[test]
fn an_mcp_entry_that_does_not_answer_is_told() {
    let server = |edit: fn(&mut Value)| {
        move |home: &UserHome| {
            change(home, ".claude.json", |value| edit(&mut value["mcpServers"]["backchannel"]))
        }
    };
    proves(server(|server| server["command"] = "/old/bch".into()), "tools", "does not start", AGAIN);
    proves(server(|server| server["args"] = json!(["whoami"])), "tools", "ended without an answer", AGAIN);
    proves(server(|server| *server = json!({"command": "/bin/cat"})), "tools", "no tool bch_", AGAIN);
    let gone = |home: &UserHome| change(home, ".claude.json", |value| drop(value["mcpServers"].take()));
    proves(gone, "tools", "has no MCP server of ours", AGAIN);
    let home = codex();
    let config = home.read(".codex/config.toml");
    home.write(
        ".codex/config.toml",
        config.replace("[mcp_servers.backchannel]\n", "[mcp_servers.backchannel]\nenabled = false\n"),
    );
    prove(&home).expect("tools", "switches our MCP server off", "warn", "config.toml");
}

#[test]
fn a_machine_without_an_agent_shows_no_mail() {
    let plant = |home: &UserHome| drop(home.write(".backchannel/config.json", "{}"));
    let (_, found) = proves(plant, "prompt", "prints nothing", AGAIN);
    found.expect("agent", "no agent yet", "fail", "bch init NAME");
}

#[test]
fn what_the_hook_wrote_down_meanwhile_is_told() {
    let damaged = |home: &UserHome| drop(home.write(".backchannel/attention.json", "{"));
    let (_, found) = proves(damaged, "prompt", "its log says: claude-code UserPromptSubmit: ", AGAIN);
    found.expect("attention", "no agent is shown mail", "fail", "");
}

/// What is told without running anything is told with it, too.
#[test]
fn switches_copies_trust_and_modes_are_told_by_a_proof() {
    let off = |home: &UserHome| change(home, CLAUDE, |value| value["disableAllHooks"] = true.into());
    proves(off, "switched off", "disableAllHooks", "settings.json");
    let off =
        |home: &UserHome| change(home, GEMINI, |value| value["hooksConfig"] = json!({"enabled": false}));
    proves(off, "switched off", "hooksConfig.enabled", "settings.json");
    let twice = |home: &UserHome| {
        change(home, CLAUDE, |value| {
            let groups = value["hooks"][PROMPT].as_array_mut().unwrap();
            groups.push(group("~/bin/bch-hook claude-code UserPromptSubmit"));
        });
    };
    proves(twice, "copies", "serves with `bch-hook` too", CLAUDE);
    let home = codex();
    prove(&home).expect("trust", "until you trust them", "fail", "/hooks");
    let home = well_by("settings");
    let system = home.write("etc/settings.json", r#"{"hooksConfig": {"enabled": false}}"#);
    let mut command = home.command(&["doctor", "--prove", "--json"]);
    let found = Diagnosis::of(&command.env("GEMINI_CLI_SYSTEM_SETTINGS_PATH", system).output().unwrap());
    found.expect("switched off", "for everybody on this machine", "fail", "sudoedit ");
    let home = well_by("settings");
    home.write(".gemini/trustedFolders.json", r#"{"/": "DO_NOT_TRUST"}"#);
    prove(&home).expect("folder trust", "our hooks do not run", "warn", "/permissions");
    let home = well_by("settings");
    fs::set_permissions(home.file(".backchannel"), std::os::unix::fs::PermissionsExt::from_mode(0o755))
        .unwrap();
    prove(&home).expect("modes", "open to others", "warn", "chmod 700 ");
}
