//! Payload bytes: `dpb!` over and over, in every protocol and both directions, so that any packet of plaintext can be
//! told by its first four bytes.

/// The four characters that repeat.
pub const UNIT: [u8; 4] = *b"dpb!";

/// Bytes of pattern kept ready for sending and comparing.
const BLOCK: usize = 64 << 10;

static PATTERN: [u8; BLOCK + UNIT.len()] = {
    let mut block = [0; BLOCK + UNIT.len()];
    let mut at = 0;
    while at < block.len() {
        block[at] = UNIT[at % UNIT.len()];
        at += 1;
    }
    block
};

/// The pattern from payload position `position` on, at most 64 KiB of it.
#[must_use]
pub fn from(position: u64) -> &'static [u8] {
    let phase = (position % UNIT.len() as u64) as usize;
    &PATTERN[phase..phase + BLOCK]
}

/// Appends `length` bytes of payload, beginning at position 0.
pub fn append(target: &mut Vec<u8>, length: usize) {
    let end = target.len() + length;
    while target.len() < end {
        let part = BLOCK.min(end - target.len());
        target.extend_from_slice(&PATTERN[..part]);
    }
}

/// Whether `bytes` are the payload from position `position` on.
#[must_use]
pub fn matches(bytes: &[u8], position: u64) -> bool {
    let expected = from(position);
    bytes.chunks(BLOCK).all(|chunk| chunk == &expected[..chunk.len()])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_cut_of_the_payload_matches_at_its_position_only(length in 1_usize..200_000, cut in 0_usize..200_000) {
            let mut payload = Vec::new();
            append(&mut payload, length);
            prop_assert_eq!(payload.len(), length);
            let cut = cut % length;
            prop_assert!(matches(&payload[cut..], cut as u64));
            prop_assert!(!matches(&payload[cut..], cut as u64 + 1));
        }

        #[test]
        fn one_wrong_byte_is_seen(length in 1_usize..100_000, at in 0_usize..100_000) {
            let mut payload = Vec::new();
            append(&mut payload, length);
            payload[at % length] ^= 1;
            prop_assert!(!matches(&payload, 0));
        }
    }
}
