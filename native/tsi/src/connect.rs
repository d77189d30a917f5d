//! `connect` on a moved socket, in TCP's words.

#![forbid(unsafe_code)]

use crate::address::{self, Pod, Route, Vsock};
use crate::moved::Outcome;
use crate::{sibling, socket};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fd::{AsFd, BorrowedFd};
use rustix::io::Errno;

/// `connect`.
#[must_use]
pub fn connect(socket: BorrowedFd<'_>, name: &[u8], pod: Pod) -> Outcome<()> {
    let to = match address::parse(name) {
        Ok(Some(to)) => to,
        Ok(None) | Err(_) => return Outcome::Foreign,
    };
    match address::route(to, pod) {
        Ok(Route::Moved(to)) => connect_moved(socket, to),
        Ok(Route::Loopback(to)) => connect_loopback(socket, to, name),
        Err(error) if socket::is_vsock(socket) => Outcome::Done(Err(error)),
        Err(_) => Outcome::Foreign,
    }
}

/// Connects first and asks which socket it is only if that fails: another family refuses a vsock address unharmed.
fn connect_moved(socket: BorrowedFd<'_>, to: Vsock) -> Outcome<()> {
    match socket::connect(socket, to) {
        Ok(()) => Outcome::Done(Ok(())),
        Err(Errno::INTR) => connect_anew(socket, to),
        Err(error @ (Errno::INPROGRESS | Errno::ISCONN)) => Outcome::Done(Err(error)),
        Err(_) if !socket::is_vsock(socket) => Outcome::Foreign,
        Err(Errno::CONNRESET) => {
            // A blocking connect leaves the error in the socket, where the next attempt would find it.
            let _refused = take_error(socket);
            Outcome::Done(Err(Errno::CONNREFUSED))
        }
        Err(Errno::ALREADY) => connecting(socket),
        // A listener, or a connection of which one half is closed.
        Err(Errno::INVAL) => Outcome::Done(Err(Errno::ISCONN)),
        Err(error) => Outcome::Done(Err(error)),
    }
}

/// TCP goes on connecting when a signal comes. vsock gives up and leaves a socket whose port the device still knows, so
/// another takes its place. Only a call that waits can be interrupted.
fn connect_anew(socket: BorrowedFd<'_>, to: Vsock) -> Outcome<()> {
    match sibling::moved(socket) {
        Ok(fresh) => match connect_moved(fresh.as_fd(), to) {
            Outcome::Replace(fresher, result) => Outcome::Replace(fresher, result),
            Outcome::Done(result) => Outcome::Replace(fresh, result),
            Outcome::Foreign => Outcome::Foreign,
        },
        Err(error) => Outcome::Done(Err(error)),
    }
}

/// A second connect, as TCP answers it: still on its way, refused, or refused and told already. A moved socket stays in
/// this state for ever, so one that was refused is replaced, for a third try.
fn connecting(socket: BorrowedFd<'_>) -> Outcome<()> {
    if !is_writable(socket) {
        return Outcome::Done(Err(Errno::ALREADY));
    }
    let refused = take_error(socket).err().unwrap_or(Errno::CONNABORTED);
    match sibling::moved(socket) {
        Ok(fresh) => Outcome::Replace(fresh, Err(refused)),
        Err(_) => Outcome::Done(Err(refused)),
    }
}

/// The guest's own loopback answers at once, so waiting for it blocks nobody. Who is not there is looked for by TCP.
fn connect_loopback(socket: BorrowedFd<'_>, to: Vsock, name: &[u8]) -> Outcome<()> {
    match connect_moved(socket, to) {
        Outcome::Done(Err(Errno::INPROGRESS)) => {
            let mut fds = [PollFd::from_borrowed_fd(socket, PollFlags::OUT)];
            let _ready = poll(&mut fds, None);
            if fds[0].revents().contains(PollFlags::ERR) {
                // The refusal stays in the socket, where the program looks for it.
                return connect_tcp(socket, name, Errno::INPROGRESS);
            }
            Outcome::Done(Err(Errno::INPROGRESS))
        }
        // Nobody at this port, or no loopback module.
        Outcome::Done(Err(Errno::CONNREFUSED | Errno::NODEV | Errno::NETUNREACH | Errno::TIMEDOUT)) => {
            connect_tcp(socket, name, Errno::CONNREFUSED)
        }
        outcome => outcome,
    }
}

/// Replaces the socket by a real TCP one if that finds somebody; else it stays as it is.
fn connect_tcp(socket: BorrowedFd<'_>, name: &[u8], otherwise: Errno) -> Outcome<()> {
    let Ok(tcp) = sibling::tcp(socket) else { return Outcome::Done(Err(otherwise)) };
    match socket::connect_as(tcp.as_fd(), name) {
        Ok(()) => Outcome::Replace(tcp, Ok(())),
        Err(Errno::INPROGRESS) if !is_writable(tcp.as_fd()) || take_error(tcp.as_fd()).is_ok() => {
            Outcome::Replace(tcp, Err(Errno::INPROGRESS))
        }
        Err(_) => Outcome::Done(Err(otherwise)),
    }
}

fn is_writable(socket: BorrowedFd<'_>) -> bool {
    let mut fds = [PollFd::from_borrowed_fd(socket, PollFlags::OUT)];
    let now = rustix::event::Timespec { tv_sec: 0, tv_nsec: 0 };
    matches!(poll(&mut fds, Some(&now)), Ok(1)) && fds[0].revents().contains(PollFlags::OUT)
}

/// SO_ERROR, in TCP's words; the kernel forgets it. vsock has ECONNRESET only for a connection that was refused: a later
/// reset shows as the end of the stream.
fn take_error(socket: BorrowedFd<'_>) -> Result<(), Errno> {
    match socket::number_option(socket, libc::SO_ERROR)? {
        0 => Ok(()),
        libc::ECONNRESET => Err(Errno::CONNREFUSED),
        error => Err(Errno::from_raw_os_error(error)),
    }
}
