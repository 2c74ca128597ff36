//! The way to a relay or brain for what is installed: the proxy and the certificates of its person, never those that a
//! repository puts into a harness's environment.

use std::os::unix::process::CommandExt as _;
use std::process::Command;

use anyhow::Context as _;

use crate::config::{Config, NETWORK};
use crate::env::Env;

/// Begins anew with the variables that the home keeps, where others are set.
#[expect(
    clippy::disallowed_methods,
    reason = "our own program takes this one's place: no process is started"
)]
pub(super) fn as_kept(config: &Config, env: &Env) -> anyhow::Result<()> {
    let kept = config.network();
    if config.remote().is_none()
        || NETWORK.iter().all(|name| env.text(name).as_deref() == kept.get(*name).copied())
    {
        return Ok(());
    }
    let program = env.program().context("could not find the running program")?;
    let mut again = Command::new(&program);
    again.args(std::env::args_os().skip(1));
    config.keep_network(&mut again);
    let source = again.exec();
    Err(source).with_context(|| format!("could not run {}", program.display()))
}
