//! `dpb-fused`: see the library and `native/PROTOCOL.md`.

#![forbid(unsafe_code)]

use clap::Parser;
use fused::config::Config;
use fused::process::Process;
use std::path::PathBuf;
use std::process::ExitCode;
use tool::{print_line, raise_descriptor_limit};

/// Serves guests as a vhost-user vsock back end that is the node proxy, too.
#[derive(Parser)]
#[command(name = "dpb-fused", version)]
struct Options {
    /// Guests and pods, JSON: see native/PROTOCOL.md
    #[arg(long)]
    config: PathBuf,
}

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("dpb-fused: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> anyhow::Result<()> {
    let config = Config::read(&options.config)?;
    raise_descriptor_limit();
    let process = Process::open(&config)?;
    print_line(&serde_json::json!({ "event": "ready", "version": env!("CARGO_PKG_VERSION") }))?;
    process.serve()
}
