//! Where a reader is: the remotes of its git repository and the path of its work tree.
//!
//! Git's files are read, git is never run: the hook starts no process. Includes and `insteadOf` are
//! not followed.

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::message::Context;

/// Bytes of a git file that are read at most.
const LONGEST: u64 = 256 * 1024;

/// The contexts of a reader that works in `directory`.
#[must_use]
pub fn contexts(directory: &Path) -> Vec<Context> {
    let directory = fs::canonicalize(directory).unwrap_or_else(|_| directory.to_owned());
    let Some((work_tree, git)) = find(&directory) else {
        return Context::new(&directory.to_string_lossy()).into_iter().collect();
    };
    let mut texts = vec![work_tree.to_string_lossy().into_owned()];
    if let Some(config) = read(&common_directory(&git).join("config")) {
        texts.extend(remotes(&config));
    }
    let mut contexts: Vec<_> = texts.iter().filter_map(|text| Context::new(text)).collect();
    contexts.dedup();
    contexts
}

/// The URL of the first remote, `origin` before others, without credentials; for `--scope .`.
#[must_use]
pub fn first_remote(directory: &Path) -> Option<String> {
    let (_, git) = find(&fs::canonicalize(directory).ok()?)?;
    let config = read(&common_directory(&git).join("config"))?;
    remotes(&config).into_iter().next()
}

/// The directory and those above it, up to the root of its repository; it alone where there is none.
#[must_use]
pub fn directories(directory: &Path) -> Vec<PathBuf> {
    let directory = fs::canonicalize(directory).unwrap_or_else(|_| directory.to_owned());
    let root = find(&directory).map_or_else(|| directory.clone(), |(work_tree, _)| work_tree);
    directory.ancestors().take_while(|above| above.starts_with(&root)).map(Path::to_owned).collect()
}

/// The nearest directory upward with a `.git`, and the git directory that it names.
fn find(directory: &Path) -> Option<(PathBuf, PathBuf)> {
    directory.ancestors().find_map(|work_tree| {
        let git = work_tree.join(".git");
        let kind = fs::metadata(&git).ok()?;
        if kind.is_dir() {
            return Some((work_tree.to_owned(), git));
        }
        // A linked work tree or submodule: `gitdir: <path>` (gitrepository-layout(5)).
        let text = read(&git)?;
        let path = text.strip_prefix("gitdir:")?.trim();
        Some((work_tree.to_owned(), work_tree.join(path)))
    })
}

/// A linked work tree keeps its configuration in the main one's git directory.
fn common_directory(git: &Path) -> PathBuf {
    match read(&git.join("commondir")) {
        Some(path) => git.join(path.trim()),
        None => git.to_owned(),
    }
}

/// Reads a regular file; a pipe in its place must not hold up a prompt.
fn read(path: &Path) -> Option<String> {
    let non_blocking = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    let file = File::options().read(true).custom_flags(non_blocking).open(path).ok()?;
    if !file.metadata().ok()?.is_file() {
        return None;
    }
    let mut bytes = Vec::new();
    file.take(LONGEST).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// Every `url` and `pushurl` of a `[remote "…"]` section, those of `origin` first (git-config(1), "Syntax").
fn remotes(config: &str) -> Vec<String> {
    let (mut first, mut others, mut section) = (Vec::new(), Vec::new(), None);
    for line in config.lines().map(str::trim) {
        if let Some(header) = line.strip_prefix('[') {
            let header = header.split_once(']').map_or(header, |(header, _)| header);
            let (kind, name) = header.split_once(char::is_whitespace).unwrap_or((header, ""));
            section = kind.eq_ignore_ascii_case("remote").then(|| name.trim().trim_matches('"').to_owned());
        } else if let (Some(remote), Some((key, value))) = (&section, line.split_once('=')) {
            let key = key.trim();
            if key.eq_ignore_ascii_case("url") || key.eq_ignore_ascii_case("pushurl") {
                let value = value.trim().trim_matches('"');
                let list = if remote == "origin" { &mut first } else { &mut others };
                list.push(value.to_owned());
            }
        }
    }
    first.append(&mut others);
    first
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_remote_counts_and_origin_leads() {
        let config = "[core]\n\turl = no\n[remote \"up\"]\n\turl = git@host:up/proj.git\n[Remote \"origin\"]\n\
                      \tfetch = +refs\n\turl = \"https://host/me/proj\"\n\tpushurl = ssh://host/me/push\n";
        assert_eq!(remotes(config), ["https://host/me/proj", "ssh://host/me/push", "git@host:up/proj.git"]);
    }
}
