//! The seccomp supervisor: programs of any kind, static ones too, under a filter that asks it about socket calls.

mod calls;
mod front;
mod launch;
mod message;
mod notify;
mod parking;
mod pool;
mod process;
mod rights;
mod signals;
mod swap;
mod transplant;

pub use launch::{LaunchError, run};

use crate::address::Pod;
use notify::Listener;
use pool::Pool;
use process::Handles;
use rustix::io::Errno;
use rustix::process::{Resource, getrlimit, setrlimit};
use std::sync::Arc;

/// Threads at first: one may wait.
const THREADS: usize = 2;

/// Answers the system calls of one program and its descendants.
struct Supervisor {
    listener: Listener,
    pod: Pod,
    handles: Handles,
    pool: Pool,
}

impl Supervisor {
    fn new(listener: Listener, pod: Pod) -> Arc<Self> {
        Arc::new(Self { listener, pod, handles: Handles::default(), pool: Pool::default() })
    }

    /// Starts answering, and makes room for copies of the program's descriptors: a few for each thread that waits.
    ///
    /// # Errors
    /// When no thread can be started.
    fn start(self: &Arc<Self>) -> Result<(), Errno> {
        let mut limit = getrlimit(Resource::Nofile);
        limit.current = limit.maximum;
        setrlimit(Resource::Nofile, limit)?;
        for _ in 0..THREADS {
            let supervisor = Arc::clone(self);
            self.pool.start(move || supervisor.work())?;
        }
        Ok(())
    }

    /// Answers until the process ends. Several threads do this: one that is about to wait sees to it that another listens.
    fn work(self: &Arc<Self>) {
        loop {
            self.pool.rest();
            let received = self.listener.receive();
            self.pool.rise();
            match received {
                Ok(call) => self.dispatch(&call),
                // The caller was interrupted before we looked.
                Err(Errno::NOENT | Errno::INTR) => {}
                // Nobody is left who could call; whoever watches that ends the process.
                Err(_) => return,
            }
        }
    }

    /// Makes sure that somebody listens while this thread waits.
    ///
    /// # Errors
    /// ENOBUFS when too many wait already.
    fn about_to_wait(self: &Arc<Self>) -> Result<(), Errno> {
        let supervisor = Arc::clone(self);
        self.pool.ensure_one_rests(move || supervisor.work())
    }
}
