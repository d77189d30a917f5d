//! Results nobody heard: a signal interrupted the caller while its call was being made. The kernel makes the caller call
//! again, and then the same result is told instead of doing the same thing twice.

#![forbid(unsafe_code)]

use super::notify::{Listener, Notification};
use rustix::fd::{AsFd, OwnedFd};
use rustix::io::Errno;
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Results kept; all are dropped when there are more.
const MOST: usize = 1024;

/// What could not be told.
pub enum Kept {
    /// A number or an error.
    Plain(Result<i64, Errno>),
    /// A descriptor; close on exec or not.
    Descriptor(OwnedFd, bool),
}

/// Results by thread.
#[derive(Default)]
pub struct Unheard {
    count: AtomicUsize,
    results: Mutex<HashMap<u32, (Notification, Kept)>>,
}

impl Unheard {
    /// Keeps a result for the call's repetition.
    pub fn keep(&self, call: &Notification, result: Kept) {
        let mut results = self.lock();
        if results.len() >= MOST {
            results.clear();
        }
        results.insert(call.thread, (*call, result));
        self.count.store(results.len(), Ordering::SeqCst);
    }

    /// Tells a kept result if this is the same call again; any other call of the thread means that it gave up.
    #[must_use]
    pub fn retell(&self, call: &Notification, listener: &Listener) -> bool {
        if self.count.load(Ordering::SeqCst) == 0 {
            return false;
        }
        let kept = {
            let mut results = self.lock();
            let kept = results.remove(&call.thread);
            self.count.store(results.len(), Ordering::SeqCst);
            kept
        };
        let Some((before, result)) = kept else { return false };
        if (before.number, before.arguments) != (call.number, call.arguments) {
            return false;
        }
        let told = match &result {
            Kept::Plain(result) => listener.answer(call.id, *result),
            Kept::Descriptor(fd, close_on_exec) => listener.answer_with(call.id, fd.as_fd(), *close_on_exec),
        };
        if told == Err(Errno::NOENT) {
            self.keep(call, result);
        }
        true
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u32, (Notification, Kept)>> {
        self.results.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
