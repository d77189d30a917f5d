//! The vhost-user conversation with a guest's front end: User Mode Linux, QEMU, or rust-vmm's `vhost`.
//!
//! Own code, because User Mode Linux 6.1 sends SET_MEM_TABLE with room for two regions when it has one, and allocates
//! its interrupt only if BACKEND_REQ is offered and the descriptor it sends with it stays open.

pub mod channel;
pub mod message;
pub mod session;
