//! socket, connect, bind, listen, accept, and names.

use crate::native::{borrow, bytes, call, give, tell};
use crate::{pod, swap};
use libc::{sockaddr, socklen_t};
use rustix::fd::{AsFd, BorrowedFd, IntoRawFd};
use rustix::io::Errno;
use std::ffi::c_int;
use tsi::address::{self, Pod};
use tsi::moved::{self, Outcome};
use tsi::socket::{self, End, settled};

/// socket(2)
#[unsafe(no_mangle)]
pub extern "C" fn socket(domain: c_int, kind: c_int, protocol: c_int) -> c_int {
    if let Some((family, flags)) = moved::birth(domain as u32, kind as u32, protocol as u32)
        && pod().is_some()
    {
        return tell(socket::open(family, flags).map(IntoRawFd::into_raw_fd));
    }
    // SAFETY: no pointers.
    unsafe { call(libc::SYS_socket, [settled(domain), kind as usize, protocol as usize, 0, 0]) }
}

/// connect(2)
///
/// # Safety
/// As connect(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn connect(fd: c_int, name: *const sockaddr, length: socklen_t) -> c_int {
    let moved = |socket: BorrowedFd<'_>, name: &[u8], pod| moved::connect(socket, name, pod);
    // SAFETY: by the caller's promise.
    unsafe { with_name(libc::SYS_connect, fd, name, length, moved) }
}

/// bind(2)
///
/// # Safety
/// As bind(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bind(fd: c_int, name: *const sockaddr, length: socklen_t) -> c_int {
    // The kernel itself looks after low ports here: it is the program that binds.
    let moved = |socket: BorrowedFd<'_>, name: &[u8], pod| moved::bind(socket, name, pod, |_| true);
    // SAFETY: by the caller's promise.
    unsafe { with_name(libc::SYS_bind, fd, name, length, moved) }
}

/// # Safety
/// As the system call.
unsafe fn with_name(
    number: libc::c_long,
    fd: c_int,
    name: *const sockaddr,
    length: socklen_t,
    moved: impl FnOnce(BorrowedFd<'_>, &[u8], Pod) -> Outcome<()>,
) -> c_int {
    // SAFETY: by the caller's promise.
    let given = unsafe { bytes(name.cast(), length as usize) };
    if let (Some(socket), Some(given)) = (borrow(fd), given)
        && matches!(address::parse(given), Ok(Some(_)))
        && let Some(pod) = pod()
    {
        match moved(socket, given, pod) {
            Outcome::Done(result) => return tell(result.map(|()| 0)),
            Outcome::Replace(new, result) => return tell(swap::replace(socket, &new).and(result).map(|()| 0)),
            Outcome::Foreign => {}
        }
    }
    // SAFETY: by the caller's promise.
    unsafe { call(number, [settled(fd), name as usize, length as usize, 0, 0]) }
}

/// listen(2)
#[unsafe(no_mangle)]
pub extern "C" fn listen(fd: c_int, backlog: c_int) -> c_int {
    match borrow(fd).map(|socket| moved::listen(socket, backlog)) {
        Some(Outcome::Done(result)) => tell(result.map(|()| 0)),
        // SAFETY: no pointers.
        _ => unsafe { call(libc::SYS_listen, [settled(fd), backlog as usize, 0, 0, 0]) },
    }
}

/// accept(2)
///
/// # Safety
/// As accept(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn accept(fd: c_int, name: *mut sockaddr, length: *mut socklen_t) -> c_int {
    // SAFETY: by the caller's promise.
    unsafe { accept4(fd, name, length, 0) }
}

/// accept4(2)
///
/// # Safety
/// As accept4(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn accept4(fd: c_int, name: *mut sockaddr, length: *mut socklen_t, flags: c_int) -> c_int {
    let Some(listener) = borrow(fd).filter(|_| !name.is_null()) else {
        // SAFETY: by the caller's promise.
        return unsafe { call(libc::SYS_accept4, [settled(fd), name as usize, length as usize, flags as usize, 0]) };
    };
    let accepted = socket::accept(listener, flags as u32).and_then(|(connection, caller)| {
        match (caller.vsock(), pod()) {
            (Some(peer), Some(pod)) => {
                let (caller, family) = moved::caller(connection.as_fd(), peer, pod);
                let (bytes, whole) = address::encode(caller, family);
                // SAFETY: by the caller's promise.
                unsafe { give_name(name, length, &bytes[..whole]) }?;
            }
            // SAFETY: by the caller's promise.
            _ => unsafe { give_name(name, length, caller.bytes()) }?,
        }
        Ok(connection.into_raw_fd())
    });
    tell(accepted)
}

/// getsockname(2)
///
/// # Safety
/// As getsockname(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn getsockname(fd: c_int, name: *mut sockaddr, length: *mut socklen_t) -> c_int {
    // SAFETY: by the caller's promise.
    unsafe { name_of(libc::SYS_getsockname, End::Near, fd, name, length) }
}

/// getpeername(2)
///
/// # Safety
/// As getpeername(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn getpeername(fd: c_int, name: *mut sockaddr, length: *mut socklen_t) -> c_int {
    // SAFETY: by the caller's promise.
    unsafe { name_of(libc::SYS_getpeername, End::Far, fd, name, length) }
}

/// # Safety
/// As the system call.
unsafe fn name_of(number: libc::c_long, end: End, fd: c_int, name: *mut sockaddr, length: *mut socklen_t) -> c_int {
    let moved = borrow(fd).map(|socket| moved::name(socket, end, pod));
    match moved {
        Some(Outcome::Done(result)) => tell(result.and_then(|(told, family)| {
            let (bytes, whole) = address::encode(told, family);
            // SAFETY: by the caller's promise.
            unsafe { give_name(name, length, &bytes[..whole]) }.map(|()| 0)
        })),
        // SAFETY: by the caller's promise.
        _ => unsafe { call(number, [settled(fd), name as usize, length as usize, 0, 0]) },
    }
}

/// A name cut to the caller's buffer, and its whole length.
///
/// # Safety
/// As for `native::give`.
unsafe fn give_name(name: *mut sockaddr, length: *mut socklen_t, bytes: &[u8]) -> Result<(), Errno> {
    // SAFETY: by the caller's promise, which `give` checks for null.
    unsafe {
        give(name.cast(), length, bytes)?;
        *length = bytes.len() as socklen_t;
    }
    Ok(())
}
