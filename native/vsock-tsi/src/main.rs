//! `dpb-vsock-tsi`: see the library and `native/PROTOCOL.md`.

#![forbid(unsafe_code)]

use anyhow::Context;
use clap::Parser;
use poller::{Event, Events, Poller, Token};
use rustix::net::SocketAddrUnix;
use std::path::PathBuf;
use std::process::ExitCode;
use std::rc::Rc;
use tool::{Questions, print_line, raise_descriptor_limit};
use vsock_tsi::config::{Config, GuestConfig};
use vsock_tsi::doors::{Door, listen};
use vsock_tsi::guests::{Guests, owner};
use vsock_tsi::sockets::Sockets;

/// Owner of stdin's token.
const STDIN: u8 = 0;

/// Serves guests as a vhost-user vsock back end.
#[derive(Parser)]
#[command(name = "dpb-vsock-tsi", version)]
struct Options {
    /// Guests and sockets, JSON: see native/PROTOCOL.md.
    #[arg(long)]
    config: PathBuf,
}

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("dpb-vsock-tsi: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> anyhow::Result<()> {
    let path = options.config.display();
    let text = std::fs::read_to_string(&options.config).with_context(|| path.to_string())?;
    let config = Config::parse(&text).with_context(|| path.to_string())?;
    raise_descriptor_limit();
    let poller = Rc::new(Poller::new()?);
    let uplink = |number, guest: &GuestConfig| node_proxy(&poller, number, guest);
    let mut guests = Guests::new(&config.guests, config.pace, &poller, uplink)?;
    // A regular file or /dev/null cannot be watched and never says anything.
    let _unwatchable = poller.add_level(std::io::stdin(), Token::new(STDIN, 0, 0));
    print_line(&serde_json::json!({ "event": "ready", "version": env!("CARGO_PKG_VERSION") }))?;
    serve(&poller, &mut guests)
}

fn serve(poller: &Poller, guests: &mut Guests<Sockets>) -> anyhow::Result<()> {
    let mut events = Events::with_capacity(256);
    let mut questions = Questions::default();
    loop {
        let again = guests.try_backlogs();
        let timeout = [guests.run()?, again].into_iter().flatten().min();
        for (guest, because) in std::mem::take(&mut guests.farewells) {
            let because = because.to_string();
            print_line(&serde_json::json!({ "event": "guest-gone", "guest": guest, "because": because }))?;
        }
        poller.wait(&mut events, timeout)?;
        for event in events.iter() {
            match event.token.owner() {
                STDIN => answer(poller, &mut questions, guests)?,
                owner::PROXIES => proxy_event(guests, event),
                _ => guests.handle(event)?,
            }
        }
    }
}

fn proxy_event(guests: &mut Guests<Sockets>, event: Event) {
    if let Some(guest) = guests.get(Sockets::guest_of(event.token)) {
        let woken = guest.traffic.tsi.handle(event);
        guest.proxy_woken(woken);
    }
}

/// The node proxy's sockets for one guest.
fn node_proxy(poller: &Rc<Poller>, number: u16, guest: &GuestConfig) -> std::io::Result<Sockets> {
    let outbound = guest.outbound.as_ref().map(SocketAddrUnix::new).transpose()?;
    let mut sockets = Sockets::new(Rc::clone(poller), (owner::PROXIES, number), outbound);
    if let Some(path) = &guest.inbound {
        sockets.add_door(listen(path)?, Door::Pod(guest.address))?;
    }
    for inbound in &guest.inbound_ports {
        sockets.add_door(listen(&inbound.socket)?, Door::Port(inbound.port))?;
    }
    Ok(sockets)
}

/// Answers each line `stats`.
fn answer(poller: &Poller, questions: &mut Questions, guests: &Guests<Sockets>) -> anyhow::Result<()> {
    let Some(asked) = questions.read(std::io::stdin()) else {
        return poller.remove(std::io::stdin()).context("leaving stdin");
    };
    for _ in 0..asked {
        print_line(&serde_json::json!({ "event": "stats", "guests": guests.stats() }))?;
    }
    Ok(())
}
