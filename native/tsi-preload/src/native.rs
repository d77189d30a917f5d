//! The edge to C: system calls as libc makes them, `errno`, and the memory C callers point to.

use rustix::fd::BorrowedFd;
use rustix::io::Errno;
use std::ffi::{c_int, c_long, c_void};

/// Makes a system call as libc's function of that name does: -1 and `errno` if it fails.
///
/// # Safety
/// As the system call.
pub unsafe fn call(number: c_long, arguments: [usize; 5]) -> c_int {
    // SAFETY: by the caller's promise.
    unsafe { libc::syscall(number, arguments[0], arguments[1], arguments[2], arguments[3], arguments[4]) as c_int }
}

/// A result as C tells it.
pub fn tell(result: Result<c_int, Errno>) -> c_int {
    result.unwrap_or_else(|error| {
        // SAFETY: libc keeps errno at this address for the life of the thread.
        unsafe { *libc::__errno_location() = error.raw_os_error() };
        -1
    })
}

/// A C caller's descriptor, for the length of its call; None if it cannot be one.
pub fn borrow<'call>(fd: c_int) -> Option<BorrowedFd<'call>> {
    // SAFETY: used only for system calls while the C caller, who owns the descriptor, waits for us; that it may not be
    // open is what those then say.
    (fd >= 0).then(|| unsafe { BorrowedFd::borrow_raw(fd) })
}

/// A C caller's bytes; None for a null pointer.
///
/// # Safety
/// `at` must be null or point to `length` readable bytes that live through the caller's call.
pub unsafe fn bytes<'call>(at: *const c_void, length: usize) -> Option<&'call [u8]> {
    // SAFETY: by the caller's promise.
    (!at.is_null()).then(|| unsafe { std::slice::from_raw_parts(at.cast(), length) })
}

/// Writes to a C caller's buffer, whose length it gave by reference; returns how much was written.
///
/// # Safety
/// `length_at` must be null or valid, and `at` point to so many writable bytes.
pub unsafe fn give(at: *mut c_void, length_at: *mut libc::socklen_t, from: &[u8]) -> Result<libc::socklen_t, Errno> {
    if at.is_null() || length_at.is_null() {
        return Err(Errno::FAULT);
    }
    // SAFETY: by the caller's promise.
    let room = unsafe { *length_at };
    if room > i32::MAX as u32 {
        return Err(Errno::INVAL);
    }
    let given = from.len().min(room as usize);
    // SAFETY: by the caller's promise there is room for so many bytes, and ours cannot overlap them.
    unsafe { std::ptr::copy_nonoverlapping(from.as_ptr(), at.cast(), given) };
    Ok(given as libc::socklen_t)
}
