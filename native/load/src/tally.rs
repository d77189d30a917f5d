//! What is counted. A request belongs to the measured window by its planned send time, in a closed loop by its send time.

use crate::histogram::Histogram;
use rustix::io::Errno;
use std::collections::BTreeMap;
use std::fmt;

/// How a request failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Nobody listens there.
    ConnectRefused,
    /// The handshake got no answer.
    ConnectTimeout,
    /// No route, or forbidden.
    ConnectUnreachable,
    /// The client has no port left for the address.
    NoPort,
    /// The connection was reset.
    Reset,
    /// The server ended the connection.
    Closed,
    /// Another status than 200.
    Status(u16),
    /// Not HTTP, or not the part of it that we speak.
    Malformed,
    /// Another length than the payload's.
    WrongLength,
    /// Other bytes than the payload's.
    WrongBytes,
    /// Bytes that nobody asked for.
    Surplus,
    /// Planned, and not sent by the end of the window.
    Unsent,
    /// Sent, and not answered a second after the end of the window.
    Timeout,
}

impl Kind {
    /// Code of a failure to connect; `lost` for the kinds that happen later.
    #[must_use]
    pub fn as_connect(self) -> &'static str {
        match self {
            Self::ConnectRefused => "connect-refused",
            Self::ConnectTimeout => "connect-timeout",
            Self::ConnectUnreachable => "connect-unreachable",
            Self::NoPort => "no-port",
            _ => "lost",
        }
    }

    /// The kind of a failed connect.
    #[must_use]
    pub fn of_connect(error: Errno) -> Self {
        match error {
            Errno::CONNREFUSED => Self::ConnectRefused,
            Errno::TIMEDOUT => Self::ConnectTimeout,
            Errno::ADDRNOTAVAIL => Self::NoPort,
            Errno::CONNRESET => Self::Reset,
            _ => Self::ConnectUnreachable,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ConnectRefused | Self::ConnectTimeout | Self::ConnectUnreachable | Self::NoPort => self.as_connect(),
            Self::Reset => "reset",
            Self::Closed => "closed",
            Self::Status(code) => return write!(f, "status-{code}"),
            Self::Malformed => "malformed",
            Self::WrongLength => "wrong-length",
            Self::WrongBytes => "wrong-bytes",
            Self::Surplus => "surplus",
            Self::Unsent => "unsent",
            Self::Timeout => "timeout",
        })
    }
}

/// Part of time, in monotonic ns: from `start` up to, not including, `end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// First ns.
    pub start: u64,
    /// First ns after it.
    pub end: u64,
}

impl Span {
    /// Whether a moment lies in it.
    #[must_use]
    pub fn contains(&self, at: u64) -> bool {
        (self.start..self.end).contains(&at)
    }
}

/// Times of one request, in monotonic ns.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Times {
    /// When it should go out; in a closed loop, when it went out.
    pub planned: u64,
    /// When it went out.
    pub sent: u64,
}

/// Counts of a firing.
#[derive(Debug)]
pub struct Tally {
    /// The measured window.
    pub window: Span,
    /// Requests planned in the window; in a closed loop, as many as were sent.
    pub planned: u64,
    /// Of these, sent.
    pub sent: u64,
    /// Of these, answered well.
    pub done: u64,
    /// Failures of the window by kind.
    pub errors: BTreeMap<Kind, u64>,
    /// Answer minus planned send.
    pub latency: Histogram,
    /// Answer minus actual send.
    pub service: Histogram,
    /// Actual minus planned send, where a connection was idle at the planned time.
    pub lateness: Histogram,
    /// Medians over the whole firing.
    pub slices: Slices,
    /// Connections opened, used once and closed.
    pub connections_done: u64,
    /// Payload bytes that arrived at the far end.
    pub stream_bytes: u64,
}

impl Tally {
    /// Nothing counted yet; `firing` is the warm-up and the window.
    #[must_use]
    pub fn new(firing: Span, window: Span) -> Self {
        Self {
            window,
            planned: 0,
            sent: 0,
            done: 0,
            errors: BTreeMap::new(),
            latency: Histogram::default(),
            service: Histogram::default(),
            lateness: Histogram::default(),
            slices: Slices::new(firing),
            connections_done: 0,
            stream_bytes: 0,
        }
    }

