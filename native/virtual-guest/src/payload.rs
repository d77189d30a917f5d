//! Payload whose every byte tells its place, so that lost, doubled and moved bytes are seen.

#![forbid(unsafe_code)]

use std::sync::LazyLock;

/// Bytes after which the payload repeats: a prime, so that no packet size divides it.
pub const PERIOD: usize = 65_521;
/// Bytes that can be had in one piece.
pub const PIECE: usize = 262_144;

static TABLE: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut period = Vec::with_capacity(PERIOD);
    period.resize_with(PERIOD, || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    });
    period.iter().copied().cycle().take(PERIOD + PIECE).collect()
});

/// The next `length` bytes (at most [`PIECE`]) from a position on.
///
/// # Panics
/// When more is asked for.
#[must_use]
pub fn at(position: u64, length: usize) -> &'static [u8] {
    let start = (position % PERIOD as u64) as usize;
    &TABLE[start..start + length]
}

/// Whether bytes are those of this position.
#[must_use]
pub fn matches(mut position: u64, bytes: &[u8]) -> bool {
    bytes.chunks(PIECE).all(|chunk| {
        let right = chunk == at(position, chunk.len());
        position += chunk.len() as u64;
        right
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moved_byte_is_seen() {
        assert!(matches(7, at(7, PIECE)));
        assert!(matches(PERIOD as u64 * 3 + 7, at(7, 100)));
        assert!(!matches(8, at(7, 1000)));
        let mut swapped = at(0, 1000).to_vec();
        swapped.swap(10, 500);
        assert!(!matches(0, &swapped));
    }
}
