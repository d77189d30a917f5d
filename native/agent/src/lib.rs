//! First process of a sandbox: mounts, modules, network, and commands for the harness over vsock.
//!
//! [`boot`] makes a usable system of a bare kernel, [`serve`] answers requests; both are told what to do by the harness
//! (`README.md` has the formats).

pub mod boot;
pub mod config;
pub mod frame;
pub mod initramfs;
pub mod modules;
pub mod mounts;
pub mod network;
pub mod reaper;
pub mod request;
pub mod serve;
pub mod session;
pub mod vsock;
