//! What datapath-bench's native programs say to each other; the prose is `native/PROTOCOL.md`.
//!
//! * [`preamble`]: the first eight bytes of a raw TCP connection
//! * [`pattern`]: the payload bytes, which every program can make and check
//! * [`http`]: heads of HTTP/1.1 requests and answers

#![forbid(unsafe_code)]

pub mod http;
pub mod pattern;
pub mod preamble;

/// Largest payload of one request in bytes; both ends refuse more.
pub const MAX_PAYLOAD: usize = 16 << 20;

/// An upload is acknowledged whenever it has passed another so many bytes.
pub const ACK_EVERY: u64 = 64 << 10;
