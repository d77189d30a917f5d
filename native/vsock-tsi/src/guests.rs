//! All guests of a process: events go to the guest they are about, and each guest with something to do has its turn.

#![forbid(unsafe_code)]

use crate::config::{GuestConfig, Pace};
use crate::doors::{Door, listen};
use crate::fault::Alarms;
use crate::guest::{Farewell, Guest};
use crate::pulse::Pulse;
use crate::sockets::{BACKLOG_PAUSE, Sockets};
use crate::stats::GuestStats;
use crate::uplink::{Readiness, StreamId, Uplink};
use poller::{Event, Poller, Token};
use std::collections::BTreeMap;
use std::io;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// Owners of the tokens that belong to guests; the process gives its own parts others.
pub mod owner {
    /// Devices: front ends, kicks.
    pub const DEVICES: u8 = 1;
    /// Hybrid sockets.
    pub const AGENTS: u8 = 2;
    /// The node proxy's sockets, where there are any.
    pub const PROXIES: u8 = 3;
    /// The pulse.
    pub const PULSE: u8 = 4;
}

/// All guests of a process.
pub struct Guests<T> {
    guests: Vec<Guest<T>>,
    busy: Vec<bool>,
    pulse: Pulse,
    alarms: Alarms,
    poll: Duration,
    /// When a guest was last busy, while the rings are looked at without sleeping.
    busy_at: Option<Instant>,
    /// Guests that have gone since this was last emptied.
    pub farewells: Vec<Farewell>,
}

impl<T: Uplink> Guests<T> {
    /// Listens for all guests; `uplink` makes where each one's streams go.
    ///
    /// # Errors
    /// With the path, when a socket cannot be listened on.
    pub fn new(
        configs: &[GuestConfig],
        pace: Pace,
        poller: &Rc<Poller>,
        mut uplink: impl FnMut(u16, &GuestConfig) -> io::Result<T>,
    ) -> io::Result<Self> {
        let mut guests = Vec::new();
        for (number, config) in (0_u16..).zip(configs) {
            let mut agent = Sockets::new(Rc::clone(poller), (owner::AGENTS, number), None);
            if let Some(path) = &config.hybrid {
                agent.add_door(listen(path)?, Door::Hybrid)?;
            }
            let tsi = uplink(number, config)?;
            guests.push(Guest::new(config, pace, poller, (owner::DEVICES, number), agent, tsi)?);
        }
        let busy = vec![false; guests.len()];
        let poll = Duration::from_micros(pace.poll_us.into());
        let pulse = Pulse::new(pace.rescue_us)?;
        poller.add(&pulse, Token::new(owner::PULSE, 0, 0))?;
        let alarms = Alarms::new()?;
        Ok(Self { guests, busy, pulse, alarms, poll, busy_at: None, farewells: Vec::new() })
    }

    /// One of them, for its uplink to be worked on; it will have its turn.
    pub fn get(&mut self, number: u16) -> Option<&mut Guest<T>> {
        *self.busy.get_mut(usize::from(number))? = true;
        self.guests.get_mut(usize::from(number))
    }

    /// Deals with an event whose token has an owner of [`owner`], but [`owner::PROXIES`].
    ///
    /// # Errors
    /// When the pulse fails.
    pub fn handle(&mut self, event: Event) -> io::Result<()> {
        if event.token.owner() == owner::PULSE {
            return self.beat();
        }
        self.handle_of_guest(event)
    }

    fn handle_of_guest(&mut self, event: Event) -> io::Result<()> {
        let Some(guest) = self.get(Sockets::guest_of(event.token)) else { return Ok(()) };
        if event.token.owner() == owner::AGENTS {
            let woken = guest.traffic.agent.handle(event);
            guest.agent_woken(woken);
            return Ok(());
        }
        let before = guest.is_attached();
        let farewell = guest.handle(event.token);
        let changed = guest.is_attached() != before;
        self.farewells.extend(farewell);
        if changed { self.alarms.sound(self.guests.iter().any(Guest::is_attached)) } else { Ok(()) }
    }

    /// What an uplink has to say of a stream.
    pub fn ready(&mut self, number: u16, stream: StreamId, readiness: Readiness) {
        if let Some(guest) = self.get(number) {
            guest.ready(stream, readiness);
        }
    }

    /// Gives every guest with something to do one turn. How long the process may wait for events then; `None` for ever.
    ///
    /// # Errors
    /// When the pulse fails.
    pub fn run(&mut self) -> io::Result<Option<Duration>> {
        let sleeps = self.poll.is_zero();
        for (guest, busy) in self.guests.iter_mut().zip(&mut self.busy) {
            if *busy {
                let (more, farewell) = guest.run(sleeps);
                *busy = more;
                self.farewells.extend(farewell);
                if guest.needs_pulse() {
                    self.pulse.start()?;
                }
                self.busy_at = (!sleeps).then(Instant::now);
            }
        }
        let again = self.busy.contains(&true) || self.polls();
        Ok(again.then_some(Duration::ZERO))
    }

    /// Whether to look at the rings again without sleeping, because a guest was busy a short while ago. Kicks are asked
    /// for when that is over.
    fn polls(&mut self) -> bool {
        let Some(busy_at) = self.busy_at else { return false };
        let over = busy_at.elapsed() >= self.poll;
        for (guest, busy) in self.guests.iter_mut().zip(&mut self.busy) {
            let (more, farewell) = if over { guest.listen() } else { (guest.has_packets(), None) };
            *busy = more;
            self.farewells.extend(farewell);
        }
        if over {
            self.busy_at = None;
        }
        !over || self.busy.contains(&true)
    }

    fn beat(&mut self) -> io::Result<()> {
        let mut goes_on = false;
        for guest in &mut self.guests {
            if guest.needs_pulse() {
                let (_, farewell) = guest.beat();
                self.farewells.extend(farewell);
                goes_on |= guest.needs_pulse();
            }
        }
        self.pulse.beaten(goes_on)
    }

    /// All counts by guest.
    #[must_use]
    pub fn stats(&self) -> BTreeMap<&str, GuestStats> {
        self.guests.iter().map(|guest| (guest.name(), guest.stats())).collect()
    }
}

impl Guests<Sockets> {
    /// Tries calls again for which the node proxy had no room. How long the process may wait then; `None` for ever.
    pub fn try_backlogs(&mut self) -> Option<Duration> {
        let mut waiting = false;
        for (guest, busy) in self.guests.iter_mut().zip(&mut self.busy) {
            if guest.traffic.tsi.has_backlog() {
                let woken = guest.traffic.tsi.try_backlog();
                *busy |= !woken.ready.is_empty();
                guest.proxy_woken(woken);
                waiting |= guest.traffic.tsi.has_backlog();
            }
        }
        waiting.then_some(BACKLOG_PAUSE)
    }
}
