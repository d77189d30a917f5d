//! getsockopt, setsockopt, ioctl.

use crate::native::{borrow, call, give, tell};
use libc::socklen_t;
use rustix::io::Errno;
use std::ffi::{c_int, c_ulong, c_void};
use tsi::moved::{self, Outcome};
use tsi::socket::settled;
use tsi::{filter, options, socket};

/// getsockopt(2)
///
/// # Safety
/// As getsockopt(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn getsockopt(
    fd: c_int,
    level: c_int,
    option: c_int,
    value: *mut c_void,
    length: *mut socklen_t,
) -> c_int {
    let arguments = [settled(fd), level as usize, option as usize, value as usize, length as usize];
    let (of, name) = (level as u32, option as u32);
    if (of, name) == (options::SOL_SOCKET, options::SO_ERROR) {
        // SAFETY: by the caller's promise.
        return unsafe { pending_error(fd, arguments) };
    }
    let ours = match of {
        options::SOL_SOCKET => options::READ_OF_SOCKET.contains(&name),
        options::IPPROTO_TCP | options::IPPROTO_IP | options::IPPROTO_IPV6 => true,
        _ => false,
    };
    match borrow(fd).filter(|_| ours).map(|socket| moved::option(socket, of, name)) {
        Some(Outcome::Done(result)) => tell(result.and_then(|bytes| {
            // SAFETY: by the caller's promise, which `give` checks for null.
            unsafe { *length = give(value, length, &bytes)? };
            Ok(0)
        })),
        // SAFETY: by the caller's promise.
        _ => unsafe { call(libc::SYS_getsockopt, arguments) },
    }
}

/// SO_ERROR is the kernel's, but for the word it has for a refused connection.
///
/// # Safety
/// As getsockopt(2).
unsafe fn pending_error(fd: c_int, arguments: [usize; 5]) -> c_int {
    // SAFETY: by the caller's promise.
    let told = unsafe { call(libc::SYS_getsockopt, arguments) };
    let (value, length) = (arguments[3] as *mut c_int, arguments[4] as *const socklen_t);
    // SAFETY: the call succeeded, so the kernel wrote the length, and as many bytes to the value.
    unsafe {
        if told == 0
            && *length as usize == size_of::<c_int>()
            && value.read_unaligned() == libc::ECONNRESET
            && borrow(fd).is_some_and(socket::is_vsock)
        {
            value.write_unaligned(libc::ECONNREFUSED);
        }
    }
    told
}

/// setsockopt(2)
///
/// # Safety
/// As setsockopt(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn setsockopt(
    fd: c_int,
    level: c_int,
    option: c_int,
    value: *const c_void,
    length: socklen_t,
) -> c_int {
    let (of, name) = (level as u32, option as u32);
    // As in the supervisor's filter: done on every connection, of no effect on vsock, so not even asked.
    if of == options::IPPROTO_TCP && options::may_set(of, name) {
        return 0;
    }
    // SAFETY: by the caller's promise.
    let told = unsafe {
        call(libc::SYS_setsockopt, [settled(fd), level as usize, option as usize, value as usize, length as usize])
    };
    if told == 0 {
        return 0;
    }
    // vsock lacks it, or the kernel keeps it from vsock.
    let number = || match length as usize >= size_of::<c_int>() && !value.is_null() {
        // SAFETY: by the caller's promise there are so many bytes.
        true => Ok(unsafe { value.cast::<c_int>().read_unaligned() }),
        false => Err(Errno::INVAL),
    };
    match borrow(fd).map(|socket| moved::set_option(socket, of, name, number)) {
        Some(Outcome::Done(Ok(()))) => 0,
        _ => told,
    }
}

/// ioctl(2). C declares it with any number of arguments, of which the kernel takes one; on both machines it comes in the
/// same register either way.
///
/// # Safety
/// As ioctl(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ioctl(fd: c_int, request: c_ulong, argument: *mut c_void) -> c_int {
    let socket = borrow(fd).filter(|_| filter::IOCTLS.contains(&(request as u32)) && !argument.is_null());
    match socket.map(|socket| moved::ioctl(socket, request as u32)) {
        Some(Outcome::Done(result)) => tell(result.map(|number| {
            // SAFETY: these requests write an int to their argument, by the caller's promise.
            unsafe { argument.cast::<c_int>().write_unaligned(number) };
            0
        })),
        // SAFETY: by the caller's promise.
        _ => unsafe { call(libc::SYS_ioctl, [settled(fd), request as usize, argument as usize, 0, 0]) },
    }
}
