//! The command line.

use crate::LoadError;
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::net::{IpAddr, SocketAddr};

/// Load driver of datapath-bench: open or closed loop over HTTP/1.1 or raw TCP, JSON lines on stdout.
#[derive(Debug, Clone, Parser)]
#[command(name = "dpb-load", version, args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct Cli {
    /// Something else than a firing
    #[command(subcommand)]
    pub command: Option<Command>,
    /// What to fire
    #[command(flatten)]
    pub fire: Option<Options>,
}

/// Something else than a firing.
#[derive(Debug, Clone, Subcommand)]
pub enum Command {
    /// Run a fixed integer loop on one CPU and say how fast it went
    Spin {
        /// CPU to run on
        #[arg(long)]
        cpu: usize,
        /// Length of the test in milliseconds
        #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u64).range(1..=60_000))]
        ms: u64,
    },
}

/// What is asked of the driver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Test {
    /// Open loop: send times planned beforehand
    Latency,
    /// Closed loop on kept connections
    Capacity,
    /// Closed loop of request and response
    Rr,
    /// Connect, one request, close
    Crr,
    /// Payload from here to the server
    StreamUp,
    /// Payload from the server to here
    StreamDown,
}

/// What is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Protocol {
    /// HTTP/1.1
    Http,
    /// Raw TCP (native/PROTOCOL.md)
    Tcp,
}

/// Gaps between planned send times.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Gaps {
    /// As independent clients make them
    Exponential,
    /// All the same
    Fixed,
}

/// One firing.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// Address of the server
    #[arg(long)]
    pub target: IpAddr,
    /// Port for HTTP
    #[arg(long, default_value_t = 8080)]
    pub http_port: u16,
    /// Port for the raw TCP protocol
    #[arg(long, default_value_t = 8081)]
    pub tcp_port: u16,
    /// What to fire
    #[arg(long, value_enum)]
    pub test: Test,
    /// What to speak
    #[arg(long, value_enum, default_value_t = Protocol::Http)]
    pub protocol: Protocol,
    /// Planned requests per second (latency)
    #[arg(long)]
    pub rate: Option<f64>,
    /// Gaps between planned send times (latency)
    #[arg(long, value_enum, default_value_t = Gaps::Exponential)]
    pub gaps: Gaps,
    /// Connections held at a time
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=20_000))]
    pub connections: u32,
    /// Payload of a request, and of its answer, in bytes
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(0..=16 << 20))]
    pub payload: u32,
    /// Seconds before the measured window, at the same load
    #[arg(long, default_value_t = 1.0, value_parser = seconds)]
    pub warmup: f64,
    /// Seconds of the measured window
    #[arg(long, default_value_t = 5.0, value_parser = seconds)]
    pub duration: f64,
    /// Seed of the plan
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// A new connection for every request (closed loops)
    #[arg(long)]
    pub new_connections: bool,
    /// How long before a planned send time the clock is watched instead of sleeping, in µs: about how late the kernel's
    /// timers wake; 0 always sleeps
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u64).range(0..=10_000))]
    pub spin_us: u64,
}

impl Options {
    /// Refuses combinations without a meaning.
    ///
    /// # Errors
    /// One line that says what to change.
    pub fn validate(&self) -> Result<(), LoadError> {
        let usage = |text: &str| Err(LoadError::Usage(text.to_owned()));
        match self.rate {
            None if self.test == Test::Latency => return usage("--test latency needs --rate N"),
            Some(_) if self.test != Test::Latency => return usage("--rate goes with --test latency only"),
            Some(rate) if !(0.01..=10_000_000.0).contains(&rate) => return usage("--rate: give 0.01 to 10000000"),
            _ => {}
        }
        if self.streams() && self.protocol == Protocol::Http {
            return usage("streams are raw TCP: add --protocol tcp");
        }
        if self.protocol == Protocol::Tcp && self.payload == 0 {
            return usage("--protocol tcp needs a --payload of at least 1 byte");
        }
        if self.protocol == Protocol::Tcp && self.fresh() && self.payload > 0xff_ffff {
            return usage("--payload: at most 16777215 bytes on raw connections of one request");
        }
        if self.new_connections && (self.test == Test::Latency || self.streams()) {
            return usage("--new-connections goes with closed loops of requests: capacity, rr, crr");
        }
        if self.duration <= 0.0 {
            return usage("--duration: give more than 0 seconds");
        }
        Ok(())
    }

    /// Whether every request has its own connection.
    #[must_use]
    pub fn fresh(&self) -> bool {
        self.new_connections || self.test == Test::Crr
    }

    /// Whether bytes are counted, not requests.
    #[must_use]
    pub fn streams(&self) -> bool {
        matches!(self.test, Test::StreamUp | Test::StreamDown)
    }

    /// Where to connect to.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        let port = if self.protocol == Protocol::Http { self.http_port } else { self.tcp_port };
        SocketAddr::new(self.target, port)
    }
}

fn seconds(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if (0.0..=86_400.0).contains(&value) => Ok(value),
        _ => Err("give seconds from 0 to 86400".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(arguments: &str) -> Result<(), String> {
        let words = ["dpb-load", "--target", "127.0.0.1"].into_iter().chain(arguments.split_whitespace());
        let cli = Cli::try_parse_from(words).map_err(|error| error.to_string())?;
        cli.fire.ok_or("no firing")?.validate().map_err(|error| error.to_string())
    }

    #[test]
    fn meaningless_combinations_are_refused_with_what_to_do() {
        for (arguments, part) in [
            ("--test latency", "needs --rate"),
            ("--test capacity --rate 5", "--rate goes with"),
            ("--test stream-up", "--protocol tcp"),
            ("--test rr --protocol tcp --payload 0", "at least 1 byte"),
            ("--test latency --rate 5 --new-connections", "--new-connections goes with"),
            ("--test capacity --duration 0", "--duration"),
            ("--test capacity --duration=-1", "--duration"),
            ("--test capacity --connections 0", "--connections"),
            ("--test nonsense", "--test"),
        ] {
            let error = check(arguments).unwrap_err();
            assert!(error.contains(part), "{arguments}: {error}");
        }
        assert_eq!(check("--test capacity --new-connections --payload 0"), Ok(()));
    }

    #[test]
    fn the_spin_test_needs_no_target() {
        let cli = Cli::try_parse_from(["dpb-load", "spin", "--cpu", "0", "--ms", "10"]).unwrap();
        assert!(matches!(cli.command, Some(Command::Spin { cpu: 0, ms: 10 })));
        assert!(Cli::try_parse_from(["dpb-load", "--test", "rr"]).is_err());
    }
}
