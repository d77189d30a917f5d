//! Calls that wait for a connection to arrive, and their end when the caller was interrupted.

#![forbid(unsafe_code)]

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use rustix::fd::{BorrowedFd, OwnedFd};
use rustix::io::Errno;
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// How often a waiting call is looked after, s. The kernel does not tell when a signal ends it; usually the thread's next
/// call or its process's end does.
const LOOK_AFTER_S: i64 = 1;

/// The calls that wait, by thread.
#[derive(Default)]
pub struct Parking {
    count: AtomicUsize,
    cancels: Mutex<HashMap<u32, Arc<OwnedFd>>>,
    left: Condvar,
}

/// How waiting ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waited {
    /// There is something to accept.
    Ready,
    /// The caller is gone.
    Cancelled,
}

impl Parking {
    /// Waits until `listener` is readable. `listener` must be given up before `leave` when it was cancelled.
    ///
    /// # Errors
    /// When there are no descriptors left.
    pub fn wait(
        &self,
        thread: u32,
        listener: BorrowedFd<'_>,
        process: BorrowedFd<'_>,
        is_waiting: impl Fn() -> bool,
    ) -> Result<Waited, Errno> {
        let cancel = Arc::new(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?);
        self.lock().insert(thread, Arc::clone(&cancel));
        self.count.fetch_add(1, Ordering::SeqCst);
        let mut fds = [
            PollFd::from_borrowed_fd(listener, PollFlags::IN),
            PollFd::from_borrowed_fd(process, PollFlags::IN),
            PollFd::new(&cancel, PollFlags::IN),
        ];
        loop {
            let look_after = Timespec { tv_sec: LOOK_AFTER_S, tv_nsec: 0 };
            let _counted = poll(&mut fds, Some(&look_after));
            let ended = fds[1..].iter().any(|fd| !fd.revents().is_empty());
            if ended || !is_waiting() {
                return Ok(Waited::Cancelled);
            }
            if !fds[0].revents().is_empty() {
                return Ok(Waited::Ready);
            }
        }
    }

    /// The thread's call waits no more.
    pub fn leave(&self, thread: u32) {
        if self.lock().remove(&thread).is_some() {
            self.count.fetch_sub(1, Ordering::SeqCst);
            self.left.notify_all();
        }
    }

    /// Ends a call of the thread that still waits, and returns when its listener was given up.
    pub fn cancel(&self, thread: u32) {
        if self.count.load(Ordering::SeqCst) == 0 {
            return;
        }
        let mut cancels = self.lock();
        while let Some(cancel) = cancels.get(&thread) {
            let _full = rustix::io::write(cancel, &1u64.to_ne_bytes());
            cancels = self.left.wait(cancels).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u32, Arc<OwnedFd>>> {
        self.cancels.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::{Parking, Waited};
    use rustix::event::{EventfdFlags, eventfd};
    use rustix::fd::AsFd;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::thread;

    type Outcome = Result<(), Box<dyn std::error::Error>>;

    #[test]
    fn waits_until_there_is_something() -> Outcome {
        let (listener, process) = (eventfd(0, EventfdFlags::CLOEXEC)?, eventfd(0, EventfdFlags::CLOEXEC)?);
        let parking = Parking::default();
        thread::scope(|scope| {
            let waiting = scope.spawn(|| parking.wait(1, listener.as_fd(), process.as_fd(), || true));
            rustix::io::write(&listener, &1u64.to_ne_bytes())?;
            assert_eq!(waiting.join().ok(), Some(Ok(Waited::Ready)));
            parking.leave(1);
            // Nobody waits: returns at once.
            parking.cancel(1);
            Ok(())
        })
    }

    #[test]
    fn the_process_s_end_ends_it() -> Outcome {
        let (listener, process) = (eventfd(0, EventfdFlags::CLOEXEC)?, eventfd(1, EventfdFlags::CLOEXEC)?);
        let parking = Parking::default();
        assert_eq!(parking.wait(1, listener.as_fd(), process.as_fd(), || true), Ok(Waited::Cancelled));
        Ok(())
    }

    #[test]
    fn who_no_longer_asks_gets_nothing_that_arrives_later() -> Outcome {
        let (listener, process) = (eventfd(1, EventfdFlags::CLOEXEC)?, eventfd(0, EventfdFlags::CLOEXEC)?);
        let parking = Parking::default();
        assert_eq!(parking.wait(1, listener.as_fd(), process.as_fd(), || false), Ok(Waited::Cancelled));
        Ok(())
    }

    #[test]
    fn cancelling_returns_when_the_listener_was_given_up() -> Outcome {
        let (listener, process) = (eventfd(0, EventfdFlags::CLOEXEC)?, eventfd(0, EventfdFlags::CLOEXEC)?);
        let (parking, given_up) = (Arc::new(Parking::default()), Arc::new(AtomicBool::new(false)));
        let waiting = {
            let (parking, given_up) = (Arc::clone(&parking), Arc::clone(&given_up));
            thread::spawn(move || {
                let waited = parking.wait(1, listener.as_fd(), process.as_fd(), || true);
                drop(listener);
                given_up.store(true, Ordering::SeqCst);
                parking.leave(1);
                waited
            })
        };
        while parking.count.load(Ordering::SeqCst) == 0 {
            thread::yield_now();
        }
        parking.cancel(1);
        assert!(given_up.load(Ordering::SeqCst));
        assert_eq!(waiting.join().ok(), Some(Ok(Waited::Cancelled)));
        Ok(())
    }
}
