//! A guest without a kernel: drives a vhost-user vsock device from shared memory, for tests, fuzzing and benchmarks.
//!
//! ```no_run
//! use std::io::{Read, Write};
//! use std::net::Ipv4Addr;
//! let guest = virtual_guest::Guest::attach("client.vhost")?;
//! let mut stream = guest.connect((Ipv4Addr::new(10, 10, 2, 20), 8080))?;
//! stream.write_all(b"hello")?;
//! stream.finish()?;
//! let mut answer = String::new();
//! stream.read_to_string(&mut answer)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The guest is strict: a device that sends without credit, names a head it never had or answers where nobody called
//! ends the call at hand with `InvalidData`. [`Guest::with_ring`] and [`Guest::send_packet`] let a test be hostile.

#![forbid(unsafe_code)]

pub mod bench;
mod connection;
mod engine;
mod guest;
mod line;
pub mod memory;
mod options;
pub mod packet;
pub mod payload;
pub mod peer;
pub mod ring;
mod seen;
mod session;
mod slots;
mod stream;

pub use connection::Phase;
pub use guest::{Guest, Queue};
pub use line::{PROXY_HEADER, compose as proxy_header};
pub use options::Options;
pub use packet::{Address, Header, Op};
pub use seen::Seen;
pub use session::{AttachError, RINGS};
pub use stream::Stream;
