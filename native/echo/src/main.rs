//! `dpb-echo`: see the library and `native/PROTOCOL.md`.

#![forbid(unsafe_code)]

use anyhow::Context;
use clap::Parser;
use echo::options::Options;
use echo::server::{Control, Server};
use echo::stats::Stats;
use std::io::Write;
use std::process::ExitCode;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("dpb-echo: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> anyhow::Result<()> {
    let options = Options::parse();
    raise_descriptor_limit();
    let mut server = Server::bind(&options)?;
    let (http, tcp) = server.addresses()?;
    let ready = serde_json::json!({
        "event": "ready", "version": env!("CARGO_PKG_VERSION"), "http": http.to_string(), "tcp": tcp.to_string(),
    });
    print_line(&ready.to_string()).context("writing to stdout")?;
    let mut asked = Vec::new();
    server.run(std::io::stdin(), |stats| read_control(&mut asked, stats))?;
    Ok(())
}

/// Answers each complete line `stats`.
fn read_control(asked: &mut Vec<u8>, stats: &Stats) -> Control {
    let mut bytes = [0; 512];
    // Not by std's buffered reader: what it read ahead would raise no further event.
    match rustix::io::read(std::io::stdin(), &mut bytes) {
        Ok(0) | Err(_) => return Control::Forget,
        Ok(length) => asked.extend_from_slice(&bytes[..length]),
    }
    while let Some(end) = asked.iter().position(|&byte| byte == b'\n') {
        let line: Vec<u8> = asked.drain(..=end).collect();
        if line.trim_ascii() == b"stats" && print_line(&stats.line()).is_err() {
            return Control::Stop;
        }
    }
    Control::Watch
}

fn print_line(line: &str) -> std::io::Result<()> {
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{line}")?;
    stdout.flush()
}

/// Thousands of connections need as many descriptors; without the right to raise it, the limit stays.
fn raise_descriptor_limit() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    let _kept = setrlimit(Resource::Nofile, limit);
}
