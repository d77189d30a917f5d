//! Whether the peer of a connection still answers: PING, as ztunnel sends it.

#![forbid(unsafe_code)]

use h2::{Ping, PingPong};
use std::fmt;
use std::io;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

const SETUP_LIMIT: Duration = Duration::from_secs(10);
const PING_EVERY: Duration = Duration::from_secs(10);
const PONG_LIMIT: Duration = Duration::from_secs(20);
/// A client's connection without streams is given up after so long.
const UNUSED_LIMIT: Duration = Duration::from_secs(300);

enum State {
    /// TCP, TLS and HTTP/2 are still being set up.
    SettingUp,
    Quiet(PingPong),
    Asked(PingPong),
}

/// What the clock demands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Demand {
    /// Nothing.
    Nothing,
    /// The connection has something to send.
    Poll,
    /// The peer does not answer.
    Dead,
    /// Nobody needs the connection.
    Unused,
}

/// The clock of one connection.
pub struct Liveness {
    state: State,
    /// When the state was entered, or the last answer came.
    since: Instant,
    used: Instant,
}

impl fmt::Debug for Liveness {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Liveness").field("since", &self.since).finish_non_exhaustive()
    }
}

impl Liveness {
    /// Of a connection that is being set up from `now` on.
    #[must_use]
    pub fn new(now: Instant) -> Self {
        Self { state: State::SettingUp, since: now, used: now }
    }

    /// HTTP/2 has begun.
    pub fn begin(&mut self, ping_pong: Option<PingPong>) {
        if let Some(ping_pong) = ping_pong {
            self.state = State::Quiet(ping_pong);
        }
    }

    /// Looks for the answer.
    ///
    /// # Errors
    /// When the connection is broken.
    pub fn poll(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        self.state = match std::mem::replace(&mut self.state, State::SettingUp) {
            State::Asked(mut ping_pong) => match ping_pong.poll_pong(context) {
                Poll::Ready(Ok(_)) => State::Quiet(ping_pong),
                Poll::Ready(Err(_)) => return Err(io::ErrorKind::BrokenPipe.into()),
                Poll::Pending => State::Asked(ping_pong),
            },
            other => other,
        };
        Ok(())
    }

    /// Looks at the clock.
    pub fn tick(&mut self, now: Instant, streams: usize, is_client: bool) -> Demand {
        if streams > 0 {
            self.used = now;
        } else if is_client && now.duration_since(self.used) >= UNUSED_LIMIT {
            return Demand::Unused;
        }
        let waited = now.duration_since(self.since);
        match &mut self.state {
            State::SettingUp if waited >= SETUP_LIMIT => Demand::Dead,
            State::Asked(_) if waited >= PONG_LIMIT => Demand::Dead,
            State::Quiet(_) if waited >= PING_EVERY => self.ask(now),
            _ => Demand::Nothing,
        }
    }

    fn ask(&mut self, now: Instant) -> Demand {
        if let State::Quiet(mut ping_pong) = std::mem::replace(&mut self.state, State::SettingUp) {
            self.since = now;
            if ping_pong.send_ping(Ping::opaque()).is_err() {
                return Demand::Dead;
            }
            self.state = State::Asked(ping_pong);
        }
        Demand::Poll
    }
}
