//! What the fuzz targets share: a device with a guest in reach of the fuzzer, and a far side of changing mood.

#![forbid(unsafe_code)]

pub mod bench;
pub mod moody;
pub mod steps;
