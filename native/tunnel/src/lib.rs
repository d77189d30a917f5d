//! HBONE client and server, and a node proxy made of them.
//!
//! HBONE is HTTP/2 CONNECT over mutual TLS 1.3 (`native/PROTOCOL.md`, dpb-tunnel). The crate's README says how a process
//! shares its loop with a [`Node`].

pub mod api;
mod authority;
mod backlog;
mod buffer;
mod caller;
mod channel;
pub mod config;
mod connection;
mod greeting;
mod identity;
mod listeners;
mod liveness;
mod node;
mod openings;
mod plain;
mod pod;
mod pool;
pub mod proxy_v2;
mod relay;
mod scratch;
mod session;
mod sockets;
mod sockopt;
mod sources;
mod stats;
mod stream;
mod table;
mod tunnels;
mod verify;
mod wake;

pub use node::{Node, NodeError};
