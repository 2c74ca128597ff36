//! By which way the home's person reaches the network: what is installed takes the same.

use std::collections::BTreeMap;
use std::process::Command;

use serde_json::{Map, Value};

use super::Config;
use crate::env::Env;

/// Variables that say how the network is reached, and whom to believe there.
pub const NETWORK: [&str; 10] = [
    "HTTPS_PROXY",
    "https_proxy",
    "HTTP_PROXY",
    "http_proxy",
    "ALL_PROXY",
    "all_proxy",
    "NO_PROXY",
    "no_proxy",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
];

impl Config {
    /// The variables by which its person reaches the network, as they were when the home joined.
    #[must_use]
    pub fn network(&self) -> BTreeMap<&str, &str> {
        let kept = self.fields.get("network").and_then(Value::as_object);
        let texts =
            kept.into_iter().flatten().filter_map(|(name, value)| Some((name.as_str(), value.as_str()?)));
        texts.filter(|(name, _)| NETWORK.contains(name)).collect()
    }

    /// Keeps those that are set now, with the next that is written.
    pub fn note_network(&mut self, env: &Env) {
        let set = NETWORK.iter().filter_map(|name| Some(((*name).to_owned(), Value::from(env.text(name)?))));
        let set: Map<String, Value> = set.collect();
        if set.is_empty() {
            self.fields.remove("network");
        } else {
            self.fields.insert("network".into(), set.into());
        }
    }

    /// Gives them to a program, and no others.
    pub fn keep_network(&self, program: &mut Command) {
        for name in NETWORK {
            program.env_remove(name);
        }
        program.envs(self.network());
    }
}
