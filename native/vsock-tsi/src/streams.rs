//! A guest's streams: found by number or by name, and the order in which they get their turn.

#![forbid(unsafe_code)]

use crate::stream::{Key, Stream};
use crate::uplink::StreamId;
use slab::Slab;
use std::collections::{HashMap, VecDeque};

/// All streams of one guest.
#[derive(Debug)]
pub struct Streams {
    slots: Slab<Stream>,
    keys: HashMap<Key, u32>,
    turns: Vec<VecDeque<u32>>,
    /// Places that stand in one of the queues. A place keeps its turn when its stream goes, so that a guest that opens
    /// and resets cannot lengthen the queues.
    queued: Vec<bool>,
    generation: u32,
    most: usize,
    resting: VecDeque<Key>,
}

/// Names of calls into the guest that are not used again at once: Linux resets a stream twice when both sides have shut
/// it down, and the second reset would hit the next stream of that name.
const RESTING: usize = 1024;

impl Streams {
    /// None, of at most `most`, on so many devices.
    #[must_use]
    pub fn new(devices: usize, most: usize) -> Self {
        let turns = vec![VecDeque::new(); devices];
        Self {
            slots: Slab::new(),
            keys: HashMap::new(),
            turns,
            queued: Vec::new(),
            generation: 0,
            most,
            resting: VecDeque::new(),
        }
    }

    /// Adds one; `None` when there are too many, or one of this name.
    pub fn add(&mut self, mut stream: Stream) -> Option<StreamId> {
        if self.slots.len() >= self.most || self.keys.contains_key(&stream.key) {
            return None;
        }
        self.generation = self.generation.wrapping_add(1);
        stream.generation = self.generation;
        let key = stream.key;
        let index = u32::try_from(self.slots.insert(stream)).ok()?;
        self.keys.insert(key, index);
        self.queued.resize(self.queued.len().max(index as usize + 1), false);
        Some(StreamId { index, generation: self.generation })
    }

    /// The stream of a name.
    #[must_use]
    pub fn find(&self, key: &Key) -> Option<u32> {
        self.keys.get(key).copied()
    }

    /// The stream at a place.
    pub fn at(&mut self, index: u32) -> Option<&mut Stream> {
        self.slots.get_mut(index as usize)
    }

    /// The stream of a number, if it still is that one.
    pub fn get(&mut self, id: StreamId) -> Option<&mut Stream> {
        self.at(id.index).filter(|stream| stream.generation == id.generation)
    }

    /// The name of a stream is free again; the stream goes on without.
    pub fn forget_key(&mut self, index: u32) {
        let Some(stream) = self.slots.get(index as usize) else { return };
        if self.keys.get(&stream.key) == Some(&index) {
            self.keys.remove(&stream.key);
        }
    }

    /// A name for a call into the guest.
    #[must_use]
    pub fn is_free(&self, key: &Key) -> bool {
        !self.keys.contains_key(key) && !self.resting.contains(key)
    }

    /// Removes one.
    pub fn remove(&mut self, index: u32) -> Option<Stream> {
        self.forget_key(index);
        let stream = self.slots.try_remove(index as usize)?;
        if !stream.outbound {
            self.resting.truncate(RESTING - 1);
            self.resting.push_front(stream.key);
        }
        Some(stream)
    }

    /// Puts a stream that has something for the guest at the end of the queue, once.
    pub fn queue(&mut self, index: u32) {
        let Some(stream) = self.slots.get(index as usize) else { return };
        let queued = &mut self.queued[index as usize];
        if !*queued && stream.has_packet() {
            *queued = true;
            self.turns[usize::from(stream.device)].push_back(index);
        }
    }

    /// The stream whose turn it is on a device.
    pub fn turn(&mut self, device: usize) -> Option<u32> {
        loop {
            let index = self.turns[device].pop_front()?;
            self.queued[index as usize] = false;
            match self.slots.get(index as usize) {
                Some(stream) if usize::from(stream.device) == device => return Some(index),
                Some(_) => self.queue(index),
                None => {}
            }
        }
    }

    /// The stream whose turn comes next on a device has more to say than one packet.
    #[must_use]
    pub fn next_is_bulk(&self, device: usize) -> bool {
        let next = self.turns[device].front().and_then(|&index| self.slots.get(index as usize));
        next.is_some_and(|stream| stream.bulk)
    }

    /// Some stream may have something for the guest.
    #[must_use]
    pub fn has_turns(&self, device: usize) -> bool {
        !self.turns[device].is_empty()
    }

    /// Places of all streams of a device.
    #[must_use]
    pub fn of_device(&self, device: usize) -> Vec<u32> {
        let of_device = self.slots.iter().filter(|(_, stream)| usize::from(stream.device) == device);
        of_device.filter_map(|(index, _)| u32::try_from(index).ok()).collect()
    }

    /// All streams.
    pub fn iter(&self) -> impl Iterator<Item = &Stream> {
        self.slots.iter().map(|(_, stream)| stream)
    }
}
