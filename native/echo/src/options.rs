//! The command line.

use crate::hindrance::Hindrance;
use clap::Parser;
use std::net::SocketAddr;
use std::time::Duration;

/// Echo server of datapath-bench: HTTP/1.1 on one port, raw TCP on another.
///
/// Prints {"event":"ready"} once both ports listen; answers a line "stats" on stdin with its counters.
#[derive(Debug, Clone, Parser)]
#[command(name = "dpb-echo", version)]
pub struct Options {
    /// Address and port for HTTP: POST /echo returns its body, GET / an empty one
    #[arg(long, default_value = "0.0.0.0:8080")]
    pub http: SocketAddr,
    /// Address and port for the raw TCP protocol
    #[arg(long, default_value = "0.0.0.0:8081")]
    pub tcp: SocketAddr,
    /// Answer so many milliseconds after the request
    #[arg(long, default_value_t = 0.0, value_parser = non_negative)]
    pub delay_ms: f64,
    /// Stall the whole server every so many seconds
    #[arg(long, default_value_t = 0.0, value_parser = non_negative, requires = "stall_ms")]
    pub stall_every_s: f64,
    /// Length of a stall in milliseconds
    #[arg(long, default_value_t = 0.0, value_parser = non_negative, requires = "stall_every_s")]
    pub stall_ms: f64,
    /// Burn so many microseconds of CPU for every request
    #[arg(long, default_value_t = 0.0, value_parser = non_negative)]
    pub spin_us: f64,
}

impl Options {
    /// What the options ask to be slow.
    #[must_use]
    pub fn hindrance(&self) -> Hindrance {
        Hindrance {
            delay: Duration::from_secs_f64(self.delay_ms / 1e3),
            spin: Duration::from_secs_f64(self.spin_us / 1e6),
            stall_every: Duration::from_secs_f64(self.stall_every_s),
            stall: Duration::from_secs_f64(self.stall_ms / 1e3),
        }
    }
}

fn non_negative(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if (0.0..=1e9).contains(&value) => Ok(value),
        _ => Err("give a number from 0 on".to_owned()),
    }
}
