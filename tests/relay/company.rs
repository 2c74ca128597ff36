//! A company's network: a certificate authority of its own, a proxy that alone knows the relay's name, machines that see
//! each other only over a wire.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

use crate::nothing_runs::{STARTS, started};
use crate::support::home::{BCH, HOOK, Home, feed, marks, succeed};
use crate::support::is_left_out;
use crate::support::relay::{ROOM, Relay, started as listening};

/// Writes an authority's certificate, and one that it signed for this name, with its key.
fn certificates(directory: &Path, name: &str) {
    let authority_key = KeyPair::generate().unwrap();
    let mut authority = CertificateParams::new(Vec::<String>::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let certificate = authority.self_signed(&authority_key).unwrap();
    fs::write(directory.join("authority.pem"), certificate.pem()).unwrap();
    let issuer = Issuer::new(authority, authority_key);
    let key = KeyPair::generate().unwrap();
    let signed = CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
    fs::write(directory.join("cert.pem"), signed.pem()).unwrap();
    fs::write(directory.join("key.pem"), key.serialize_pem()).unwrap();
}

/// A proxy that connects everybody to this server, whatever the name; counts the connections.
fn proxy(server: SocketAddr) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (address, count) = (listener.local_addr().unwrap(), Arc::new(AtomicUsize::new(0)));
    let counted = Arc::clone(&count);
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let (mut client, counted) = (client.unwrap(), Arc::clone(&counted));
            std::thread::spawn(move || {
                let mut reader = BufReader::new(client.try_clone().unwrap());
                let mut line = String::new();
                reader.read_line(&mut line).unwrap();
                assert!(line.starts_with("CONNECT relay.company.test:"), "{line}");
                while line.trim() != "" {
                    line.clear();
                    reader.read_line(&mut line).unwrap();
                }
                counted.fetch_add(1, Ordering::Relaxed);
                let server = TcpStream::connect(server).unwrap();
                client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
                let (mut from, mut to) = (server.try_clone().unwrap(), client.try_clone().unwrap());
                std::thread::spawn(move || std::io::copy(&mut from, &mut to));
                let _ = std::io::copy(&mut reader, &mut &server);
            });
        }
    });
    (address, count)
}

#[test]
fn a_companys_authority_and_proxy_are_honoured_by_commands_and_hooks() {
    let files = tempfile::tempdir().unwrap();
    certificates(files.path(), "relay.company.test");
    let path = |name: &str| files.path().join(name).display().to_string();
    let (cert, key) = (path("cert.pem"), path("key.pem"));
    let relay = Relay::with(&["--tls-cert", &cert, "--tls-key", &key], &[]);
    let (proxy, count) = proxy(relay.address);
    let home = Home::with(&[]);
    let url = format!("https://relay.company.test:{}", relay.address.port());
    let run = |arguments: &[&str], authority: bool| {
        let mut command = home.command(BCH);
        command.env("HTTPS_PROXY", format!("http://{proxy}")).args(arguments);
        if authority {
            command.env("SSL_CERT_FILE", path("authority.pem"));
        }
        feed(&mut command, ROOM.as_bytes())
    };
    let init = ["init", "bob", "--url", &url, "--token-file", "-"];
    let stranger = run(&init, false);
    let text = String::from_utf8_lossy(&stranger.stderr).into_owned();
    assert!(!stranger.status.success() && text.contains("certificate"), "{text}");
    succeed(&run(&init, true));
    succeed(&run(&["send", "@bob", "over the proxy"], true));
    let before = count.load(Ordering::Relaxed);
    let mut hook = home.command(HOOK);
    hook.args(["claude-code", "UserPromptSubmit", "--agent", "bob", "--home"]).arg(home.path());
    // What a repository's environment says is nothing to it: it goes as its person went.
    let elsewhere = TcpListener::bind("127.0.0.1:0").unwrap();
    let strange = format!("http://{}", elsewhere.local_addr().unwrap());
    for name in ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"] {
        hook.env(name, &strange);
    }
    hook.env("NO_PROXY", "*").env("SSL_CERT_FILE", path("cert.pem"));
    marks(&mut hook, "claude-code");
    let prompt = home.payload("UserPromptSubmit", "s", &home.work()).to_string();
    let shown = succeed(&feed(&mut hook, prompt.as_bytes()));
    assert!(
        shown.contains("over the proxy"),
        "{shown} {:?}",
        fs::read_to_string(home.path().join("hook.log"))
    );
    assert!(count.load(Ordering::Relaxed) > before);
    let before = count.load(Ordering::Relaxed);
    let call =
        r#"{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"bch_agents","arguments":{}}}"#;
    let begin = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"t","version":"0"}}}"#;
    let ready = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
    let mut server = home.command(BCH);
    server.args(["mcp", "--agent", "bob", "--home"]).arg(home.path()).env("HTTPS_PROXY", &strange);
    let answered = feed(&mut server, format!("{begin}\n{ready}\n{call}\n").as_bytes());
    let text = String::from_utf8_lossy(&answered.stdout).into_owned();
    assert!(text.contains("@bob") && count.load(Ordering::Relaxed) > before, "{text}");
    elsewhere.set_nonblocking(true).unwrap();
    assert!(elsewhere.accept().is_err(), "somebody went the strange way");
}

