//! Answers the harness: a thread for each connection, one request on each.

#![forbid(unsafe_code)]

use crate::frame::Kind;
use crate::reaper::Reaper;
use crate::request::{self, Request};
use crate::session::{self, Sender};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

/// Switches the machine off; where the agent serves on a host, for tests, it only says that it was asked to.
pub type Poweroff = fn();

/// Accepts connections for ever.
///
/// # Errors
/// Where no connection can be accepted any more.
pub fn serve(listener: &impl AsFd, poweroff: Poweroff) -> io::Result<()> {
    let reaper = Reaper::start()?;
    loop {
        let connection = match rustix::net::accept_with(listener, rustix::net::SocketFlags::CLOEXEC) {
            Ok(connection) => connection,
            Err(rustix::io::Errno::INTR | rustix::io::Errno::CONNABORTED) => continue,
            Err(error) => return Err(error.into()),
        };
        let reaper = Arc::clone(&reaper);
        std::thread::Builder::new().spawn(move || {
            if let Err(error) = answer(connection, &reaper, poweroff) {
                eprintln!("dpb-agent: {error}");
            }
        })?;
    }
}

fn answer(connection: OwnedFd, reaper: &Reaper, poweroff: Poweroff) -> io::Result<()> {
    let mut connection = File::from(connection);
    let sender = Sender::new(connection.try_clone()?);
    let outcome = match request::read(&mut connection)? {
        Request::Spawn(program) => match session::run(&program, connection, &sender, reaper) {
            Ok(()) => return Ok(()),
            Err(error) => Err(error),
        },
        Request::Read { path } => std::fs::read(&path)
            .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))
            .and_then(|content| sender.send(Kind::Output, &content)),
        Request::Hello {} => sender.send(Kind::Output, hello().to_string().as_bytes()),
        Request::Poweroff {} => {
            sender.finish(&serde_json::json!({ "code": 0 }));
            poweroff();
            return Ok(());
        }
    };
    sender.finish(&match outcome {
        Ok(()) => serde_json::json!({ "code": 0 }),
        Err(error) => serde_json::json!({ "error": error.to_string() }),
    });
    Ok(())
}

/// Who answers: version of the agent, kernel of the guest, and how long it is up.
#[must_use]
pub fn hello() -> serde_json::Value {
    let name = rustix::system::uname();
    serde_json::json!({
        "version": env!("CARGO_PKG_VERSION"),
        "kernel": name.release().to_string_lossy(),
        "uptimeSeconds": rustix::system::sysinfo().uptime,
    })
}
