//! The counter by which a guest wakes the device.

#![forbid(unsafe_code)]

use poller::{Poller, Token};
use rustix::fd::OwnedFd;
use std::io;
use std::rc::Rc;

/// A kick, watched or not yet. The guest's front end holds a copy of the descriptor, so closing ours would not end the
/// watching.
#[derive(Debug)]
pub struct Kick {
    counter: OwnedFd,
    watched: Option<Rc<Poller>>,
}

impl Kick {
    /// Not yet watched.
    #[must_use]
    pub fn new(counter: OwnedFd) -> Self {
        Self { counter, watched: None }
    }

    /// Makes every kick an event. Edge-triggered, so that the counter never has to be read.
    ///
    /// # Errors
    /// When it cannot be watched.
    pub fn watch(&mut self, poller: &Rc<Poller>, token: Token) -> io::Result<()> {
        poller.add(&self.counter, token)?;
        self.watched = Some(Rc::clone(poller));
        Ok(())
    }
}

impl Drop for Kick {
    fn drop(&mut self) {
        if let Some(poller) = &self.watched {
            let _not_watched = poller.remove(&self.counter);
        }
    }
}
