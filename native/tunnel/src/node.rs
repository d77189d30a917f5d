//! The node: listeners, relays and tunnels of all pods, on the caller's loop.

#![forbid(unsafe_code)]

use crate::api::{Notice, PodId, StreamId};
use crate::config::PodConfig;
use crate::greeting::{Greeting, LIMIT_S};
use crate::listeners::{ListenError, Listeners};
use crate::plain::{Plain, Which};
use crate::pod::{Pod, PodError};
use crate::relay::{End, Relay};
use crate::scratch::Scratch;
use crate::sources::{Kind, Sources, parts};
use crate::stream::Owner;
use crate::table::{Key, Table};
use crate::tunnels::Tunnels;
use crate::wake::Task;
use poller::{Event, Poller};
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// How often clocks are looked at.
const TICK: Duration = Duration::from_secs(1);
/// Passes over woken tasks in one turn, before the loop looks at other parts of the process.
const PASSES: usize = 16;

/// Why a node cannot start.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// A pod's files or namespace.
    #[error(transparent)]
    Pod(#[from] PodError),
    /// A port or socket.
    #[error(transparent)]
    Listen(#[from] ListenError),
}

/// A node proxy.
#[derive(Debug)]
pub struct Node {
    pub(crate) tunnels: Tunnels,
    pub(crate) sources: Sources,
    pub(crate) listeners: Listeners,
    pub(crate) relays: Table<Relay>,
    pub(crate) plains: Table<Plain>,
    pub(crate) greetings: Table<Greeting>,
    pub(crate) scratch: Scratch,
    pub(crate) notices: VecDeque<Notice>,
    /// Streams that their caller has left, in order, and until when the peer may take to end them.
    pub(crate) left: VecDeque<(Instant, Key)>,
    tasks: Vec<Task>,
    next_tick: Instant,
}

impl Node {
    /// Opens the pods' listeners; events come by `poller` with `owner` in their tokens.
    ///
    /// # Errors
    /// When a pod's files, namespace or ports cannot be used.
    pub fn new(pods: &[PodConfig], poller: Rc<Poller>, owner: u8) -> Result<Self, NodeError> {
        let sources = Sources::new(poller, owner);
        let opened = pods.iter().map(|pod| Pod::open(pod).map(Rc::new)).collect::<Result<Vec<_>, _>>()?;
        let mut listeners = Listeners::default();
        for (place, (pod, config)) in opened.iter().zip(pods).enumerate() {
            listeners.open(place, pod, config, &sources)?;
        }
        Ok(Self {
            tunnels: Tunnels::new(opened, sources.clone()),
            sources,
            listeners,
            relays: Table::default(),
            plains: Table::default(),
            greetings: Table::default(),
            scratch: Scratch::default(),
            notices: VecDeque::new(),
            left: VecDeque::new(),
            tasks: Vec::new(),
            next_tick: Instant::now() + TICK,
        })
    }

    /// A pod of the configuration.
    #[must_use]
    pub fn pod(&self, name: &str) -> Option<PodId> {
        let place = self.tunnels.pods.iter().position(|pod| pod.name == name)?;
        u32::try_from(place).ok().map(PodId)
    }

    /// Tunnels into this pod come as [`Notice::Arrived`] from now on; its port 15008 is opened if it is not yet.
    ///
    /// # Errors
    /// When the port cannot be had.
    pub fn serve(&mut self, pod: PodId) -> Result<(), NodeError> {
        let place = pod.0 as usize;
        let serving = &self.tunnels.pods[place];
        serving.served.set(true);
        Ok(self.listeners.hbone(place, serving, &self.sources)?)
    }

    /// Takes an event whose token has the node's owner.
    pub fn on_event(&mut self, event: Event) {
        let Some((kind, index, generation)) = parts(event.token) else { return };
        match kind {
            Kind::Connection => {
                if let Some(key) = self.tunnels.find_connection(index, generation) {
                    self.tunnels.on_event(key, event);
                }
            }
            Kind::Relay => {
                let Some(key) = self.relays.find(index, generation) else { return };
                if self.relays.get_mut(key).is_some_and(|relay| relay.note(event)) {
                    self.pump(key);
                }
            }
            Kind::Listener => {
                if let Some(key) = self.listeners.0.find(index, generation) {
                    self.accept_all(key);
                }
            }
            Kind::Greeting => {
                if let Some(key) = self.greetings.find(index, generation) {
                    self.hear(key);
                }
            }
            Kind::Caller | Kind::Application => {
                let Some(key) = self.plains.find(index, generation) else { return };
                let which = if kind == Kind::Caller { Which::Caller } else { Which::Application };
                if self.plains.get_mut(key).is_some_and(|plain| plain.on_event(which, event)) {
                    self.plains.remove(key);
                }
            }
        }
    }

    /// After each batch of events, or of calls: does what they have made possible.
    pub fn turn(&mut self) {
        for _ in 0..PASSES {
            self.tunnels.woken.take(&mut self.tasks);
            if self.tasks.is_empty() {
                break;
            }
            let mut tasks = std::mem::take(&mut self.tasks);
            for task in tasks.drain(..) {
                match task {
                    Task::Connection(key) => self.tunnels.poll_connection(key),
                    Task::Stream(key) => self.progress(key),
                }
            }
            self.tasks = tasks;
            self.answer_arrivals();
        }
        self.tunnels.send();
        self.tick();
    }

    /// When [`Self::turn`] wants to be called at the latest.
    #[must_use]
    pub fn due(&self) -> Option<Instant> {
        if !self.tunnels.woken.is_empty() {
            return Some(Instant::now());
        }
        (self.tunnels.has_connections() || !self.greetings.is_empty()).then_some(self.next_tick)
    }

    /// The `pods` of a line of statistics.
    #[must_use]
    pub fn stats(&self) -> serde_json::Value {
        let pods = self.tunnels.pods.iter().zip(&self.tunnels.stats);
        pods.map(|(pod, stats)| (pod.name.clone(), serde_json::json!(stats))).collect::<serde_json::Map<_, _>>().into()
    }

    /// Takes nothing new: listeners are closed, peers are told (GOAWAY).
    pub fn drain(&mut self) {
        self.listeners.close();
        self.tunnels.drain();
    }

    /// Whether the last tunnel and connection has ended.
    #[must_use]
    pub fn is_drained(&self) -> bool {
        self.tunnels.is_idle() && self.relays.is_empty() && self.plains.is_empty()
    }

    /// Moves what a relay can move.
    pub(crate) fn pump(&mut self, key: Key) {
        let Some(relay) = self.relays.get_mut(key) else { return };
        if let Some(end) = relay.pump(&mut self.tunnels, &mut self.scratch) {
            self.end(key, end);
        }
    }

    pub(crate) fn end(&mut self, key: Key, end: End) {
        if let Some(relay) = self.relays.remove(key) {
            relay.end(&mut self.tunnels, end);
        }
    }

    fn progress(&mut self, key: Key) {
        let Some(stream) = self.tunnels.stream(key) else { return };
        match stream.owner {
            Owner::Relay(relay) => self.pump(relay),
            Owner::Caller => self.tell(StreamId { index: key.index, generation: key.generation }),
            Owner::Nobody => {}
            Owner::Left => self.linger(key),
        }
    }

    fn tick(&mut self) {
        if !self.tunnels.has_connections() && self.greetings.is_empty() {
            return;
        }
        let now = Instant::now();
        if now < self.next_tick {
            return;
        }
        self.next_tick = now + TICK;
        self.tunnels.tick(now);
        self.end_left(now);
        let limit = Duration::from_secs(LIMIT_S);
        let late = self.greetings.iter_mut().filter(|(_, greeting)| now.duration_since(greeting.since) > limit);
        for key in late.map(|(key, _)| key).collect::<Vec<_>>() {
            self.greetings.remove(key);
        }
    }
}
