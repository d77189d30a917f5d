//! Warm-up, window, end: tells when each begins, and reads the driver's CPU at the edges.

use crate::clock;
use crate::tally::Span;
use std::sync::atomic::{AtomicBool, Ordering};

/// How long answers are waited for after the window, in ns.
pub const GRACE_NS: u64 = clock::SECOND;

/// What happens at an edge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edge {
    /// Warm-up is over.
    Measuring,
    /// The window is over.
    Measured,
}

/// Where the firing is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Before the window, at its load.
    WarmUp,
    /// In the window.
    Window,
    /// After it.
    Over,
}

/// Follows a firing through its phases.
pub struct Stopwatch<'a> {
    /// The measured window; its end moves forward when the firing is cut short.
    pub window: Span,
    /// Where the firing is.
    pub phase: Phase,
    /// Wall time spent spinning so far, in ns; the loops add to it.
    pub spun_ns: u64,
    cpu_ns: u64,
    spin_ns: u64,
    on_edge: &'a mut dyn FnMut(Edge),
    interrupt: &'a AtomicBool,
}

impl<'a> Stopwatch<'a> {
    /// Before the warm-up. `interrupt` set: everything ends at once.
    pub fn new(window: Span, on_edge: &'a mut dyn FnMut(Edge), interrupt: &'a AtomicBool) -> Self {
        Self { window, phase: Phase::WarmUp, spun_ns: 0, cpu_ns: 0, spin_ns: 0, on_edge, interrupt }
    }

    /// Moves on to the phase of `now`; true when it changed.
    pub fn tick(&mut self, now: u64) -> bool {
        let before = self.phase;
        if self.phase == Phase::WarmUp && now >= self.window.start {
            self.phase = Phase::Window;
            (self.on_edge)(Edge::Measuring);
            self.cpu_ns = clock::cpu();
            self.spin_ns = self.spun_ns;
        }
        if self.phase == Phase::Window && now >= self.window.end {
            self.close();
        }
        self.phase != before
    }

    /// Whether it was told to end.
    #[must_use]
    pub fn interrupted(&self) -> bool {
        self.interrupt.load(Ordering::Relaxed)
    }

    /// Ends the window now, before its time.
    pub fn cut(&mut self, now: u64) {
        match self.phase {
            Phase::WarmUp => {
                self.window = Span { start: now, end: now };
                self.phase = Phase::Over;
            }
            Phase::Window => {
                self.window.end = now;
                self.close();
            }
            Phase::Over => {}
        }
    }

    fn close(&mut self) {
        self.cpu_ns = clock::cpu() - self.cpu_ns;
        self.spin_ns = self.spun_ns - self.spin_ns;
        self.phase = Phase::Over;
        (self.on_edge)(Edge::Measured);
    }

    /// The moment at which the next phase begins, in ns.
    #[must_use]
    pub fn next_edge(&self) -> u64 {
        match self.phase {
            Phase::WarmUp => self.window.start,
            Phase::Window => self.window.end,
            Phase::Over => self.window.end + GRACE_NS,
        }
    }

    /// CPU of the driver in the window, and wall time spun in it, in ns.
    #[must_use]
    pub fn costs(&self) -> (u64, u64) {
        (self.cpu_ns, self.spin_ns)
    }
}
