//! Slots that are reused, with keys that are not.

#![forbid(unsafe_code)]

use slab::Slab;

/// Names an entry of a [`Table`]; never used twice within 2³² insertions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Key {
    /// Place in the table: small, dense, reused.
    pub index: u32,
    /// Tells apart entries that had the same place.
    pub generation: u32,
}

/// A slab whose keys do not find a later entry in the same place.
#[derive(Debug)]
pub struct Table<T> {
    slots: Slab<(u32, T)>,
    generation: u32,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self { slots: Slab::new(), generation: 0 }
    }
}

impl<T> Table<T> {
    /// Inserts what `make` makes of the key it will have.
    pub fn insert_with(&mut self, make: impl FnOnce(Key) -> T) -> Key {
        self.generation = self.generation.wrapping_add(1);
        let slot = self.slots.vacant_entry();
        // A table never grows to 2³² entries: each holds at least a descriptor or an HTTP/2 stream.
        let key = Key { index: slot.key() as u32, generation: self.generation };
        slot.insert((key.generation, make(key)));
        key
    }

    /// The entry, if it still exists.
    pub fn get_mut(&mut self, key: Key) -> Option<&mut T> {
        match self.slots.get_mut(key.index as usize) {
            Some((generation, entry)) if *generation == key.generation => Some(entry),
            _ => None,
        }
    }

    /// The entry of an event: place, and the lower 24 bits of the generation.
    pub fn find(&self, index: u32, generation_24: u32) -> Option<Key> {
        let (generation, _) = self.slots.get(index as usize)?;
        (generation & 0x00ff_ffff == generation_24).then_some(Key { index, generation: *generation })
    }

    /// Takes the entry out.
    pub fn remove(&mut self, key: Key) -> Option<T> {
        self.get_mut(key)?;
        Some(self.slots.remove(key.index as usize).1)
    }

    /// All entries with their keys.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (Key, &mut T)> {
        self.slots
            .iter_mut()
            .map(|(index, (generation, entry))| (Key { index: index as u32, generation: *generation }, entry))
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_key_does_not_find_the_next_entry_in_its_place() {
        let mut table = Table::default();
        let first = table.insert_with(|_| 'a');
        assert_eq!(table.remove(first), Some('a'));
        let second = table.insert_with(|_| 'b');
        assert_eq!(first.index, second.index);
        assert_eq!(table.get_mut(first), None);
        assert_eq!(table.remove(first), None);
        assert_eq!(table.get_mut(second), Some(&mut 'b'));
    }

    #[test]
    fn an_event_finds_its_entry_by_24_bits_of_generation() {
        let mut table = Table { slots: Slab::new(), generation: 0x0100_0000 };
        let key = table.insert_with(|_| ());
        assert_eq!(table.find(key.index, 1), Some(key));
        assert_eq!(table.find(key.index, 2), None);
    }
}
