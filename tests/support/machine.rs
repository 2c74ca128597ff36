//! The system's own cron and service manager, with a spool, a `/run` and a user of their own: these are mounted over the
//! real ones, for what runs in here alone.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::thread;
use std::time::{Duration, Instant};

use super::mount;
use super::user::{NOBODY, User};

/// What may be missing beside the programs that a test is about.
const PROGRAMS: [&str; 2] = ["/usr/bin/setpriv", "/usr/bin/unshare"];
/// How long a manager may take to come up, and to end.
const LIMIT: Duration = Duration::from_secs(30);

/// Shows the spool, the users and the state of running programs as they are in `$0`; anything else is the system's.
const ENTER: &str = r#"mount --bind "$0/passwd" /etc/passwd || exit 99
[ ! -d /var/spool/cron/crontabs ] || mount --bind "$0/spool" /var/spool/cron/crontabs || exit 99
mount --bind "$0/run" /run || exit 99
exec "$@""#;
/// Gives what follows a control group that is its user's, in whatever hierarchies there are.
const CONTROLLED: &str = r#"for root in /sys/fs/cgroup /sys/fs/cgroup/systemd /sys/fs/cgroup/unified; do
  [ -f "$root/cgroup.procs" ] || continue
  mkdir -p "$root/$1" && chown -R "$2:$2" "$root/$1" && echo $$ >"$root/$1/cgroup.procs" || exit 99
done
shift 2; exec "$@""#;

/// A spool of crontabs, a `/run`, and a user `nobody` whose home is a test's.
pub struct Machine(tempfile::TempDir);

/// A running cron, which ends with this value.
pub struct Cron(Child);

/// A running `systemd --user`, which ends with this value.
pub struct Manager {
    child: Child,
    group: String,
}

impl Machine {
    /// Why there is none here with these programs.
    pub fn is_possible(programs: &[&str]) -> Result<(), String> {
        if let Some(missing) = PROGRAMS.iter().chain(programs).find(|program| !Path::new(program).exists()) {
            return Err(format!("{missing} is missing, so it was not seen"));
        }
        let tried = mount::run(mount::script("mount -t tmpfs tmpfs /run || exit 99", "sh"));
        match tried {
            _ if !rustix::process::geteuid().is_root() => {
                Err(format!("{programs:?} were not seen: they need root"))
            }
            Err(error) => Err(format!("{programs:?} were not seen: {error}")),
            Ok(_) => Ok(()),
        }
    }

    /// With no crontab, for the user of this home.
    pub fn new(home: &Path) -> Self {
        let place = tempfile::tempdir().unwrap();
        fs::set_permissions(place.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let runtime = place.path().join("run/user").join(NOBODY.to_string());
        // The second tells a manager that the machine was booted by one.
        for directory in [&place.path().join("spool"), &place.path().join("run/systemd/system"), &runtime] {
            fs::create_dir_all(directory).unwrap();
        }
        User::give(&runtime);
        fs::set_permissions(&runtime, fs::Permissions::from_mode(0o700)).unwrap();
        let system = fs::read_to_string("/etc/passwd").unwrap();
        let others: String =
            system.split_inclusive('\n').filter(|line| !line.starts_with("nobody:")).collect();
        let user = format!("nobody:*:{NOBODY}:{NOBODY}:a test:{}:/bin/sh\n", home.display());
        fs::write(place.path().join("passwd"), others + &user).unwrap();
        // Where there is no cron there is no such group.
        let _ = Command::new("chgrp").arg("crontab").arg(place.path().join("spool")).output().unwrap();
        fs::set_permissions(place.path().join("spool"), fs::Permissions::from_mode(0o1730)).unwrap();
        Self(place)
    }

    /// The user's crontab as it lies in the spool, with what the program wrote on top.
    pub fn crontab(&self) -> PathBuf {
        self.0.path().join("spool/nobody")
    }

    fn enter(&self) -> Command {
        let mut command = mount::script(ENTER, self.0.path());
        command.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").current_dir("/");
        command
    }

    /// The command on this machine, as the user.
    pub fn command(&self, command: &Command) -> Command {
        let mut within = self.enter();
        become_user(&mut within);
        given(&mut within, command);
        within
    }

    /// The same, under strace with these words.
    pub fn traced(&self, strace: &[&str], command: &Command) -> Command {
        let mut within = self.enter();
        // As root, so that `crontab` keeps the group that it gets.
        within.args(["strace", "-u", "nobody"]).args(strace).args(["env", "-i"]);
        given(&mut within, command);
        within
    }

    /// Starts cron.
    pub fn start_cron(&self) -> Cron {
        let mut command = self.enter();
        Cron(command.args(["/usr/sbin/cron", "-f"]).spawn().unwrap())
    }

    /// Starts the user's service manager, with this environment, and waits until it is up.
    pub fn start_manager(&self, environment: &Command) -> Manager {
        let mut within = self.enter();
        // Named after the directory, which no other test has.
        let name = self.0.path().file_name().unwrap_or_default().to_string_lossy();
        let group = format!("bch-test{name}");
        within.args(["/bin/sh", "-c", CONTROLLED, "sh", &group, &NOBODY.to_string()]);
        become_user(&mut within);
        let mut manager = Command::new("/lib/systemd/systemd");
        manager.args(["--user", "--log-target=null"]);
        manager.envs(settings(environment));
        given(&mut within, &manager);
        let mut manager = Manager { child: within.spawn().unwrap(), group };
        let start = Instant::now();
        let mut ask = Command::new("systemctl");
        ask.envs(settings(environment));
        ask.args(["--user", "is-system-running"]);
        loop {
            let output = self.command(&ask).output().unwrap();
            let said = String::from_utf8_lossy(&output.stdout).into_owned();
            if ["running", "degraded"].contains(&said.trim()) {
                return manager;
            }
            assert!(start.elapsed() < LIMIT && manager.child.try_wait().unwrap().is_none(), "{output:?}");
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// The directory of the user's manager and bus, as seen in here.
    pub fn runtime_directory() -> String {
        format!("/run/user/{NOBODY}")
    }
}

fn become_user(within: &mut Command) {
    let id = NOBODY.to_string();
    within.args(["setpriv", "--reuid", &id, "--regid", &id, "--clear-groups", "env", "-i"]);
}

/// What is set in the command's environment.
fn settings(command: &Command) -> impl Iterator<Item = (&OsStr, &OsStr)> {
    command.get_envs().map(|(name, value)| (name, value.unwrap_or_default()))
}

fn given(within: &mut Command, command: &Command) {
    for (name, value) in settings(command) {
        let mut pair = name.to_owned();
        pair.push("=");
        pair.push(value);
        within.arg(pair);
    }
    within.arg(command.get_program()).args(command.get_args());
}

impl Drop for Cron {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Manager {
    fn drop(&mut self) {
        // It ends what it runs, and then itself.
        let process = self.child.id().to_string();
        let asked = Command::new("kill").args(["-s", "TERM", &process]).status().unwrap();
        let start = Instant::now();
        while asked.success() && start.elapsed() < LIMIT && self.child.try_wait().unwrap().is_none() {
            thread::sleep(Duration::from_millis(20));
        }
        let _ = self.child.kill();
        self.child.wait().unwrap();
        for root in ["/sys/fs/cgroup", "/sys/fs/cgroup/systemd", "/sys/fs/cgroup/unified"] {
            let group = Path::new(root).join(&self.group);
            if group.is_dir() {
                Command::new("find")
                    .arg(&group)
                    .args(["-depth", "-type", "d", "-exec", "rmdir", "{}", ";"])
                    .status()
                    .unwrap();
            }
        }
    }
}
