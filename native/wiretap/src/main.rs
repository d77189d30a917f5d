//! `dpb-wiretap`: see the library and `native/PROTOCOL.md`.

#![forbid(unsafe_code)]

use anyhow::Context;
use clap::Parser;
use std::io::{BufRead, Write};
use std::process::ExitCode;
use wiretap::filters;
use wiretap::tap::Tap;

/// Counts packets arriving on an interface: TCP, application plaintext, HBONE, payload outside HBONE.
///
/// Prints {"event":"ready"}, then answers each line "read" on stdin with the counts so far.
#[derive(Debug, Parser)]
#[command(name = "dpb-wiretap", version)]
struct Options {
    /// Interface of this network namespace
    #[arg(long)]
    interface: String,
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("dpb-wiretap: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> anyhow::Result<()> {
    let Options { interface } = Options::parse();
    let mut tcp = Tap::open(&interface, &filters::tcp())?;
    let mut plaintext = Tap::open(&interface, &filters::plaintext())?;
    let mut hbone = Tap::open(&interface, &filters::hbone())?;
    let mut other = Tap::open(&interface, &filters::other())?;
    print_line(&serde_json::json!({ "event": "ready", "version": env!("CARGO_PKG_VERSION") }))?;
    for line in std::io::stdin().lock().lines() {
        if line.context("reading stdin")?.trim() == "read" {
            print_line(&serde_json::json!({
                "event": "counts", "tcp": tcp.count()?, "plaintext": plaintext.count()?,
                "hbone": hbone.count()?, "other": other.count()?,
            }))?;
        }
    }
    Ok(())
}

fn print_line(value: &serde_json::Value) -> anyhow::Result<()> {
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{value}").and_then(|()| stdout.flush()).context("writing to stdout")
}
