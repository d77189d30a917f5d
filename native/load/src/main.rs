//! `dpb-load`: see the library and `native/PROTOCOL.md`.

#![forbid(unsafe_code)]

use anyhow::Context;
use clap::Parser;
use load::options::{Cli, Command, Options};
use load::report::{Event, error_line};
use load::{LoadError, firing, spin};
use std::io::Write;
use std::num::NonZeroU64;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let outcome = match (cli.command, cli.fire) {
        (Some(Command::Spin { cpu, ms }), _) => run_spin(cpu, ms),
        (None, Some(options)) => run(&options),
        (None, None) => Err(LoadError::Usage("nothing to fire: see --help".to_owned()).into()),
    };
    let Err(error) = outcome else { return ExitCode::SUCCESS };
    if let Some(known) = error.downcast_ref::<LoadError>() {
        let _unheard = print_line(&error_line(known));
    }
    eprintln!("dpb-load: {error:#}");
    let usage = matches!(error.downcast_ref(), Some(LoadError::Usage(_)));
    if usage { ExitCode::from(2) } else { ExitCode::FAILURE }
}

fn run(options: &Options) -> anyhow::Result<()> {
    let interrupt = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGTERM, signal_hook::consts::SIGINT] {
        signal_hook::flag::register(signal, Arc::clone(&interrupt)).context("installing signal handlers")?;
    }
    raise_descriptor_limit();
    // Sleeps end when they should, not up to 50 us later.
    let _kept = rustix::thread::set_current_timer_slack(NonZeroU64::new(1));
    let mut emit = |event: Event| {
        let _unheard = print_line(&event.line());
    };
    let outcome = firing::fire(options, &mut emit, &interrupt)?;
    print_line(&outcome.line()).context("writing to stdout")
}

fn run_spin(cpu: usize, ms: u64) -> anyhow::Result<()> {
    let spin::Spin { median, fastest } = spin::spin(cpu, ms)?;
    let line = serde_json::json!({
        "event": "spin", "cpu": cpu, "medianIterationsPerMs": median, "fastestIterationsPerMs": fastest,
    });
    print_line(&line.to_string()).context("writing to stdout")
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
