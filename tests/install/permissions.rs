//! Files and directories that a user without privileges may not write, or that are not theirs: either set up and
//! given back, or refused with nothing written.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::Path;
use std::process::Command;

use super::bytes::{PLACES, there_and_back};
use super::{UserHome, assert_same};
use crate::support::is_left_out;
use crate::support::user::NOBODY;

/// There and back.
const WORDS: [&[&str]; 2] = [&["setup", "--vehicle", "settings"], &["uninstall"]];

/// A home with this file, and with the directory of our skill, so that the file is not the first that is written.
fn home(place: &str) -> UserHome {
    let home = UserHome::unprivileged();
    home.write(place, if place.ends_with("json") { "{\n\t\"a\": 1.0\n}" } else { "# mine\n" });
    fs::create_dir_all(directory(&home, place).join("skills/backchannel")).unwrap();
    home.give();
    home
}

fn directory(home: &UserHome, place: &str) -> std::path::PathBuf {
    home.file(place).parent().unwrap().to_owned()
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// Whether nobody here can own a file that is not theirs.
fn is_left_out_without_root() -> bool {
    let is_root = rustix::process::geteuid().is_root();
    is_left_out(is_root.then_some(()).ok_or("only root makes files of another user".to_owned()))
}

/// The harness is refused: what and why is said, nothing is written, and nothing of ours stays.
#[track_caller]
fn is_refused(prepare: impl Fn(&UserHome, &str)) {
    for (_, _, harness, place) in PLACES {
        let home = home(place);
        let before = home.everything();
        prepare(&home, place);
        assert!(there_and_back(&home, harness, "settings", place));
        let output = home.bch(&["setup", "--yes", "--only", harness, "--vehicle", "settings"]);
        assert_eq!(output.status.code(), Some(1));
        let error = String::from_utf8(output.stderr).unwrap();
        let closed = directory(&home, place);
        let place_in_error = format!("{}/", closed.display());
        assert!(error.contains(&place_in_error) && error.contains("Permission denied"), "{place}: {error}");
        assert!(error.contains(&format!("hint: ls -ld {}", closed.display())), "{place}: {error}");
        set_mode(&closed, 0o755);
        set_mode(&home.file(place), 0o644);
        assert!(home.run(&["uninstall"]).0, "{place}");
        assert_same(&home.everything(), &before, place);
    }
}

#[test]
fn a_file_in_a_directory_that_its_user_may_not_write_is_refused() {
    is_refused(|home, place| set_mode(&directory(home, place), 0o500));
}

#[test]
fn a_file_in_a_directory_of_another_user_is_refused() {
    if is_left_out_without_root() {
        return;
    }
    is_refused(|home, place| chown(directory(home, place), Some(0), Some(0)).unwrap());
}

#[test]
fn a_file_that_its_user_may_not_read_is_refused() {
    is_refused(|home, place| set_mode(&home.file(place), 0o200));
}

/// A read-only file in a directory that may be written: its mode keeps editors from it by mistake, and setup was
/// asked for. It stays read-only.
#[test]
fn a_read_only_file_is_set_up_and_given_back_with_its_mode() {
    for (_, _, harness, place) in PLACES {
        for mode in [0o400, 0o444] {
            let home = home(place);
            set_mode(&home.file(place), mode);
            assert!(!there_and_back(&home, harness, "settings", place));
            assert!(home.run(&["setup", "--only", harness, "--vehicle", "settings"]).0);
            assert_eq!(fs::metadata(home.file(place)).unwrap().mode() & 0o7777, mode, "{place}");
        }
    }
}

#[test]
fn a_writable_file_of_another_user_is_given_back_with_its_bytes_and_mode_as_the_users_own() {
    if is_left_out_without_root() {
        return;
    }
    for (_, _, harness, place) in PLACES {
        let home = home(place);
        chown(home.file(place), Some(0), Some(0)).unwrap();
        set_mode(&home.file(place), 0o666);
        assert!(!there_and_back(&home, harness, "settings", place));
        let metadata = fs::metadata(home.file(place)).unwrap();
        assert_eq!((metadata.uid(), metadata.gid()), (NOBODY, NOBODY), "{place}: only root gives files away");
    }
}

#[test]
fn a_file_keeps_its_group_where_its_user_is_in_it() {
    let has_setpriv = Command::new("setpriv").arg("--version").output();
    if is_left_out_without_root() || is_left_out(has_setpriv.map(drop).map_err(|_| "no setpriv".into())) {
        return;
    }
    let group = 54321;
    for (_, _, harness, place) in PLACES {
        let home = home(place);
        // Not the user's: else it could be given to the group together with its owner.
        chown(home.file(place), Some(0), Some(group)).unwrap();
        set_mode(&home.file(place), 0o660);
        for words in WORDS {
            let ours = home.command(&[words, &["--yes", "--only", harness]].concat());
            let mut command = Command::new("setpriv");
            command.args(["--reuid", "65534", "--regid", "65534", "--groups", &format!("65534,{group}")]);
            command.env_clear().env("PATH", std::env::var_os("PATH").unwrap()).env("HOME", home.path());
            let output = command.arg(ours.get_program()).args(ours.get_args()).output().unwrap();
            assert!(output.status.success(), "{words:?} {place}: {output:?}");
            let metadata = fs::metadata(home.file(place)).unwrap();
            let found = (metadata.uid(), metadata.gid(), metadata.mode() & 0o7777);
            assert_eq!(found, (NOBODY, group, 0o660), "{words:?} {place}");
        }
    }
}

/// An access control list as Linux keeps it: the owner, the user 1000 and a mask may read and write, the group
/// and others may not.
fn access_list() -> Vec<u8> {
    let entries: [(u16, u16, u32); 5] =
        [(0x01, 6, u32::MAX), (0x02, 6, 1000), (0x04, 0, u32::MAX), (0x10, 6, u32::MAX), (0x20, 0, u32::MAX)];
    let mut list = 2u32.to_le_bytes().to_vec();
    for (tag, permissions, id) in entries {
        list.extend([&tag.to_le_bytes()[..], &permissions.to_le_bytes(), &id.to_le_bytes()].concat());
    }
    list
}

/// The mask of the list stands where the mode has the bits of the group: without the list they would be its own.
#[test]
fn an_access_control_list_stays_and_none_is_inherited() {
    let read = |path: &Path| {
        let mut list = vec![0; 1024];
        let length = rustix::fs::getxattr(path, "system.posix_acl_access", &mut list[..]).ok()?;
        Some(list[..length].to_vec())
    };
    for (_, _, harness, place) in PLACES {
        for name in ["system.posix_acl_access", "system.posix_acl_default"] {
            let home = home(place);
            let is_default = name.ends_with("default");
            let path = if is_default { directory(&home, place) } else { home.file(place) };
            let flags = rustix::fs::XattrFlags::empty();
            let set = rustix::fs::setxattr(&path, name, &access_list(), flags);
            if is_left_out(set.map_err(|error| format!("no access control lists here: {error}"))) {
                return;
            }
            let before = read(&home.file(place));
            assert_eq!(before.is_none(), is_default);
            for words in WORDS {
                assert!(home.run(&[words, &["--only", harness]].concat()).0, "{words:?} {place}");
                assert_eq!(read(&home.file(place)), before, "{words:?} {place}");
            }
        }
    }
}

#[test]
fn root_keeps_the_owner_of_a_users_file() {
    if is_left_out_without_root() {
        return;
    }
    for (_, _, harness, place) in PLACES {
        let home = UserHome { user: None, ..home(place) };
        assert!(!there_and_back(&home, harness, "settings", place));
        for words in WORDS {
            assert!(home.run(&[words, &["--only", harness]].concat()).0);
            let metadata = fs::metadata(home.file(place)).unwrap();
            assert_eq!((metadata.uid(), metadata.gid()), (NOBODY, NOBODY), "{words:?} {place}");
        }
    }
}