#[test]
fn w5_a_relays_hostile_mail_starts_no_process() {
    let has_strace = Command::new("strace").arg("-V").output().is_ok();
    if is_left_out(if has_strace { Ok(()) } else { Err("strace is missing".into()) }) {
        return;
    }
    let team = super::team::Team::start();
    let (ann, bob) = (team.machine("ann"), team.machine("bob"));
    let evil = "hi $(touch PWNED) `touch PWNED`; touch PWNED\n' \" | sh";
    succeed(&ann.as_agent("ann", &["send", "@bob", evil, "--urgent", "--ref", evil]));
    let trace = tempfile::NamedTempFile::new().unwrap();
    let mut command = bob.command("strace");
    command.args(["-f", "-qq", "-s", "1000", "-e", STARTS, "-o"]).arg(trace.path()).arg(HOOK);
    command.args(["claude-code", "UserPromptSubmit", "--agent", "bob", "--home"]).arg(bob.path());
    command.env("PATH", "/usr/bin:/bin");
    marks(&mut command, "claude-code");
    let prompt = bob.payload("UserPromptSubmit", "s", &bob.work()).to_string();
    let shown = succeed(&feed(&mut command, prompt.as_bytes()));
    assert!(shown.contains("touch PWNED"), "{shown}");
    // Our own program takes the lean one's place, and that is all.
    let started = started(trace.path(), HOOK);
    assert_eq!(started.len(), 1, "{started:#?}");
    assert!(
        started[0].contains(&format!("execve(\"{BCH}\", [\"{BCH}\", \"hook\", \"claude-code\"")),
        "{started:#?}"
    );
    assert!(!bob.work().join("PWNED").exists());
}

/// Two machines with a wire between them. They go with their value.
struct Wire([String; 2]);

impl Wire {
    fn lay() -> Result<Self, String> {
        let pid = std::process::id();
        let wire = Self([format!("bch-a-{pid}"), format!("bch-b-{pid}")]);
        let [one, other] = &wire.0;
        let (left, right) = (format!("bcha{pid}"), format!("bchb{pid}"));
        let lines = [
            format!("netns add {one}"),
            format!("netns add {other}"),
            format!("link add {left} netns {one} type veth peer name {right} netns {other}"),
            format!("-n {one} addr add 10.213.7.1/30 dev {left}"),
            format!("-n {other} addr add 10.213.7.2/30 dev {right}"),
            format!("-n {one} link set {left} up"),
            format!("-n {other} link set {right} up"),
        ];
        for line in &lines {
            let done = Command::new("ip").args(line.split(' ')).output();
            let done = done.map_err(|error| format!("network namespaces need `ip`: {error}"))?;
            if !done.status.success() {
                return Err(format!("ip {line}: {}", String::from_utf8_lossy(&done.stderr)));
            }
        }
        Ok(wire)
    }

    /// A program of ours on one of the machines.
    fn command(&self, machine: usize, home: &Home, program: &str) -> Command {
        let plain = home.command(program);
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.0[machine], program]).env_clear().current_dir(home.work());
        command.envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default()).stdin(Stdio::null());
        command
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        for name in &self.0 {
            let _ = Command::new("ip").args(["netns", "del", name]).output();
        }
    }
}

/// A process that ends with its value.
struct Ending(Child);

impl Drop for Ending {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn two_machines_with_only_a_wire_between_them() {
    let wire = match Wire::lay() {
        Ok(wire) => wire,
        Err(reason) => {
            // Not every machine lets them be made, a container in CI neither.
            let _ = writeln!(std::io::stderr(), "LEFT OUT: two machines with a wire between them: {reason}");
            return;
        }
    };
    let (server, home) = (Home::with(&[]), Home::with(&[]));
    let mut relay = wire.command(0, &server, BCH);
    relay.args(["relay", "--listen", "10.213.7.1", "--port", "0", "--insecure", "--data"]);
    relay.arg(server.work().join("data")).env("BACKCHANNEL_TOKEN", ROOM).stderr(Stdio::null());
    let (child, address) = listening(&mut relay, String::new);
    let _relay = Ending(child);
    let url = format!("http://{address}");
    let run = |arguments: &[&str]| -> Output {
        let mut command = wire.command(1, &home, BCH);
        feed(command.args(arguments), ROOM.as_bytes())
    };
    // Others on the wire could read along: that has to be said.
    let refused = run(&["invite", "--url", &url, "--token-file", "-"]);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("not https"), "{refused:?}");
    let invite = succeed(&run(&["invite", "--url", &url, "--token-file", "-", "--insecure"]));
    let refused = run(&["join", invite.trim(), "--as", "bob", "--yes", "--no-notify"]);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("not https"), "{refused:?}");
    succeed(&run(&["join", invite.trim(), "--as", "bob", "--yes", "--no-notify", "--insecure"]));
    succeed(&run(&["send", "@bob", "over the wire"]));
    // The wire is cut: packets are dropped, and nobody is told.
    let link = format!("bchb{}", std::process::id());
    let set = |state: &str| {
        let done = Command::new("ip").args(["-n", &wire.0[1], "link", "set", &link, state]).output().unwrap();
        assert!(done.status.success(), "{done:?}");
    };
    set("down");
    assert_eq!(run(&["drain"]).status.code(), Some(75));
    assert!(succeed(&run(&["send", "@bob", "when it is mended"])).starts_with("queued"));
    set("up");
    let mail: serde_json::Value = serde_json::from_str(&succeed(&run(&["drain", "--json"]))).unwrap();
    assert_eq!(mail[0]["body"], "over the wire", "{mail}");
    let mail: serde_json::Value = serde_json::from_str(&succeed(&run(&["drain", "--json"]))).unwrap();
    assert_eq!(mail[0]["body"], "when it is mended", "{mail}");
}
