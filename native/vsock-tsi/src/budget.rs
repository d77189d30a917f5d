//! How many bytes of one guest the device holds for uplinks that are slow to take them.

#![forbid(unsafe_code)]

/// Bytes that one stream may hold, which is what its guest may send unasked.
pub const WINDOW: u32 = 256 << 10;
/// Bytes of one guest in all: who sends more, on streams that were all granted their windows while they stood idle, has
/// the stream reset that is too much.
const MOST: usize = 80 << 20;
/// From so many bytes held in all, streams are granted less.
const STEPS: [(usize, u32); 3] = [(32 << 20, WINDOW), (48 << 20, WINDOW / 16), (usize::MAX, WINDOW / 64)];

/// Bytes held for one guest.
#[derive(Debug, Default)]
pub struct Budget(usize);

impl Budget {
    /// What a stream is granted now.
    #[must_use]
    pub fn window(&self) -> u32 {
        let step = STEPS.iter().find(|(held, _)| self.0 < *held);
        step.map_or(0, |(_, window)| *window)
    }

    /// Whether bytes more can be held for a stream that holds some already.
    #[must_use]
    pub fn fits(&self, of_stream: usize, more: usize) -> bool {
        of_stream + more <= WINDOW as usize && self.0 + more <= MOST
    }

    /// More bytes are held.
    pub fn add(&mut self, bytes: usize) {
        self.0 += bytes;
    }

    /// Bytes are held no longer.
    pub fn remove(&mut self, bytes: usize) {
        self.0 -= bytes;
    }

    /// Bytes held now.
    #[cfg(test)]
    #[must_use]
    pub fn held(&self) -> usize {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_shrink_as_a_guest_fills_its_budget_and_grow_again() {
        let mut budget = Budget::default();
        let mut granted = Vec::new();
        while budget.fits(0, 1 << 16) {
            granted.push(budget.window());
            budget.add(1 << 16);
        }
        assert_eq!(granted.len(), 80 << 4);
        assert_eq!((granted[511], granted[512], granted[768]), (WINDOW, WINDOW / 16, WINDOW / 64));
        budget.remove(70 << 20);
        assert_eq!(budget.window(), WINDOW);
        assert!(!budget.fits(WINDOW as usize, 1));
    }
}
