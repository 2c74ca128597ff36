//! The system's own cron with a spool of its own and a user of its own: both are mounted over the real ones, for what
//! runs in here alone.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

use super::mount;
use super::user::NOBODY;

/// What may be missing.
const PROGRAMS: [&str; 4] = ["/usr/sbin/cron", "/usr/bin/crontab", "/usr/bin/setpriv", "/usr/bin/unshare"];

/// Shows the spool, the users and the state of running programs as they are in `$0`; anything else is the system's.
const ENTER: &str = r#"mount --bind "$0/spool" /var/spool/cron/crontabs && mount --bind "$0/passwd" /etc/passwd &&
mount --bind "$0/run" /run || exit 99
exec "$@""#;

/// A spool of crontabs, and a user `nobody` whose home is a test's.
pub struct Cron(tempfile::TempDir);

/// A running daemon, which ends with this value.
pub struct Daemon(Child);

impl Cron {
    /// Why there is none here.
    pub fn is_possible() -> Result<(), String> {
        if let Some(missing) = PROGRAMS.iter().find(|program| !Path::new(program).exists()) {
            return Err(format!("{missing} is missing, so no cron was seen"));
        }
        if !rustix::process::geteuid().is_root() {
            return Err("cron needs root, so it was not seen".to_owned());
        }
        let tried = mount::run(mount::script("mount -t tmpfs tmpfs /run || exit 99", "sh"));
        tried.map(drop).map_err(|error| format!("{error}, so no cron was seen"))
    }

    /// A spool without crontabs, for the user of this home.
    pub fn new(home: &Path) -> Self {
        let place = tempfile::tempdir().unwrap();
        for directory in ["spool", "run"] {
            fs::create_dir(place.path().join(directory)).unwrap();
        }
        let system = fs::read_to_string("/etc/passwd").unwrap();
        let others: String =
            system.split_inclusive('\n').filter(|line| !line.starts_with("nobody:")).collect();
        let user = format!("nobody:*:{NOBODY}:{NOBODY}:a test:{}:/bin/sh\n", home.display());
        fs::write(place.path().join("passwd"), others + &user).unwrap();
        let given = Command::new("chgrp").arg("crontab").arg(place.path().join("spool")).status().unwrap();
        assert!(given.success());
        fs::set_permissions(place.path().join("spool"), fs::Permissions::from_mode(0o1730)).unwrap();
        Self(place)
    }

    /// As it lies in the spool, with what the program wrote on top.
    pub fn file(&self) -> PathBuf {
        self.0.path().join("spool/nobody")
    }

    fn enter(&self) -> Command {
        let mut command = mount::script(ENTER, self.0.path());
        command.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").current_dir("/");
        command
    }

    /// The command where this cron is, as the user.
    pub fn command(&self, command: &Command) -> Command {
        let mut within = self.enter();
        let id = NOBODY.to_string();
        within.args(["setpriv", "--reuid", &id, "--regid", &id, "--clear-groups", "env", "-i"]);
        self.given(&mut within, command);
        within
    }

    /// The same, under strace with these words.
    pub fn traced(&self, strace: &[&str], command: &Command) -> Command {
        let mut within = self.enter();
        // As root, so that `crontab` keeps the group that it gets.
        within.args(["strace", "-u", "nobody"]).args(strace).args(["env", "-i"]);
        self.given(&mut within, command);
        within
    }

    fn given(&self, within: &mut Command, command: &Command) {
        for (name, value) in command.get_envs() {
            let mut pair = name.to_owned();
            pair.push("=");
            pair.push(value.unwrap_or_default());
            within.arg(pair);
        }
        within.arg(command.get_program()).args(command.get_args());
    }

    /// Starts the daemon.
    pub fn start(&self) -> Daemon {
        let mut command = self.enter();
        Daemon(command.args(["/usr/sbin/cron", "-f"]).spawn().unwrap())
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}
