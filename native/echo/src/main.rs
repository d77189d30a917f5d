//! `dpb-echo`: see the library and `native/PROTOCOL.md`.

#![forbid(unsafe_code)]

use anyhow::Context;
use clap::Parser;
use echo::options::Options;
use echo::server::{Control, Server};
use echo::stats::Stats;
use std::process::ExitCode;
use tool::{Questions, print_line, raise_descriptor_limit};

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
    print_line(&ready).context("writing to stdout")?;
    let mut questions = Questions::default();
    server.run(std::io::stdin(), |stats| read_control(&mut questions, stats))?;
    Ok(())
}

/// Answers each line `stats`.
fn read_control(questions: &mut Questions, stats: &Stats) -> Control {
    let Some(asked) = questions.read(std::io::stdin()) else { return Control::Forget };
    for _ in 0..asked {
        if print_line(&stats.line()).is_err() {
            return Control::Stop;
        }
    }
    Control::Watch
}
