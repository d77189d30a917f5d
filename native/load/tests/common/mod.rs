//! An echo server on a thread of the test, and firings against it.

use clap::Parser;
use echo::options::Options as EchoOptions;
use echo::server::{Control, Server};
use load::LoadError;
use load::options::Cli;
use load::report::Outcome;
use std::io::PipeWriter;
use std::net::SocketAddr;
use std::sync::atomic::AtomicBool;
use std::thread::JoinHandle;

/// Where a server listens.
#[derive(Clone, Copy)]
pub struct Ports {
    pub http: SocketAddr,
    pub tcp: SocketAddr,
}

/// A server that stops, and closes its connections, when it is dropped.
pub struct Echo {
    pub at: Ports,
    stop: Option<PipeWriter>,
    thread: Option<JoinHandle<()>>,
}

impl Echo {
    pub fn start(hindrance: &str) -> Self {
        let words = "dpb-echo --http 127.0.0.1:0 --tcp 127.0.0.1:0".split_whitespace();
        let options = EchoOptions::parse_from(words.chain(hindrance.split_whitespace()));
        let mut server = Server::bind(&options).unwrap();
        let (http, tcp) = server.addresses().unwrap();
        let (watched, stop) = std::io::pipe().unwrap();
        let thread = std::thread::spawn(move || server.run(watched, |_| Control::Stop).unwrap());
        Self { at: Ports { http, tcp }, stop: Some(stop), thread: Some(thread) }
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

/// Fires in this process, and returns what came of it.
pub fn fire(at: Ports, arguments: &str) -> Result<Outcome, LoadError> {
    let ports =
        format!("dpb-load --target 127.0.0.1 --http-port {} --tcp-port {} {arguments}", at.http.port(), at.tcp.port());
    let options = Cli::parse_from(ports.split_whitespace()).fire.unwrap();
    load::firing::fire(&options, &mut |_| {}, &AtomicBool::new(false))
}
