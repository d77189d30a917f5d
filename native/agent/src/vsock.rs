//! The one socket family that std and rustix have no address for.

use rustix::net::{AddressFamily, SocketFlags, SocketType, listen, socket_with};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

/// Listens on a port of this guest.
///
/// # Errors
/// As socket(2), bind(2) and listen(2).
pub fn listener(port: u32) -> io::Result<OwnedFd> {
    let socket = socket_with(AddressFamily::VSOCK, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    let address = libc::sockaddr_vm {
        svm_family: libc::AF_VSOCK as libc::sa_family_t,
        svm_reserved1: 0,
        svm_port: port,
        svm_cid: libc::VMADDR_CID_ANY,
        svm_zero: [0; 4],
    };
    let length = size_of_val(&address) as libc::socklen_t;
    // SAFETY: `address` lives through the call and `length` is its size; the descriptor is open, `socket` owns it.
    let bound = unsafe { libc::bind(socket.as_raw_fd(), (&raw const address).cast(), length) };
    if bound != 0 {
        return Err(io::Error::last_os_error());
    }
    listen(&socket, 128)?;
    Ok(socket)
}
