//! Wakers without a runtime: what the HTTP/2 crate wakes is put on a list that the loop works off.

#![forbid(unsafe_code)]

use crate::table::Key;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Wake, Waker};

/// What is to be polled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Task {
    /// A TLS connection with its HTTP/2.
    Connection(Key),
    /// One tunnel.
    Stream(Key),
}

/// Tasks that were woken, in order, each once.
#[derive(Debug, Clone, Default)]
pub struct WakeList(Arc<Mutex<Vec<Arc<Alarm>>>>);

#[derive(Debug)]
struct Alarm {
    task: Task,
    /// On the list already.
    rung: AtomicBool,
    list: WakeList,
}

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // One thread uses the list; the atomics are what `Waker` demands.
        if !self.rung.swap(true, Ordering::Relaxed) {
            self.list.0.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(self));
        }
    }
}

impl WakeList {
    /// A waker that puts `task` on this list.
    #[must_use]
    pub fn waker(&self, task: Task) -> Waker {
        Waker::from(Arc::new(Alarm { task, rung: AtomicBool::new(false), list: self.clone() }))
    }

    /// Moves what is on the list to the end of `into`; whatever is woken from now on is put on it again.
    pub fn take(&self, into: &mut Vec<Task>) {
        let mut list = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        into.extend(list.drain(..).map(|alarm| {
            alarm.rung.store(false, Ordering::Relaxed);
            alarm.task
        }));
    }

    /// Whether nothing is on the list.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_is_listed_once_until_taken() {
        let list = WakeList::default();
        let task = Task::Stream(Key { index: 1, generation: 2 });
        let waker = list.waker(task);
        waker.wake_by_ref();
        waker.wake_by_ref();
        let mut taken = Vec::new();
        list.take(&mut taken);
        assert_eq!(taken, [task]);
        assert!(list.is_empty());
        waker.wake();
        list.take(&mut taken);
        assert_eq!(taken, [task, task]);
    }
}
