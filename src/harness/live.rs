//! How a harness is driven once without a person, against a model on this machine: `[live]` in `harnesses/proof/`.
//!
//! In its texts `{url}` is that model's address, `{prompt}` the prompt, `{directory}` the working directory.

use std::collections::BTreeMap;

use serde::Deserialize;

/// How it is driven.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct LiveFacts {
    /// Its arguments: one prompt, and where there is a way, nothing kept of it.
    pub arguments: Vec<String>,
    /// Variables that name our model and no other, and keep the harness from everything beside.
    pub environment: BTreeMap<String, String>,
    /// Variables that would name another one.
    #[serde(default)]
    pub without: Vec<String>,
    /// Files in its working directory, whole.
    #[serde(default)]
    pub files: BTreeMap<String, String>,
    /// Keys in an administrator's file that go before all of this: where one is there, the harness is not driven.
    #[serde(default)]
    pub decisive: Vec<Vec<String>>,
    /// Where a person sees what keeps our hook from running.
    pub step: String,
}
