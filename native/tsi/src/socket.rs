//! The socket calls of a moved socket, made to the kernel directly: inside a program, libc's names are interposed by us.

use crate::address::{ANY, Family, Vsock};
use crate::filter;
use crate::mark::Mark;
use rustix::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use rustix::io::Errno;

/// Longest name of a socket (struct sockaddr_storage).
const LONGEST_NAME: usize = 128;
/// IOCTL_VM_SOCKETS_GET_LOCAL_CID
const GET_LOCAL_CID: usize = 0x7b9;

/// Makes a system call that only touches the memory `args` point to.
///
/// # Safety
/// Pointers among the arguments must be valid for what the system call does with them.
unsafe fn call(number: libc::c_long, args: [usize; 5]) -> Result<usize, Errno> {
    // SAFETY: by the caller's promise.
    let result = unsafe { libc::syscall(number, args[0], args[1], args[2], args[3], args[4]) };
    if result < 0 {
        // SAFETY: libc keeps errno at this address for the life of the thread.
        return Err(Errno::from_raw_os_error(unsafe { *libc::__errno_location() }));
    }
    Ok(result as usize)
}

/// Name of a socket of any family, as the kernel gave it.
pub struct Name {
    bytes: [u8; LONGEST_NAME],
    length: usize,
}

impl Name {
    /// The bytes that count.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[..self.length.min(LONGEST_NAME)]
    }

    /// Its vsock address, if it is one.
    #[must_use]
    pub fn vsock(&self) -> Option<Vsock> {
        let bytes = self.bytes();
        let word = |at: usize| Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
        let family = u16::from_ne_bytes([*bytes.first()?, *bytes.get(1)?]);
        (i32::from(family) == libc::AF_VSOCK).then_some(Vsock { port: word(4)?, cid: word(8)? })
    }
}

/// Which end of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// `getsockname`
    Near,
    /// `getpeername`
    Far,
}

fn native(address: Vsock) -> libc::sockaddr_vm {
    libc::sockaddr_vm {
        svm_family: libc::AF_VSOCK as libc::sa_family_t,
        svm_reserved1: 0,
        svm_port: address.port,
        svm_cid: address.cid,
        svm_zero: [0; 4],
    }
}

/// The descriptor as these calls hand it to the kernel: under a supervisor they need no asking.
fn raw(socket: BorrowedFd<'_>) -> usize {
    settled(socket.as_raw_fd())
}

/// First argument, a descriptor or a domain, of a system call that a supervisor lets pass.
#[must_use]
pub fn settled(first: i32) -> usize {
    (filter::SETTLED as usize) << 32 | first as u32 as usize
}

/// A new vsock stream socket; `flags`: SOCK_NONBLOCK, SOCK_CLOEXEC.
///
/// # Errors
/// As socket(2).
pub fn open(family: Family, flags: u32) -> Result<OwnedFd, Errno> {
    let socket = open_as(libc::AF_VSOCK, flags)?;
    Mark::new(family).put(socket.as_fd())?;
    Ok(socket)
}

/// A new stream socket of a domain (AF_*).
///
/// # Errors
/// As socket(2).
pub fn open_as(domain: i32, flags: u32) -> Result<OwnedFd, Errno> {
    // SAFETY: no pointers; the kernel returns a descriptor that is ours alone.
    unsafe {
        let fd = call(libc::SYS_socket, [settled(domain), libc::SOCK_STREAM as usize | flags as usize, 0, 0, 0])?;
        Ok(OwnedFd::from_raw_fd(fd as RawFd))
    }
}

/// connect(2) to a vsock address.
///
/// # Errors
/// As connect(2).
pub fn connect(socket: BorrowedFd<'_>, to: Vsock) -> Result<(), Errno> {
    let name = native(to);
    // SAFETY: the name lives through the call, which reads so many bytes of it.
    unsafe { call(libc::SYS_connect, [raw(socket), &raw const name as usize, size_of_val(&name), 0, 0]) }.map(drop)
}

/// bind(2) to a vsock address.
///
/// # Errors
/// As bind(2).
pub fn bind(socket: BorrowedFd<'_>, at: Vsock) -> Result<(), Errno> {
    let name = native(at);
    // SAFETY: the name lives through the call, which reads so many bytes of it.
    unsafe { call(libc::SYS_bind, [raw(socket), &raw const name as usize, size_of_val(&name), 0, 0]) }.map(drop)
}

/// connect(2) or bind(2) with a name of any family, given as bytes.
///
/// # Errors
/// As the system call.
pub fn connect_as(socket: BorrowedFd<'_>, name: &[u8]) -> Result<(), Errno> {
    // SAFETY: the kernel reads the slice and no more.
    unsafe { call(libc::SYS_connect, [raw(socket), name.as_ptr() as usize, name.len(), 0, 0]) }.map(drop)
}

