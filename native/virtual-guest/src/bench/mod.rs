//! Measuring a device by the guest's calls, and a Unix socket in the same way beside it.

#![forbid(unsafe_code)]

pub mod road;
pub mod tests;
