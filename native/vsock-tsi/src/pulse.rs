//! A timer that beats while a guest may have missed something, and stands still otherwise.
//!
//! One timer for all, armed once for many events: setting the hardware's timer is what costs (about 10 µs on a virtual
//! machine), so a timeout of every wait would cost more than the packets it watches over.

#![forbid(unsafe_code)]

use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::io::Errno;
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};
use std::io;

/// Without rescues, free room is still told: every so many µs it is looked for.
const SLOW_US: u32 = 1000;

/// The timer.
#[derive(Debug)]
pub struct Pulse {
    timer: OwnedFd,
    interval: Timespec,
    beating: bool,
}

impl Pulse {
    /// A timer that beats every `interval_us`, once it is started; 0 is slow.
    ///
    /// # Errors
    /// When the kernel gives no timer.
    pub fn new(interval_us: u32) -> io::Result<Self> {
        let timer = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)?;
        let us = i64::from(if interval_us == 0 { SLOW_US } else { interval_us });
        let interval = Timespec { tv_sec: us / 1_000_000, tv_nsec: (us % 1_000_000 * 1000) as _ };
        Ok(Self { timer, interval, beating: false })
    }

    /// Lets it beat, if it does not already.
    ///
    /// # Errors
    /// As timerfd_settime(2).
    pub fn start(&mut self) -> io::Result<()> {
        if !self.beating {
            let time = Itimerspec { it_interval: self.interval, it_value: self.interval };
            timerfd_settime(&self.timer, TimerfdTimerFlags::empty(), &time)?;
            self.beating = true;
        }
        Ok(())
    }

    /// It has beaten, and is to go on or not. Linux lets an interval go on when the timer is read, so that one that is
    /// not read stands still by itself.
    ///
    /// # Errors
    /// As read(2).
    pub fn beaten(&mut self, goes_on: bool) -> io::Result<()> {
        self.beating = goes_on;
        if goes_on {
            match rustix::io::read(&self.timer, &mut [0; 8]) {
                Ok(_) | Err(Errno::AGAIN | Errno::INTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
        Ok(())
    }
}

impl AsFd for Pulse {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.timer.as_fd()
    }
}
