//! The vhost-user vsock device of datapath-bench: hybrid vsock for a sandbox’s agent, TSI for its applications.
//!
//! What it speaks is described in `native/PROTOCOL.md`; how its parts fit together in this crate's README.

mod batch;
pub mod breach;
mod budget;
pub mod config;
pub mod control;
pub mod device;
pub mod doors;
mod endings;
mod fault;
mod from_guest;
pub mod guest;
pub mod guests;
mod hello;
pub mod hybrid;
mod kick;
mod memory;
mod packet;
pub mod pages;
pub mod proxy_protocol;
mod pulse;
mod rings;
pub mod sockets;
pub mod stats;
mod stream;
mod streams;
mod to_guest;
pub mod traffic;
pub mod uplink;
