//! The vhost-user vsock device of datapath-bench: hybrid vsock for a sandbox’s agent, TSI for its applications.
//!
//! What it speaks is described in `native/PROTOCOL.md`; how its parts fit together in this crate's README.

pub mod config;
pub mod pages;
pub mod stats;
pub mod uplink;
