//! `dpb-virtual-guest`: fires tests through a vhost-user vsock device, and is the far side for them. JSON lines on stdout.

#![forbid(unsafe_code)]

use anyhow::{Context, bail};
use clap::{Args, Parser, Subcommand, ValueEnum};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;
use virtual_guest::bench::{road::Road, tests};
use virtual_guest::peer::Peer;
use virtual_guest::{Guest, Options};

/// A guest without a kernel, for a vhost-user vsock device.
#[derive(Debug, Parser)]
#[command(name = "dpb-virtual-guest", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve echo (7), discard (9) and chargen (19) on Unix sockets until stdin ends
    Peer(PeerOptions),
    /// Fire one test and print its result
    Fire(FireOptions),
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct PeerOptions {
    /// One socket for all services; calls begin with a PROXY v2 header
    #[arg(long)]
    named: Option<PathBuf>,
    /// A socket for each service: BASE_7, BASE_9, BASE_19
    #[arg(long, value_name = "BASE")]
    by_port: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Test {
    /// Round trips on one connection
    Rr,
    /// Payload out of the guest
    Up,
    /// Payload into the guest
    Down,
    /// New connections, one after the other
    Crr,
    /// Open connections after a line on stdin, use and close them after another
    Hold,
}

#[derive(Debug, Args)]
struct FireOptions {
    /// What to fire
    #[arg(long, value_enum)]
    test: Test,
    /// vhost-user socket of the device
    #[arg(long, required_unless_present = "unix")]
    vhost: Option<PathBuf>,
    /// Fire over the host's Unix sockets BASE_7, BASE_9, BASE_19 instead
    #[arg(long, value_name = "BASE", conflicts_with = "vhost")]
    unix: Option<PathBuf>,
    /// Address of the services, which is their CID; a stock device knows only 0.0.0.2, its host
    #[arg(long, default_value = "10.10.2.20")]
    to: Ipv4Addr,
    /// Seconds of the measured window
    #[arg(long, default_value_t = 1.0, value_parser = seconds)]
    seconds: f64,
    /// Payload of a round trip, in bytes
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=65_536))]
    payload: u32,
    /// Connections held
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(0..=50_000))]
    connections: u32,
    /// The device is stock: it knows no half close, and sends packets that a guest has to drop
    #[arg(long)]
    stock: bool,
    /// Payload of one receive buffer of the guest, in bytes (Linux: 4096)
    #[arg(long, default_value_t = 4096, value_parser = clap::value_parser!(u32).range(1..=65_536))]
    receive_bytes: u32,
}

fn seconds(text: &str) -> Result<f64, String> {
    text.parse().ok().filter(|s| (0.01..=600.0).contains(s)).ok_or_else(|| "give 0.01 to 600 seconds".into())
}

fn main() -> ExitCode {
    raise_descriptor_limit();
    let outcome = match Cli::parse().command {
        Command::Peer(options) => serve(&options),
        Command::Fire(options) => fire(&options),
    };
    let Err(error) = outcome else { return ExitCode::SUCCESS };
    eprintln!("dpb-virtual-guest: {error:#}");
    ExitCode::FAILURE
}

fn serve(options: &PeerOptions) -> anyhow::Result<()> {
    let peer = match (&options.named, &options.by_port) {
        (Some(path), None) => Peer::named(path),
        (None, Some(base)) => Peer::by_port(base),
        _ => bail!("give --named or --by-port"),
    };
    let mut peer = peer.context("listening")?;
    print_line(&json!({ "event": "ready", "version": env!("CARGO_PKG_VERSION") }))?;
    peer.serve(std::io::stdin()).context("serving")
}

fn fire(options: &FireOptions) -> anyhow::Result<()> {
    let road = match (&options.vhost, &options.unix) {
        (Some(path), _) => {
            let habits = Options { receive_bytes: options.receive_bytes, strict: !options.stock, ..Options::default() };
            let guest = Guest::attach_with(path, habits).context("attaching")?;
            Road::Device { guest, cid: u64::from(options.to.to_bits()) }
        }
        (None, Some(base)) => Road::Unix(base.clone()),
        (None, None) => bail!("give --vhost or --unix"),
    };
    let time = Duration::from_secs_f64(options.seconds);
    let mut result = match options.test {
        Test::Rr => tests::round_trips(&road, time, options.payload as usize)?,
        Test::Up => tests::stream_up(&road, time, !options.stock)?,
        Test::Down => tests::stream_down(&road, time)?,
        Test::Crr => tests::connections(&road, time)?,
        Test::Hold => hold(&road, options.connections as usize)?,
    };
    result["event"] = "result".into();
    print_line(&result)
}

/// Holds connections: opens them after the first line on stdin, uses them once more and closes them after the second.
fn hold(road: &Road, count: usize) -> anyhow::Result<Value> {
    print_line(&json!({ "event": "attached" }))?;
    wait_for_line()?;
    let mut held = tests::hold(road, count)?;
    print_line(&json!({ "event": "open", "connections": count }))?;
    wait_for_line()?;
    for end in &mut held {
        tests::ping(end)?;
    }
    drop(held);
    road.settle()?;
    Ok(json!({ "connections": count }))
}

fn wait_for_line() -> anyhow::Result<()> {
    let mut byte = [0];
    while std::io::stdin().read(&mut byte)? > 0 && byte != *b"\n" {}
    Ok(())
}

fn print_line(line: &Value) -> anyhow::Result<()> {
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{line}")?;
    stdout.flush().context("writing to stdout")
}

/// Thousands of connections need as many descriptors; without the right to raise it, the limit stays.
fn raise_descriptor_limit() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    let _kept = setrlimit(Resource::Nofile, limit);
}
