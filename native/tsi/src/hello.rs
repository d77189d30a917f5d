//! Who am I: asks the device for the pod's address (`native/PROTOCOL.md`, "TSI, version 1").

#![forbid(unsafe_code)]

use crate::address::{CID_DEVICE, CID_LOCAL, Family, Pod, Vsock};
use crate::socket;
use rustix::fd::AsFd;
use rustix::io::Errno;
use std::net::Ipv4Addr;

/// Device's port for TSI itself: 65536 + 620, libkrun's port.
const PORT: u32 = 66_156;
const REQUEST: &[u8] = b"TSI/1\n";
const ANSWER: &str = "TSI/1 ";
/// Longest answer: `TSI/1 255.255.255.255\n`, or words that are not for us.
const LONGEST: usize = 64;
/// Set by the supervisor for its programs, and by hand where there is no device to ask: `10.10.1.10`, or with the guest's
/// CID `10.10.1.10,3`.
pub const POD_VARIABLE: &str = "DPB_TSI_POD";

/// Why the pod's address is not known.
#[derive(Debug, thiserror::Error)]
pub enum HelloError {
    /// No vsock at all.
    #[error("/dev/vsock: {0}; this must run in a guest that has a vsock device and its driver")]
    NoVsock(Errno),
    /// The device did not answer.
    #[error("vsock CID 2 port {PORT}: {0}; the guest's device must be dpb-vsock-tsi, or dpb-fused, with service tsi")]
    NoAnswer(Errno),
    /// It answered something else.
    #[error("vsock CID 2 port {PORT} answered {0:?} to TSI/1; device and dpb-tsi must be of one version")]
    Unsupported(String),
    /// The variable holds no address.
    #[error("{POD_VARIABLE}={0}: not like 10.10.1.10 or 10.10.1.10,3; give the pod's address, or unset it")]
    BadVariable(String),
}

/// The pod this runs in, by the environment or by the device.
///
/// # Errors
/// When neither says.
pub fn pod() -> Result<Pod, HelloError> {
    let (address, cid) = match std::env::var(POD_VARIABLE) {
        Ok(text) => from_variable(&text).ok_or(HelloError::BadVariable(text))?,
        Err(_) => (ask()?, None),
    };
    let cid = match cid {
        Some(cid) => cid,
        None => own_cid()?,
    };
    Ok(Pod { address, cid })
}

/// What the supervisor tells its programs.
#[must_use]
pub fn to_variable(pod: Pod) -> String {
    format!("{},{}", pod.address, pod.cid)
}

fn from_variable(text: &str) -> Option<(Ipv4Addr, Option<u32>)> {
    match text.split_once(',') {
        None => Some((text.parse().ok()?, None)),
        Some((address, cid)) => Some((address.parse().ok()?, Some(cid.parse().ok()?))),
    }
}

/// The guest's CID. Not everyone may ask for it in every guest; then the guest's own address is as its loopback.
fn own_cid() -> Result<u32, HelloError> {
    match socket::local_cid() {
        Err(Errno::ACCESS) => Ok(CID_LOCAL),
        cid => cid.map_err(HelloError::NoVsock),
    }
}

fn ask() -> Result<Ipv4Addr, HelloError> {
    let answer = exchange().map_err(HelloError::NoAnswer)?;
    let text = String::from_utf8_lossy(&answer).into_owned();
    parse(&text).ok_or(HelloError::Unsupported(text))
}

fn exchange() -> Result<Vec<u8>, Errno> {
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
    use super::{from_variable, parse, to_variable};
    use crate::address::Pod;

    #[test]
    fn the_variable_holds_an_address_and_perhaps_a_cid() {
        let pod = Pod { address: [10, 10, 1, 10].into(), cid: 3 };
        assert_eq!(from_variable(&to_variable(pod)), Some((pod.address, Some(3))));
        assert_eq!(from_variable("10.10.1.10"), Some((pod.address, None)));
        for other in ["", "pod", "10.10.1.10,", "10.10.1.10,x", "10.10.1.10,3,3", ",3"] {
            assert_eq!(from_variable(other), None, "{other:?}");
        }
    }

    #[test]
    fn only_a_whole_answer_of_this_version_counts() {
        assert_eq!(parse("TSI/1 10.10.1.10\n"), Some([10, 10, 1, 10].into()));
        for other in ["TSI/1 unsupported\n", "TSI/2 10.10.1.10\n", "TSI/1 10.10.1.10", "", "TSI/1 10.10.1.1000\n"] {
            assert_eq!(parse(other), None, "{other:?}");
        }
    }
}
