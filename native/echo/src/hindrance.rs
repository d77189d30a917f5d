//! Slowness on purpose, so that tests of the driver know what it must report.

use std::time::{Duration, Instant};

/// All zero: none.
#[derive(Debug, Clone, Copy, Default)]
pub struct Hindrance {
    /// An answer leaves so long after its request came.
    pub delay: Duration,
    /// CPU burnt per request.
    pub spin: Duration,
    /// The server does nothing at all for `stall`, every `stall_every`.
    pub stall_every: Duration,
    /// See `stall_every`.
    pub stall: Duration,
}

impl Hindrance {
    /// Burns the CPU that one request costs.
    pub fn burn(&self) {
        if self.spin.is_zero() {
            return;
        }
        let until = Instant::now() + self.spin;
        while Instant::now() < until {
            std::hint::spin_loop();
        }
    }

    /// When a request that came now is answered; `None`: at once.
    #[must_use]
    pub fn due(&self) -> Option<Instant> {
        (!self.delay.is_zero()).then(|| Instant::now() + self.delay)
    }
}

/// The next stall of a server.
#[derive(Debug)]
pub struct Stalls {
    next: Option<Instant>,
    hindrance: Hindrance,
}

impl Stalls {
    /// The first stall begins one interval from now.
    #[must_use]
    pub fn new(hindrance: Hindrance) -> Self {
        let stalls = !hindrance.stall.is_zero() && !hindrance.stall_every.is_zero();
        Self { next: stalls.then(|| Instant::now() + hindrance.stall_every), hindrance }
    }

    /// When the server must be awake to stall.
    #[must_use]
    pub fn next(&self) -> Option<Instant> {
        self.next
    }

    /// Stalls if it is time to. Sleeping is the stall itself here: the thread answers nobody meanwhile.
    pub fn stall_if_due(&mut self) {
        let Some(next) = self.next else { return };
        if Instant::now() >= next {
            std::thread::sleep(self.hindrance.stall);
            self.next = Some(next + self.hindrance.stall_every);
        }
    }
}
