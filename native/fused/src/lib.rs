//! The vsock device and the node proxy in one process: from a guest's ring into a TLS record and back.
//!
//! `vsock-tsi` asks an `Uplink` where streams go; `tunnel` offers streams on the caller's loop. This crate joins the two,
//! and serves both from one thread and one epoll. Configuration and statistics: `native/PROTOCOL.md`, dpb-fused.

#![forbid(unsafe_code)]

pub mod config;
pub mod process;
pub mod uplink;
