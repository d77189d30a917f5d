//! The loop: events to whom they belong, guests and node in turns until neither has anything to say to the other.

use crate::config::Config;
use crate::uplink::{Hbone, Tunnels};
use anyhow::Context;
use poller::{Event, Events, Poller, Token};
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::time::{Duration, Instant};
use tool::{Questions, print_line};
use tunnel::Node;
use vsock_tsi::guests::{Guests, owner};

/// Owners of tokens besides the guests'.
const CONTROL: u8 = 0;
const NODE: u8 = 4;
/// Indices of control tokens.
const STDIN: u32 = 0;
const SIGNAL: u32 = 1;
/// How long tunnels may take to end after SIGTERM.
const DRAIN_LIMIT: Duration = Duration::from_secs(2);
/// Turns that guests and node give each other before the poller is asked again.
const ROUNDS: usize = 8;

/// A device and a node proxy that run.
pub struct Process {
    poller: Rc<Poller>,
    tunnels: Tunnels,
    guests: Guests<Hbone>,
    told: UnixStream,
    questions: Questions,
    ends_at: Option<Instant>,
}

impl Process {
    /// Opens every socket of the configuration.
    ///
    /// # Errors
    /// When one cannot be had.
    pub fn open(config: &Config) -> anyhow::Result<Self> {
        let poller = Rc::new(Poller::new().context("epoll")?);
        let tunnels = Tunnels::new(Node::new(&config.pods, Rc::clone(&poller), NODE)?);
        let guests =
            Guests::new(&config.guests, config.pace, &poller, |number, guest| tunnels.uplink(number, &guest.name))?;
        let told = tool::signals().context("signals")?;
        poller.add_level(&told, Token::new(CONTROL, 0, SIGNAL))?;
        // A file or /dev/null as stdin cannot be watched, and asks for nothing.
        let _unwatched = poller.add_level(std::io::stdin(), Token::new(CONTROL, 0, STDIN));
        Ok(Self { poller, tunnels, guests, told, questions: Questions::default(), ends_at: None })
    }

    /// Serves until a signal ends it.
    ///
    /// # Errors
    /// When the poller or stdout fails.
    pub fn serve(mut self) -> anyhow::Result<()> {
        let mut events = Events::with_capacity(256);
        loop {
            let timeout = self.work()?;
            if self.ends_at.is_some_and(|at| self.tunnels.is_drained() || Instant::now() >= at) {
                return Ok(());
            }
            self.poller.wait(&mut events, timeout).context("waiting for events")?;
            for event in events.iter() {
                if !self.handle(event)? {
                    return Ok(());
                }
            }
        }
    }

    /// What one side does may give the other something to do. How long to wait for events then.
    fn work(&mut self) -> anyhow::Result<Option<Duration>> {
        let mut patience = None;
        for _ in 0..ROUNDS {
            let told = self.tunnels.turn(&mut self.guests);
            patience = self.guests.run()?;
            if !told && patience != Some(Duration::ZERO) {
                break;
            }
        }
        for (guest, because) in std::mem::take(&mut self.guests.farewells) {
            let because = because.to_string();
            print_line(&serde_json::json!({ "event": "guest-gone", "guest": guest, "because": because }))?;
        }
        let due = [self.tunnels.due(), self.ends_at].into_iter().flatten().min();
        let due = due.map(|at| at.saturating_duration_since(Instant::now()));
        Ok([patience, due].into_iter().flatten().min())
    }

    /// Whether to go on.
    fn handle(&mut self, event: Event) -> anyhow::Result<bool> {
        match (event.token.owner(), event.token.index()) {
            (NODE, _) => self.tunnels.on_event(event),
            (owner::DEVICES | owner::AGENTS, _) => self.guests.handle(event)?,
            (_, STDIN) => self.control()?,
            // The second signal ends the process at once.
            _ if self.ends_at.is_some() => return Ok(false),
            _ => self.drain(),
        }
        Ok(true)
    }

    /// The first signal: nothing new is taken.
    fn drain(&mut self) {
        let mut bytes = [0; 16];
        let _read = rustix::io::read(&self.told, &mut bytes);
        self.tunnels.drain();
        self.ends_at = Some(Instant::now() + DRAIN_LIMIT);
    }

    /// Answers each complete line `stats`.
    fn control(&mut self) -> anyhow::Result<()> {
        let Some(asked) = self.questions.read(std::io::stdin()) else {
            return self.poller.remove(std::io::stdin()).context("leaving stdin");
        };
        for _ in 0..asked {
            let (guests, pods) = (self.guests.stats(), self.tunnels.stats());
            print_line(&serde_json::json!({ "event": "stats", "guests": guests, "pods": pods }))?;
        }
        Ok(())
    }
}
