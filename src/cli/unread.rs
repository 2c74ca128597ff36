//! Whether the reader of standard output has read what was written: the evidence by which `bch mcp` acknowledges.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{FileType, fstat};
use rustix::io::ioctl_fionread;
#[cfg(target_os = "linux")]
use rustix::net::sockopt::{set_socket_send_buffer_size, socket_send_buffer_size};
use rustix::stdio::stdout;

/// Whether the other side is open, and has read everything. Where that cannot be known, it has not.
pub(super) fn is_read() -> bool {
    if is_gone() {
        return false;
    }
    match fstat(stdout()).map(|file| FileType::from_raw_mode(file.st_mode)) {
        Ok(FileType::Fifo) => ioctl_fionread(stdout()).is_ok_and(|unread| unread == 0),
        // Node gives its children sockets (run, Node 22, 2026-11-29).
        Ok(FileType::Socket) => is_socket_empty().unwrap_or(false),
        // A file, or nothing: nobody reads at the other end.
        _ => true,
    }
}

/// Whether nobody can read any more.
fn is_gone() -> bool {
    let output = stdout();
    let mut ends = [PollFd::new(&output, PollFlags::empty())];
    poll(&mut ends, Some(&Timespec::default())).is_ok()
        && ends[0].revents().intersects(PollFlags::ERR | PollFlags::HUP)
}

/// Whether a socket holds nothing that its other side has not read. Linux calls a local socket writable while its unread
/// pieces, each with what manages it, take less than a quarter of its buffer: of the smallest buffer (4,608 bytes) that is
/// nothing, or one piece of less than 200 bytes, in which no mail fits (`unix_writable`, net/unix/af_unix.c; run, 2026-11-29).
#[cfg(target_os = "linux")]
fn is_socket_empty() -> rustix::io::Result<bool> {
    let output = stdout();
    let usual = socket_send_buffer_size(output)?;
    set_socket_send_buffer_size(output, 1)?;
    let mut ends = [PollFd::new(&output, PollFlags::OUT)];
    let polled = poll(&mut ends, Some(&Timespec::default()));
    // The system doubles what it is given, for what manages the pieces (socket(7)).
    set_socket_send_buffer_size(output, usual / 2)?;
    polled?;
    Ok(ends[0].revents().contains(PollFlags::OUT))
}

/// Nothing tells: what was answered waits for its lease.
#[cfg(not(target_os = "linux"))]
fn is_socket_empty() -> rustix::io::Result<bool> {
    Ok(false)
}
