//! `relay`: mail between machines, until the end is asked for.

use super::args::{LogArgument, RelayArguments};
use super::output;
use crate::env::Env;
use crate::relay::log::{self, Format};
use crate::relay::options::{Options, Settings};
use crate::relay::{self, DefaultToken};

pub(super) fn relay(arguments: RelayArguments, env: &Env) -> anyhow::Result<()> {
    let data = arguments.data.clone();
    let options = Options::load(data, &flags(arguments), env)?;
    let (format, least) = options.log;
    log::begin(format, least);
    if let DefaultToken::Made(path) = &options.rules.default_token {
        let what = if options.is_new { "made a token for the room, in" } else { "the room's token is in" };
        output::remark("note", &format!("{what} {}", path.display()));
    }
    relay::run(options, env.clone(), |url| {
        // Whoever reads it may be gone; the relay serves all the same.
        let _ = output::print(&format!("listening on {url}\n"));
    })?;
    Ok(())
}

/// A flag that is not given decides nothing.
fn flags(arguments: RelayArguments) -> Settings {
    let given = |flag: bool| flag.then_some(true);
    Settings {
        listen: arguments.listen,
        port: arguments.port,
        tls_cert: arguments.tls_cert,
        tls_key: arguments.tls_key,
        behind_proxy: given(arguments.behind_proxy),
        insecure: given(arguments.insecure),
        open_rooms: given(arguments.open_rooms),
        log: arguments.log.map(|format| match format {
            LogArgument::Text => Format::Text,
            LogArgument::Json => Format::Json,
        }),
        token_file: arguments.token_file,
        admin_token_file: arguments.admin_token_file,
        ..Settings::default()
    }
}
