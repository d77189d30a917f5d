//! Who am I: asks the device for the pod's address (`native/PROTOCOL.md`, "TSI, version 1").

use crate::address::{CID_DEVICE, Family, Pod, Vsock};
use crate::socket;
use rustix::fd::AsFd;
use std::net::Ipv4Addr;

/// Device's port for TSI itself: 65536 + 620, libkrun's port.
const PORT: u32 = 66_156;
const REQUEST: &[u8] = b"TSI/1\n";
const ANSWER: &str = "TSI/1 ";
/// Longest answer: `TSI/1 255.255.255.255\n`, or words that are not for us.
const LONGEST: usize = 64;
/// Set instead of asking: for tests without a device, and to save the question.
pub const ADDRESS_VARIABLE: &str = "DPB_TSI_ADDRESS";

/// Why the pod's address is not known.
#[derive(Debug, thiserror::Error)]
pub enum HelloError {
    /// No vsock at all.
    #[error("/dev/vsock: {0}; this must run in a guest that has a vsock device and its driver")]
    NoVsock(rustix::io::Errno),
    /// The device did not answer.
    #[error("vsock CID 2 port {PORT}: {0}; the guest's device must be dpb-vsock-tsi, or dpb-fused, with service tsi")]
    NoAnswer(rustix::io::Errno),
    /// It answered something else.
    #[error("vsock CID 2 port {PORT} answered {0:?} to TSI/1; device and dpb-tsi must be of one version")]
    Unsupported(String),
    /// The variable holds no address.
    #[error("{ADDRESS_VARIABLE}={0}: not an IPv4 address; give the pod's address or unset it")]
    BadVariable(String),
}

/// The pod this runs in, by the environment or by the device.
///
/// # Errors
/// When neither says.
pub fn pod() -> Result<Pod, HelloError> {
    let cid = socket::local_cid().map_err(HelloError::NoVsock)?;
    let address = match std::env::var(ADDRESS_VARIABLE) {
        Ok(text) => text.parse().map_err(|_| HelloError::BadVariable(text))?,
        Err(_) => ask()?,
    };
    Ok(Pod { address, cid })
}

fn ask() -> Result<Ipv4Addr, HelloError> {
    let answer = exchange().map_err(HelloError::NoAnswer)?;
    let text = String::from_utf8_lossy(&answer).into_owned();
    parse(&text).ok_or(HelloError::Unsupported(text))
}

fn exchange() -> Result<Vec<u8>, rustix::io::Errno> {
    let device = socket::open(Family::V4, libc::SOCK_CLOEXEC as u32)?;
    socket::connect(device.as_fd(), Vsock { cid: CID_DEVICE, port: PORT })?;
    rustix::io::write(&device, REQUEST)?;
    let mut answer = Vec::new();
    let mut bytes = [0; LONGEST];
    while answer.len() < LONGEST && !answer.ends_with(b"\n") {
        match rustix::io::read(&device, &mut bytes)? {
            0 => break,
            length => answer.extend_from_slice(&bytes[..length]),
        }
    }
    Ok(answer)
}

fn parse(answer: &str) -> Option<Ipv4Addr> {
    answer.strip_prefix(ANSWER)?.strip_suffix('\n')?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn only_a_whole_answer_of_this_version_counts() {
        assert_eq!(parse("TSI/1 10.10.1.10\n"), Some([10, 10, 1, 10].into()));
        for other in ["TSI/1 unsupported\n", "TSI/2 10.10.1.10\n", "TSI/1 10.10.1.10", "", "TSI/1 10.10.1.1000\n"] {
            assert_eq!(parse(other), None, "{other:?}");
        }
    }
}
