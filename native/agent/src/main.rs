//! `dpb-agent`: see the library and `native/PROTOCOL.md`.

#![forbid(unsafe_code)]

use anyhow::Context;
use std::os::unix::net::UnixListener;
use std::process::ExitCode;

fn main() -> ExitCode {
    if std::process::id() == 1 {
        return first_process();
    }
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let served = match arguments.as_slice() {
        [flag, path] if flag == "--listen" => serve_here(path),
        _ => Err(anyhow::anyhow!("init=…/dpb-agent of a sandbox, or for tests dpb-agent --listen UNIX-SOCKET")),
    };
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("dpb-agent: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Whatever fails is said on the console, where the harness reads it; then the machine goes down.
fn first_process() -> ExitCode {
    let Err(error) = agent::boot::run();
    eprintln!("dpb-agent: {error:#}");
    agent::boot::poweroff();
    ExitCode::FAILURE
}

/// The same service on the host, for tests and for trying the protocol by hand.
fn serve_here(path: &str) -> anyhow::Result<()> {
    let listener = UnixListener::bind(path).with_context(|| path.to_owned())?;
    println!("{}", serde_json::json!({ "event": "ready", "version": env!("CARGO_PKG_VERSION") }));
    agent::serve::serve(&listener, || eprintln!("dpb-agent: asked to switch off")).context(path.to_owned())
}
