//! What is printed: one JSON object per line.

use crate::LoadError;
use crate::clock;
use crate::connection::Traffic;
use crate::tally::Tally;
use crate::window::Stopwatch;
use serde::Serialize;
use std::collections::BTreeMap;

/// Events before the result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// Connections are open.
    Ready,
    /// Warm-up is over.
    Measuring,
    /// The window is over.
    Measured,
}

impl Event {
    /// One JSON line.
    #[must_use]
    pub fn line(self) -> String {
        let event = match self {
            Self::Ready => {
                return serde_json::json!({ "event": "ready", "version": env!("CARGO_PKG_VERSION") }).to_string();
            }
            Self::Measuring => "measuring",
            Self::Measured => "measured",
        };
        serde_json::json!({ "event": event }).to_string()
    }
}

/// One JSON line for a failure.
#[must_use]
pub fn error_line(error: &LoadError) -> String {
    serde_json::json!({ "event": "error", "code": error.code(), "message": error.to_string() }).to_string()
}

/// The result; fields as in `native/PROTOCOL.md`.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "PROTOCOL.md and harness/contracts.ts describe them")]
pub struct Outcome {
    pub event: &'static str,
    pub planned: u64,
    pub sent: u64,
    pub done: u64,
    pub errors: BTreeMap<String, u64>,
    pub wall_seconds: f64,
    pub latency_hdr: Option<String>,
    pub service_hdr: Option<String>,
    pub lateness_hdr: Option<String>,
    pub stream_bytes: u64,
    pub connections_done: u64,
    pub cpu_seconds: f64,
    pub spin_seconds: f64,
    pub slice_ms: u64,
    #[serde(rename = "slicesP50Ns")]
    pub slices_p50_ns: Vec<u64>,
    pub traffic: Traffic,
    pub interrupted: bool,
    /// For tests in this process; the encoded histograms say the same.
    #[serde(skip)]
    pub histograms: Histograms,
}

/// The histograms as they are, for tests in this process.
#[derive(Debug, Clone, Default)]
pub struct Histograms {
    /// Answer minus planned send.
    pub latency: crate::histogram::Histogram,
    /// Answer minus actual send.
    pub service: crate::histogram::Histogram,
    /// Actual minus planned send.
    pub lateness: crate::histogram::Histogram,
}

impl Outcome {
    /// The result of what was counted.
    #[must_use]
    pub fn new(mut tally: Tally, watch: &Stopwatch<'_>, traffic: Traffic) -> Self {
        tally.slices.finish();
        let (cpu_ns, spin_ns) = watch.costs();
        Self {
            event: "result",
            planned: tally.planned,
            sent: tally.sent,
            done: tally.done,
            errors: tally.errors.iter().map(|(kind, &count)| (kind.to_string(), count)).collect(),
            wall_seconds: clock::to_seconds(watch.window.end - watch.window.start),
            latency_hdr: tally.latency.encode(),
            service_hdr: tally.service.encode(),
            lateness_hdr: tally.lateness.encode(),
            stream_bytes: tally.stream_bytes,
            connections_done: tally.connections_done,
            cpu_seconds: clock::to_seconds(cpu_ns),
            spin_seconds: clock::to_seconds(spin_ns),
            slice_ms: tally.slices.slice_ms,
            slices_p50_ns: tally.slices.p50_ns,
            traffic,
            interrupted: watch.interrupted(),
            histograms: Histograms { latency: tally.latency, service: tally.service, lateness: tally.lateness },
        }
    }

    /// One JSON line.
    #[must_use]
    pub fn line(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}
