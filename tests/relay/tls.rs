//! TLS of the relay's own, with a certificate of the test's own.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::http::PATIENCE;
use crate::support::relay::{ROOM, Relay};

/// Writes a new certificate for `localhost`, and returns it.
fn certificate(directory: &Path) -> String {
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    fs::write(directory.join("cert.pem"), cert.pem()).unwrap();
    fs::write(directory.join("key.pem"), signing_key.serialize_pem()).unwrap();
    cert.pem()
}

fn client(certificate: &str) -> reqwest::blocking::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let certificate = reqwest::Certificate::from_pem(certificate.as_bytes()).unwrap();
    reqwest::blocking::Client::builder()
        .tls_certs_only([certificate])
        .timeout(PATIENCE)
        .no_proxy()
        .build()
        .unwrap()
}

#[test]
fn a_relay_speaks_tls_and_takes_a_renewed_certificate_up() {
    let files = tempfile::tempdir().unwrap();
    let first = certificate(files.path());
    let path = |name: &str| files.path().join(name).to_str().unwrap().to_owned();
    let (cert, key) = (path("cert.pem"), path("key.pem"));
    // With TLS it may listen beyond loopback.
    let arguments = ["--listen", "0.0.0.0", "--tls-cert", &cert, "--tls-key", &key];
    let mut relay = Relay::with_settings("[limits]\nheader-seconds = 2\n", &arguments, &[]);
    let url = format!("https://localhost:{}", relay.address.port());
    let health: Value = read(client(&first).get(format!("{url}/v1/health")).send().unwrap());
    assert_eq!(health["service"], "backchannel-relay");
    let register = client(&first).post(format!("{url}/v1/register")).bearer_auth(ROOM);
    let record = read(register.body(json!({ "name": "alice" }).to_string()).send().unwrap());
    assert!(record["token"].is_string());
    let stranger = client(&{
        let elsewhere = tempfile::tempdir().unwrap();
        certificate(elsewhere.path())
    });
    assert!(stranger.get(format!("{url}/v1/health")).send().is_err());
    // In the clear nothing is answered, and a handshake that does not come is not waited for.
    relay.address.set_ip([127, 0, 0, 1].into());
    assert!(relay.api(None).try_call("GET", "/v1/health", None).is_err());
    let mut silent = relay.api(None).connect().unwrap();
    silent.write_all(b"\x16").unwrap();
    let begun = Instant::now();
    let _ = std::io::Read::read_to_end(&mut silent, &mut Vec::new());
    assert!(begun.elapsed() < Duration::from_secs(15));

    let second = certificate(files.path());
    relay.signal(Signal::HUP);
    let begun = Instant::now();
    while client(&second).get(format!("{url}/v1/health")).send().is_err() {
        assert!(begun.elapsed() < PATIENCE, "the renewed certificate is not taken up");
        std::thread::sleep(Duration::from_millis(20));
    }
    // One that cannot be used leaves the last in its place.
    fs::write(files.path().join("key.pem"), "no key").unwrap();
    relay.signal(Signal::HUP);
    let begun = Instant::now();
    while !relay.log().contains("could not take the certificate up") {
        assert!(begun.elapsed() < PATIENCE);
        std::thread::sleep(Duration::from_millis(20));
    }
    client(&second).get(format!("{url}/v1/health")).send().unwrap();
    relay.signal(Signal::TERM);
    assert!(relay.wait().success());
}

fn read(response: reqwest::blocking::Response) -> Value {
    assert_eq!(response.status().as_u16(), 200);
    serde_json::from_slice(&response.bytes().unwrap()).unwrap()
}

#[test]
fn a_certificate_that_is_none_starts_nothing() {
    let home = tempfile::tempdir().unwrap();
    certificate(home.path());
    fs::write(home.path().join("other.pem"), "no certificate").unwrap();
    for (cert, key) in [("other.pem", "key.pem"), ("cert.pem", "other.pem"), ("nowhere.pem", "key.pem")] {
        let mut command = crate::support::relay::command(home.path());
        command.args(["--data", "data", "--port", "0", "--tls-cert", cert, "--tls-key", key]);
        let output = crate::support::relay::bounded(&mut command);
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && told.contains("could not use the certificate"), "{told}");
    }
}
