//! Waiting for a connection to accept, in place of the caller.
//!
//! Once its call was received the caller waits for us through any signal that does not kill it: so nothing it owns, its
//! stack least of all, changes while we read and write its memory. For a call that may wait long this must end when a
//! signal comes, and as the kernel does not tell, we look.

#![forbid(unsafe_code)]

use super::process::{self, Pending};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::BorrowedFd;

/// How often a waiting call is looked after, ns: so long may a signal's handler have to wait.
const LOOK_AFTER_NS: i64 = 50_000_000;

/// How waiting ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waited {
    /// There is something to accept.
    Ready,
    /// The caller is gone.
    Gone,
    /// The caller has a signal to handle first.
    Signalled(Pending),
}

/// Waits until `listener` is readable.
#[must_use]
pub fn wait(thread: u32, listener: BorrowedFd<'_>, process: BorrowedFd<'_>, is_waiting: impl Fn() -> bool) -> Waited {
    let mut fds = [PollFd::from_borrowed_fd(listener, PollFlags::IN), PollFd::from_borrowed_fd(process, PollFlags::IN)];
    let look_after = Timespec { tv_sec: 0, tv_nsec: LOOK_AFTER_NS };
    loop {
        let ready = poll(&mut fds, Some(&look_after));
        if !fds[1].revents().is_empty() || !is_waiting() {
            return Waited::Gone;
        }
        if !fds[0].revents().is_empty() {
            return Waited::Ready;
        }
        if ready == Ok(0)
            && let Some(pending) = process::pending_signal(thread)
        {
            return Waited::Signalled(pending);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Waited, wait};
    use rustix::event::{EventfdFlags, eventfd};
    use rustix::fd::{AsFd, OwnedFd};

    fn event(count: u32) -> OwnedFd {
        eventfd(count, EventfdFlags::CLOEXEC).unwrap()
    }

    fn own_thread() -> u32 {
        rustix::thread::gettid().as_raw_nonzero().get() as u32
    }

    #[test]
    fn waits_until_there_is_something() {
        let (listener, process) = (event(0), event(0));
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| wait(own_thread(), listener.as_fd(), process.as_fd(), || true));
            rustix::io::write(&listener, &1u64.to_ne_bytes()).unwrap();
            assert_eq!(waiting.join().ok(), Some(Waited::Ready));
        });
    }

    #[test]
    fn the_process_s_end_ends_it() {
        assert_eq!(wait(own_thread(), event(0).as_fd(), event(1).as_fd(), || true), Waited::Gone);
    }

    #[test]
    fn who_no_longer_asks_gets_nothing_that_arrives_later() {
        assert_eq!(wait(own_thread(), event(1).as_fd(), event(0).as_fd(), || false), Waited::Gone);
    }
}
