//! `dpb-tunnel`: see the library and `native/PROTOCOL.md`.

#![forbid(unsafe_code)]

use anyhow::Context;
use clap::Parser;
use poller::{Events, Poller, Token};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::ExitCode;
use std::rc::Rc;
use std::time::{Duration, Instant};
use tool::{Questions, print_line, raise_descriptor_limit};
use tunnel::Node;
use tunnel::config::Config;

/// Owners of tokens.
const CONTROL: u8 = 0;
const NODE: u8 = 1;
/// Indices of the control tokens.
const STDIN: u32 = 0;
const SIGNAL: u32 = 1;
/// How long tunnels may take to end after SIGTERM.
const DRAIN_LIMIT: Duration = Duration::from_secs(5);
/// Events taken from the poller at once.
const BATCH: usize = 256;

#[derive(Parser)]
#[command(name = "dpb-tunnel", version, about = "A node proxy for HBONE: HTTP/2 CONNECT over mutual TLS 1.3")]
struct Options {
    /// Configuration, JSON: see native/PROTOCOL.md
    #[arg(long)]
    config: PathBuf,
}

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("dpb-tunnel: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> anyhow::Result<()> {
    let config = Config::read(&options.config)?;
    raise_descriptor_limit();
    let poller = Rc::new(Poller::new().context("epoll")?);
    let node = Node::new(&config.pods, Rc::clone(&poller), NODE)?;
    let told = tool::signals().context("signals")?;
    poller.add_level(&told, Token::new(CONTROL, 0, SIGNAL))?;
    // A file or /dev/null as stdin cannot be watched, and asks for nothing.
    let _unwatched = poller.add_level(std::io::stdin(), Token::new(CONTROL, 0, STDIN));
    print_line(&serde_json::json!({ "event": "ready", "version": env!("CARGO_PKG_VERSION") }))?;
    Process { poller, node, told, questions: Questions::default(), ends_at: None }.serve()
}

struct Process {
    poller: Rc<Poller>,
    node: Node,
    /// Readable once a signal has come.
    told: UnixStream,
    questions: Questions,
    /// Set by the first signal.
    ends_at: Option<Instant>,
}

impl Process {
    fn serve(mut self) -> anyhow::Result<()> {
        let mut events = Events::with_capacity(BATCH);
        loop {
            let due = [self.node.due(), self.ends_at].into_iter().flatten().min();
            let timeout = due.map(|due| due.saturating_duration_since(Instant::now()));
            self.poller.wait(&mut events, timeout).context("waiting for events")?;
            for event in events.iter() {
                match (event.token.owner(), event.token.index()) {
                    (NODE, _) => self.node.on_event(event),
                    (_, STDIN) => self.control()?,
                    _ if self.ends_at.is_some() => return Ok(()),
                    _ => self.drain(),
                }
            }
            self.node.turn();
            if self.ends_at.is_some_and(|at| self.node.is_drained() || Instant::now() >= at) {
                return Ok(());
            }
        }
    }

    /// The first signal: nothing new is taken. A second one ends the process at once.
    fn drain(&mut self) {
        let mut bytes = [0; 16];
        let _read = rustix::io::read(&self.told, &mut bytes);
        self.node.drain();
        self.ends_at = Some(Instant::now() + DRAIN_LIMIT);
    }

    /// Answers each complete line `stats`.
    fn control(&mut self) -> anyhow::Result<()> {
        let Some(asked) = self.questions.read(std::io::stdin()) else {
            return self.poller.remove(std::io::stdin()).context("leaving stdin");
        };
        for _ in 0..asked {
            print_line(&serde_json::json!({ "event": "stats", "pods": self.node.stats() }))?;
        }
        Ok(())
    }
}
