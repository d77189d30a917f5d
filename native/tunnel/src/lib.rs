//! HBONE client and server, and a node proxy made of them.
//!
//! HBONE is HTTP/2 CONNECT over mutual TLS 1.3 (`native/PROTOCOL.md`, dpb-tunnel; the crate's README says how to use it).

pub mod api;
