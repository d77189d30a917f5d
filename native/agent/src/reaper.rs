//! The one place that waits for children: a first process inherits every orphan, and each must be reaped.

#![forbid(unsafe_code)]

use rustix::process::{Pid, WaitId, WaitIdOptions, WaitOptions, WaitStatus, wait, waitid};
use std::collections::HashMap;
use std::io;
use std::process::{Child, Command};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// How a program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// By itself.
    Code(i32),
    /// By a signal.
    Signal(i32),
}

#[derive(Debug, Default)]
struct Children {
    awaited: HashMap<i32, Sender<Ending>>,
    /// How many were ever started: a reaper without children sleeps until it changes.
    started: u64,
}

/// Starts children and tells how they ended.
#[derive(Debug, Default)]
pub struct Reaper {
    children: Mutex<Children>,
    started: Condvar,
}

impl Reaper {
    /// A reaper with its thread.
    ///
    /// # Errors
    /// Where no thread can be made.
    pub fn start() -> io::Result<Arc<Self>> {
        let reaper = Arc::new(Self::default());
        let own = Arc::clone(&reaper);
        std::thread::Builder::new().name("reaper".into()).spawn(move || own.run())?;
        Ok(reaper)
    }

    fn lock(&self) -> MutexGuard<'_, Children> {
        self.children.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts a program. The lock is held meanwhile: std waits itself for a child whose exec failed, and the
    /// reaper must not be faster.
    ///
    /// # Errors
    /// As [`Command::spawn`].
    pub fn spawn(&self, command: &mut Command) -> io::Result<(Child, Receiver<Ending>)> {
        let mut children = self.lock();
        let child = command.spawn()?;
        let (tell, ended) = channel();
        children.awaited.insert(child.id().cast_signed(), tell);
        children.started += 1;
        self.started.notify_all();
        Ok((child, ended))
    }

    fn run(&self) {
        loop {
            let seen = self.lock().started;
            // Only looks: taking it belongs under the lock, after whoever starts a child has let it go.
            if waitid(WaitId::All, WaitIdOptions::EXITED | WaitIdOptions::NOWAIT).is_ok() {
                self.reap(&mut self.lock());
                continue;
            }
            let children = self.lock();
            drop(self.started.wait_while(children, |children| children.started == seen));
        }
    }

    fn reap(&self, children: &mut Children) {
        while let Ok(Some((pid, status))) = wait(WaitOptions::NOHANG) {
            let awaited = children.awaited.remove(&Pid::as_raw(Some(pid)));
            if let (Some(tell), Some(ending)) = (awaited, ending(status)) {
                let _nobody_waits = tell.send(ending);
            }
        }
    }
}

fn ending(status: WaitStatus) -> Option<Ending> {
    status.exit_status().map(Ending::Code).or_else(|| status.terminating_signal().map(Ending::Signal))
}