/// bind(2) with a name of any family, given as bytes.
///
/// # Errors
/// As bind(2).
pub fn bind_as(socket: BorrowedFd<'_>, name: &[u8]) -> Result<(), Errno> {
    // SAFETY: the kernel reads the slice and no more.
    unsafe { call(libc::SYS_bind, [raw(socket), name.as_ptr() as usize, name.len(), 0, 0]) }.map(drop)
}

/// listen(2)
///
/// # Errors
/// As listen(2).
pub fn listen(socket: BorrowedFd<'_>, backlog: i32) -> Result<(), Errno> {
    // SAFETY: no pointers.
    unsafe { call(libc::SYS_listen, [raw(socket), backlog as usize, 0, 0, 0]) }.map(drop)
}

/// accept4(2), for a listener of any family.
///
/// # Errors
/// As accept4(2).
pub fn accept(listener: BorrowedFd<'_>, flags: u32) -> Result<(OwnedFd, Name), Errno> {
    let mut name = Name { bytes: [0; LONGEST_NAME], length: 0 };
    let mut length = LONGEST_NAME as libc::socklen_t;
    let to = [raw(listener), &raw mut name.bytes as usize, &raw mut length as usize, flags as usize, 0];
    // SAFETY: the kernel writes at most `length` bytes to the buffer, and the length; both live through the call.
    // It returns a descriptor that is ours alone.
    let socket = unsafe { OwnedFd::from_raw_fd(call(libc::SYS_accept4, to)? as RawFd) };
    name.length = length as usize;
    Ok((socket, name))
}

/// getsockname(2) or getpeername(2)
///
/// # Errors
/// As the system call.
pub fn name(socket: BorrowedFd<'_>, end: End) -> Result<Name, Errno> {
    let number = if end == End::Near { libc::SYS_getsockname } else { libc::SYS_getpeername };
    let mut name = Name { bytes: [0; LONGEST_NAME], length: 0 };
    let mut length = LONGEST_NAME as libc::socklen_t;
    // SAFETY: the kernel writes at most `length` bytes to the buffer, and the length; both live through the call.
    unsafe { call(number, [raw(socket), &raw mut name.bytes as usize, &raw mut length as usize, 0, 0]) }?;
    name.length = length as usize;
    Ok(name)
}

/// getsockopt(2); the length of what was written.
///
/// # Errors
/// As getsockopt(2).
pub fn option(socket: BorrowedFd<'_>, level: i32, option: i32, value: &mut [u8]) -> Result<usize, Errno> {
    let mut length = value.len() as libc::socklen_t;
    let to = [raw(socket), level as usize, option as usize, value.as_mut_ptr() as usize, &raw mut length as usize];
    // SAFETY: the kernel writes at most `length` bytes to the slice, and the length.
    unsafe { call(libc::SYS_getsockopt, to) }?;
    Ok(length as usize)
}

/// An option of SOL_SOCKET that is a number.
///
/// # Errors
/// As getsockopt(2).
pub fn number_option(socket: BorrowedFd<'_>, name: i32) -> Result<i32, Errno> {
    let mut value = [0; 4];
    option(socket, libc::SOL_SOCKET, name, &mut value)?;
    Ok(i32::from_ne_bytes(value))
}

/// setsockopt(2)
///
/// # Errors
/// As setsockopt(2).
pub fn set_option(socket: BorrowedFd<'_>, level: i32, option: i32, value: &[u8]) -> Result<(), Errno> {
    let from = [raw(socket), level as usize, option as usize, value.as_ptr() as usize, value.len()];
    // SAFETY: the kernel reads the slice and no more.
    unsafe { call(libc::SYS_setsockopt, from) }.map(drop)
}

/// Those of some options of SOL_SOCKET, switches all, that this kernel refuses to set on vsock.
#[must_use]
pub fn refused_options(options: &[u32]) -> Vec<u32> {
    let Ok(socket) = open(Family::V4, libc::SOCK_CLOEXEC as u32) else { return Vec::new() };
    let on = 1i32.to_ne_bytes();
    let is_refused = |option: u32| set_option(socket.as_fd(), libc::SOL_SOCKET, option as i32, &on).is_err();
    options.iter().copied().filter(|&option| is_refused(option)).collect()
}

/// Whether a descriptor is a vsock socket.
#[must_use]
pub fn is_vsock(socket: BorrowedFd<'_>) -> bool {
    number_option(socket, libc::SO_DOMAIN) == Ok(libc::AF_VSOCK)
}

/// The guest's CID.
///
/// # Errors
/// When there is no vsock device.
pub fn local_cid() -> Result<u32, Errno> {
    use rustix::fs::{Mode, OFlags};
    let device = rustix::fs::open("/dev/vsock", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    let mut cid = ANY;
    // SAFETY: this ioctl writes one u32 to the address.
    unsafe { call(libc::SYS_ioctl, [raw(device.as_fd()), GET_LOCAL_CID, &raw mut cid as usize, 0, 0]) }?;
    Ok(cid)
}
