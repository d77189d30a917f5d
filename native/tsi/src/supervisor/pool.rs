//! Threads that answer: as many as wait for something at once, and one more that listens.

#![forbid(unsafe_code)]

use rustix::io::Errno;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::Builder;

/// Threads at most; a call that would have to wait beyond them fails.
const MOST: usize = 2048;
/// Bytes of stack of each. Nothing here recurses or keeps large values on it.
const STACK: usize = 128 << 10;

/// Counts the threads.
#[derive(Default)]
pub struct Pool {
    /// Those that listen.
    resting: AtomicUsize,
    all: AtomicUsize,
}

impl Pool {
    /// The calling thread is about to listen.
    pub fn rest(&self) {
        self.resting.fetch_add(1, Ordering::SeqCst);
    }

    /// The calling thread has something to do.
    pub fn rise(&self) {
        self.resting.fetch_sub(1, Ordering::SeqCst);
    }

    /// Starts a thread if none listens.
    ///
    /// A thread counted as resting may just have got a call of its own. It then comes here too before it waits.
    ///
    /// # Errors
    /// ENOBUFS when there are too many.
    pub fn ensure_one_rests(&self, work: impl FnOnce() + Send + 'static) -> Result<(), Errno> {
        if self.resting.load(Ordering::SeqCst) > 0 {
            return Ok(());
        }
        self.start(work)
    }

    /// Starts a thread.
    ///
    /// # Errors
    /// ENOBUFS when there are too many.
    pub fn start(&self, work: impl FnOnce() + Send + 'static) -> Result<(), Errno> {
        if self.all.fetch_add(1, Ordering::SeqCst) >= MOST {
            self.all.fetch_sub(1, Ordering::SeqCst);
            return Err(Errno::NOBUFS);
        }
        Builder::new().stack_size(STACK).spawn(work).map(drop).map_err(|_| {
            self.all.fetch_sub(1, Ordering::SeqCst);
            Errno::NOBUFS
        })
    }
}
