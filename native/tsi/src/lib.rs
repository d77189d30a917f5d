//! Moves a program’s TCP sockets onto vsock inside a sandbox: seccomp supervisor and LD_PRELOAD library.
//! See `native/PROTOCOL.md`, "TSI, version 1", for what goes over vsock, and this crate's README for what programs see.

pub mod address;
pub mod architecture;
mod connect;
pub mod epolls;
pub mod filter;
pub mod hello;
mod mark;
pub mod moved;
pub mod options;
mod port;
mod sibling;
pub mod socket;
pub mod supervisor;
