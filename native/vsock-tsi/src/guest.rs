//! One guest: its devices, its streams, and the sockets by which its front ends come.

#![forbid(unsafe_code)]

use crate::breach::Breach;
use crate::config::{GuestConfig, Pace};
use crate::control::channel::Channel;
use crate::control::session::{Change, RINGS, Session};
use crate::device::Device;
use crate::doors::{Greeting, Woken, listen};
use crate::sockets::Sockets;
use crate::stats::GuestStats;
use crate::traffic::Traffic;
use crate::uplink::{Readiness, StreamId, Uplink};
use poller::{Poller, Token};
use rustix::fd::OwnedFd;
use rustix::net::{SocketFlags, accept_with};
use std::io;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// Descriptors of one device in tokens: its rings' kicks first.
const CONTROL: u32 = RINGS as u32;
const LISTENER: u32 = CONTROL + 1;
/// Control messages of one turn.
const MESSAGES: usize = 64;

/// How long a device is shut after its interrupt has blocked: fifty times as long as that can take.
const SHUT: Duration = Duration::from_secs(1);

/// Somebody who wants to hear that a guest has gone, and why.
pub type Farewell = (String, Breach);

/// One guest, whose applications' streams go to `T`.
pub struct Guest<T> {
    name: String,
    cid: u32,
    poller: Rc<Poller>,
    owner: u8,
    number: u16,
    rescues: bool,
    listeners: Vec<OwnedFd>,
    devices: Vec<Device>,
    generations: Vec<u32>,
    /// Until when a device takes no front end, after one that stopped this process for a while.
    shut_until: Vec<Option<Instant>>,
    /// Its streams.
    pub traffic: Traffic<Sockets, T>,
}

impl<T: Uplink> Guest<T> {
    /// Listens for the front ends of a guest. Events come with tokens of `owner` whose index has `number` in its upper
    /// half.
    ///
    /// # Errors
    /// With the path, when a socket cannot be listened on.
    pub fn new(
        config: &GuestConfig,
        pace: Pace,
        poller: &Rc<Poller>,
        (owner, number): (u8, u16),
        agent: Sockets,
        tsi: T,
    ) -> io::Result<Self> {
        let mut listeners = Vec::new();
        for (device, device_config) in config.devices.iter().enumerate() {
            let listener = listen(&device_config.socket)?;
            poller.add_level(&listener, token(owner, number, 0, device, LISTENER))?;
            listeners.push(listener);
        }
        Ok(Self {
            name: config.name.clone(),
            cid: config.cid,
            poller: Rc::clone(poller),
            owner,
            number,
            rescues: pace.rescue_us > 0,
            devices: listeners.iter().map(|_| Device::default()).collect(),
            generations: vec![0; listeners.len()],
            shut_until: vec![None; listeners.len()],
            listeners,
            traffic: Traffic::new(config, agent, tsi),
        })
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A front end is attached.
    #[must_use]
    pub fn is_attached(&self) -> bool {
        self.devices.iter().any(|device| device.session.is_some())
    }

    /// All counts.
    #[must_use]
    pub fn stats(&self) -> GuestStats {
        self.traffic.snapshot()
    }

    /// Deals with an event of one of its devices; says so when that ended the guest's attachment.
    pub fn handle(&mut self, token: Token) -> Option<Farewell> {
        let (device, what) = ((token.index() >> 8 & 0xff) as usize, token.index() & 0xff);
        if what == LISTENER {
            return self.accept(device);
        }
        // Of a front end that has gone since.
        if token.generation() != self.generations[device] & 0x00ff_ffff {
            return None;
        }
        if what < CONTROL {
            self.traffic.stats.kicks += 1;
            return None;
        }
        let result = self.converse(device);
        result.err().and_then(|breach| self.dismiss(device, breach))
    }

    /// Takes and gives packets; whether there is more to do without waiting. Says so when the guest broke the rules.
    /// Kicks are asked for only if the device `sleeps` then.
    pub fn run(&mut self, sleeps: bool) -> (bool, Option<Farewell>) {
        self.each(|guest, device| guest.run_device(device, sleeps))
    }

    /// Asks for kicks; whether there is something to do already.
    pub fn listen(&mut self) -> (bool, Option<Farewell>) {
        self.each(|guest, device| guest.devices[device].listen())
    }

    /// The pulse has beaten.
    pub fn beat(&mut self) -> (bool, Option<Farewell>) {
        self.each(|guest, device| guest.devices[device].beat(&mut guest.traffic).map(|()| false))
    }

    /// Something is to be looked at when the pulse beats.
    #[must_use]
    pub fn needs_pulse(&self) -> bool {
        self.devices.iter().any(Device::needs_pulse)
    }

    /// The guest has put something into a ring, kick or not.
    #[must_use]
    pub fn has_packets(&mut self) -> bool {
        // A broken ring is something to deal with, too.
        self.devices.iter_mut().any(|device| device.has_packets().unwrap_or(true))
    }

    /// Deals with what an agent's socket has brought.
    pub fn agent_woken(&mut self, woken: Woken) {
        for (stream, readiness) in woken.ready {
            self.traffic.ready(stream, readiness);
        }
        for call in woken.calls {
            let Greeting::Agent(port) = call.greeting else { continue };
            match self.traffic.call_agent(port) {
                Ok(stream) => self.traffic.agent.bind(&call, stream),
                Err(_) => self.traffic.agent.hang_up(&call),
            }
        }
    }

    /// What the owner of the uplink has to say of a stream.
    pub fn ready(&mut self, stream: StreamId, readiness: Readiness) {
        self.traffic.ready(stream, readiness);
    }

    /// Does something for each device, and closes one that the guest has broken.
    fn each(&mut self, mut work: impl FnMut(&mut Self, usize) -> Result<bool, Breach>) -> (bool, Option<Farewell>) {
        let mut more = false;
        for device in 0..self.devices.len() {
            match work(self, device) {
                Ok(again) => more |= again,
                Err(breach) => return (true, self.dismiss(device, breach)),
            }
        }
        (more, None)
    }

    fn run_device(&mut self, number: usize, sleeps: bool) -> Result<bool, Breach> {
        let device = &mut self.devices[number];
        let from_guest = device.take_packets(number, &mut self.traffic)?;
        self.traffic.flush().map_err(Breach::Uplink)?;
        let to_guest = device.put_packets(number, &mut self.traffic, self.rescues)?;
        Ok(from_guest || to_guest || (sleeps && device.listen()?))
    }

    /// A front end has come. It is sent away while another is attached.
    fn accept(&mut self, device: usize) -> Option<Farewell> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let Ok(socket) = accept_with(&self.listeners[device], flags) else { return None };
        // The one before may have gone without having been seen to go.
        let farewell = self.converse(device).err().and_then(|breach| self.dismiss(device, breach));
        let shut = self.shut_until[device].is_some_and(|until| Instant::now() < until);
        if shut || self.devices[device].session.is_some() {
            return farewell;
        }
        self.generations[device] = self.generations[device].wrapping_add(1);
        let channel = Channel::new(socket);
        if self.poller.add_level(&channel, self.token(device, CONTROL)).is_ok() {
            self.devices[device].attach(Session::new(channel, self.cid));
            self.traffic.attach(device);
            self.traffic.stats.closed = None;
        }
        farewell
    }