    /// A request went out.
    pub fn sent(&mut self, times: Times) {
        self.sent += u64::from(self.window.contains(times.planned));
    }

    /// A request was answered well.
    pub fn answered(&mut self, times: Times, at: u64) {
        let latency = at.saturating_sub(times.planned);
        self.slices.record(at, latency);
        if self.window.contains(times.planned) {
            self.done += 1;
            self.latency.record(latency);
            self.service.record(at.saturating_sub(times.sent));
        }
    }

    /// A request failed, or a connection was lost; `at` decides whether it counts.
    pub fn failed(&mut self, kind: Kind, at: u64) {
        if self.window.contains(at) {
            self.add_errors(kind, 1);
        }
    }

    /// Failures counted at the end.
    pub fn add_errors(&mut self, kind: Kind, count: u64) {
        if count > 0 {
            *self.errors.entry(kind).or_default() += count;
        }
    }
}

/// Median latency of consecutive slices of the firing, for the detection of warm-up.
#[derive(Debug)]
pub struct Slices {
    /// Length of a slice in ms.
    pub slice_ms: u64,
    /// Medians in ns. A slice without answers repeats the one before.
    pub p50_ns: Vec<u64>,
    current: Histogram,
    current_end: u64,
    firing_end: u64,
}

impl Slices {
    /// About a hundred slices, of 50 ms to 1 s.
    fn new(firing: Span) -> Self {
        let slice_ms = ((firing.end - firing.start) / 100_000_000).clamp(50, 1_000);
        let count = (firing.end - firing.start) / (slice_ms * 1_000_000) + 2;
        Self {
            slice_ms,
            p50_ns: Vec::with_capacity(count as usize),
            current: Histogram::with_digits(2),
            current_end: firing.start + slice_ms * 1_000_000,
            firing_end: firing.end,
        }
    }

    fn record(&mut self, at: u64, latency: u64) {
        while at >= self.current_end && self.current_end <= self.firing_end {
            let before = self.p50_ns.last().copied();
            let median = if self.current.is_empty() { before } else { Some(self.current.quantile(0.5)) };
            // Nothing to repeat before the first answer.
            self.p50_ns.extend(median);
            self.current.clear();
            self.current_end += self.slice_ms * 1_000_000;
        }
        if at < self.firing_end {
            self.current.record(latency);
        }
    }

    /// Closes the last slice.
    pub fn finish(&mut self) {
        if !self.current.is_empty() {
            self.p50_ns.push(self.current.quantile(0.5));
            self.current.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally() -> Tally {
        Tally::new(Span { start: 0, end: 1_000_000_000 }, Span { start: 500_000_000, end: 1_000_000_000 })
    }

    #[test]
    fn a_request_belongs_to_the_window_by_its_planned_time() {
        let mut tally = tally();
        for (planned, sent) in [(499_999_999, 500_000_001), (500_000_000, 500_000_002), (999_999_999, 1_000_000_100)] {
            tally.sent(Times { planned, sent });
            tally.answered(Times { planned, sent }, sent + 10);
        }
        assert_eq!((tally.sent, tally.done, tally.latency.len()), (2, 2, 2));
        assert_eq!((tally.service.quantile(0.5), tally.latency.quantile(0.01)), (10, 12));
    }

    #[test]
    fn slices_cover_warm_up_and_window() {
        let mut tally = tally();
        assert_eq!(tally.slices.slice_ms, 50);
        for at in [60_000_000, 70_000_000, 160_000_000, 990_000_000] {
            tally.answered(Times { planned: at - 100, sent: at - 100 }, at);
        }
        tally.slices.finish();
        assert_eq!(tally.slices.p50_ns.len(), 19);
        assert!(tally.slices.p50_ns.iter().all(|&median| median == 100));
    }

    #[test]
    fn kinds_read_as_documented() {
        assert_eq!(Kind::Status(503).to_string(), "status-503");
        assert_eq!(Kind::of_connect(Errno::CONNREFUSED).to_string(), "connect-refused");
    }
}
