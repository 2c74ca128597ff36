//! Links `bch-hook` statically on Linux with glibc, and leaves `bch` as it is.
//!
//! A harness starts the hook at every prompt, and most of what a small program costs is the dynamic
//! loader. `-static` alone is not enough: rustc asks for `libgcc_s`, `libutil` and others by name, so
//! linker scripts of the same names point each of them at its static archive. Where the archives are
//! not installed the hook is linked dynamically, and works the same.

#![expect(
    clippy::disallowed_methods,
    clippy::expect_used,
    reason = "a build script asks cargo and the compiler"
)]

use std::path::{Path, PathBuf};
use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let target = std::env::var("TARGET").unwrap_or_default();
    let host = std::env::var("HOST").unwrap_or_default();
    let out = PathBuf::from(std::env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    if target != host || !target.ends_with("-linux-gnu") {
        return;
    }
    if let Err(reason) = write_linker_scripts(&out) {
        println!("cargo:warning=bch-hook is linked dynamically: {reason}");
        return;
    }
    println!("cargo:rustc-link-arg-bin=bch-hook=-static");
    println!("cargo:rustc-link-arg-bin=bch-hook=-no-pie");
    println!("cargo:rustc-link-arg-bin=bch-hook=-L{}", out.display());
}

/// Writes one linker script for each library that rustc names in its dynamic form.
fn write_linker_scripts(out: &Path) -> Result<(), String> {
    for name in ["util", "rt", "pthread", "m", "dl"] {
        let archive = static_archive(&format!("lib{name}.a"))?;
        write(out, &format!("lib{name}.so"), &format!("INPUT ( {archive} )"))?;
    }
    let libc = static_archive("libc.a")?;
    write(out, "libgcc_s.so", "INPUT ( -lgcc_eh )")?;
    write(out, "libc.so", &format!("GROUP ( {libc} -lgcc -lgcc_eh )"))
}

/// The full path of an archive, as the C compiler knows it.
fn static_archive(name: &str) -> Result<String, String> {
    let output = Command::new("cc")
        .arg(format!("-print-file-name={name}"))
        .output()
        .map_err(|error| format!("could not run cc: {error}"))?;
    let path = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    // A compiler that does not find a file repeats the bare name.
    if path.contains('/') { Ok(path) } else { Err(format!("no {name} (Debian: libc6-dev)")) }
}

fn write(out: &Path, name: &str, content: &str) -> Result<(), String> {
    std::fs::write(out.join(name), content).map_err(|error| format!("could not write {name}: {error}"))
}