    fn converse(&mut self, device: usize) -> Result<(), Breach> {
        for _ in 0..MESSAGES {
            let Some(session) = &mut self.devices[device].session else { return Ok(()) };
            match session.converse()? {
                None => return Ok(()),
                Some(Change::None) => {}
                Some(Change::Reset) => {
                    self.traffic.detach(device);
                    self.traffic.attach(device);
                }
                Some(Change::Kick(ring)) => {
                    let token = token(self.owner, self.number, self.generations[device], device, ring as u32);
                    if let Some(kick) = &mut session.rings[ring].kick {
                        kick.watch(&self.poller, token).map_err(Breach::Control)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn dismiss(&mut self, device: usize, breach: Breach) -> Option<Farewell> {
        self.devices[device].detach();
        self.traffic.detach(device);
        if matches!(breach, Breach::Blocks) {
            self.shut_until[device] = Some(Instant::now() + SHUT);
        }
        if breach.is_fault() {
            self.traffic.stats.closed = Some(breach.to_string());
        }
        Some((self.name.clone(), breach))
    }

    fn token(&self, device: usize, what: u32) -> Token {
        token(self.owner, self.number, self.generations[device], device, what)
    }
}

fn token(owner: u8, number: u16, generation: u32, device: usize, what: u32) -> Token {
    Token::new(owner, generation, u32::from(number) << 16 | (device as u32) << 8 | what)
}

impl Guest<Sockets> {
    /// Deals with what a node proxy's socket has brought.
    pub fn proxy_woken(&mut self, woken: Woken) {
        for (stream, readiness) in woken.ready {
            self.traffic.ready(stream, readiness);
        }
        for call in woken.calls {
            let Greeting::Tcp(from, port) = call.greeting else { continue };
            match self.traffic.call_tcp(from, port) {
                Ok(stream) => self.traffic.tsi.bind(&call, stream),
                Err(_) => self.traffic.tsi.hang_up(&call),
            }
        }
    }
}
