//! Another process's descriptors and memory.

use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// PIDFD_THREAD: the descriptor is of the thread (Linux 6.9).
const PIDFD_THREAD: u32 = libc::O_EXCL as u32;
/// Threads remembered; all are forgotten when there are more.
const REMEMBERED: usize = 4096;

/// How to reach a thread's descriptors.
#[derive(Clone)]
pub struct Handle {
    pidfd: Arc<OwnedFd>,
    /// Set where the pidfd is of the process and says nothing about the thread: the process.
    process: Option<Pid>,
}

impl Handle {
    /// Readable once the process has ended.
    #[must_use]
    pub fn pidfd(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }
}

/// Handles of the threads seen so far: opening one is a system call that need not be made each time.
#[derive(Default)]
pub struct Handles {
    known: Mutex<HashMap<u32, Handle>>,
}

impl Handles {
    /// A thread's handle. The thread must be waiting for us; its number may have been another's before.
    ///
    /// # Errors
    /// ESRCH when it has ended.
    pub fn of(&self, thread: u32) -> Result<Handle, Errno> {
        if let Some(handle) = self.lock().get(&thread)
            && belongs(thread, handle)
        {
            return Ok(handle.clone());
        }
        let handle = open(thread)?;
        let mut known = self.lock();
        if known.len() >= REMEMBERED {
            known.clear();
        }
        known.insert(thread, handle.clone());
        Ok(handle)
    }

    /// Our own copy of a thread's descriptor.
    ///
    /// # Errors
    /// EBADF when it has no such descriptor; ESRCH when it has ended.
    pub fn descriptor(&self, thread: u32, fd: u32) -> Result<OwnedFd, Errno> {
        let fetch = |handle: &Handle| pidfd_getfd(handle.pidfd(), fd as i32, PidfdGetfdFlags::empty());
        match fetch(&self.of(thread)?) {
            // The handle is of a process that had this number before.
            Err(Errno::SRCH) => {
                self.lock().remove(&thread);
                fetch(&self.of(thread)?)
            }
            fetched => fetched,
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<u32, Handle>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether the thread is still one of the process its handle is of. A handle of a thread, or of a process by its first
/// thread, needs no such look: it dies with it.
fn belongs(thread: u32, handle: &Handle) -> bool {
    let Some(process) = handle.process else { return true };
    // SAFETY: no pointers; signal 0 is not delivered.
    unsafe { libc::syscall(libc::SYS_tgkill, process.as_raw_nonzero().get(), thread, 0) == 0 }
}

fn open(thread: u32) -> Result<Handle, Errno> {
    let pid = Pid::from_raw(thread as i32).ok_or(Errno::SRCH)?;
    for flags in [PidfdFlags::from_bits_retain(PIDFD_THREAD), PidfdFlags::empty()] {
        match pidfd_open(pid, flags) {
            Ok(pidfd) => return Ok(Handle { pidfd: Arc::new(pidfd), process: None }),
            // Not known to this kernel, or not the first thread of its process.
            Err(Errno::INVAL | Errno::NOENT) => {}
            Err(error) => return Err(error),
        }
    }
    let process = status_field(thread, "Tgid:").and_then(|field| field.parse().ok()).and_then(Pid::from_raw);
    let process = process.ok_or(Errno::SRCH)?;
    Ok(Handle { pidfd: Arc::new(pidfd_open(process, PidfdFlags::empty())?), process: Some(process) })
}

/// A field of /proc/THREAD/status.
#[must_use]
pub fn status_field(thread: u32, name: &str) -> Option<String> {
    field(&status(thread)?, name).map(str::to_owned)
}

fn status(thread: u32) -> Option<String> {
    std::fs::read_to_string(format!("/proc/{thread}/status")).ok()
}

fn field<'status>(status: &'status str, name: &str) -> Option<&'status str> {
    status.lines().find_map(|line| line.strip_prefix(name)).map(str::trim)
}

/// A signal that waits to be handled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pending {
    /// By this thread, for certain.
    Here,
    /// By this thread or another of its process.
    Somewhere,
}

/// Whether a signal waits for a thread that can take none while its call is being answered.
#[must_use]
pub fn pending_signal(thread: u32) -> Option<Pending> {
    pending(thread, &status(thread)?)
}

/// Masks as in proc(5). The kernel gives a process's signals to its first thread, if that does not block them.
fn pending(thread: u32, status: &str) -> Option<Pending> {
    let mask = |name| u64::from_str_radix(field(status, name)?, 16).ok();
    let (own, shared, blocked) = (mask("SigPnd:")?, mask("ShdPnd:")?, mask("SigBlk:")?);
    let is_first = field(status, "Tgid:") == Some(thread.to_string().as_str());
    match (own & !blocked != 0, shared & !blocked != 0) {
        (true, _) => Some(Pending::Here),
        (false, true) if is_first => Some(Pending::Here),
        (false, true) => Some(Pending::Somewhere),
        (false, false) => None,
    }
}

/// Reads a thread's memory.
///
/// # Errors
/// EFAULT when there is less.
pub fn read(thread: u32, at: u64, into: &mut [u8]) -> Result<(), Errno> {
    let ours = libc::iovec { iov_base: into.as_mut_ptr().cast(), iov_len: into.len() };
    let theirs = libc::iovec { iov_base: at as *mut _, iov_len: into.len() };
    // SAFETY: writes only into the slice; the far address is checked by the kernel.
    let read = unsafe { libc::process_vm_readv(thread as i32, &raw const ours, 1, &raw const theirs, 1, 0) };
    if read == into.len() as isize { Ok(()) } else { Err(Errno::FAULT) }
}

/// Writes pieces into a thread's memory, in one system call.
///
/// # Errors
/// EFAULT when one does not fit.
pub fn write<const N: usize>(thread: u32, pieces: [(u64, &[u8]); N]) -> Result<(), Errno> {
    let ours =
        pieces.map(|(_, bytes)| libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() });
    let theirs = pieces.map(|(at, bytes)| libc::iovec { iov_base: at as *mut _, iov_len: bytes.len() });
    let (ours_at, theirs_at) = (ours.as_ptr(), theirs.as_ptr());
    // SAFETY: only reads the slices; the far addresses are checked by the kernel.
    let written = unsafe { libc::process_vm_writev(thread as i32, ours_at, N as u64, theirs_at, N as u64, 0) };
    let whole: usize = pieces.iter().map(|(_, bytes)| bytes.len()).sum();
    if written == whole as isize { Ok(()) } else { Err(Errno::FAULT) }
}

#[cfg(test)]
mod tests {
    use super::{Handles, Pending, pending, pending_signal, read, write};
    use rustix::event::{EventfdFlags, eventfd};
    use rustix::fd::AsRawFd;
    use rustix::io::Errno;

    fn own_thread() -> u32 {
        rustix::thread::gettid().as_raw_nonzero().get() as u32
    }

    #[test]
    fn a_thread_s_descriptors_are_reached_again_and_again() {
        // Tests run in threads that are not their process's first, so this is the long way on older kernels.
        let handles = Handles::default();
        let watched = eventfd(7, EventfdFlags::CLOEXEC).unwrap();
        for _ in 0..3 {
            let copy = handles.descriptor(own_thread(), watched.as_raw_fd() as u32).unwrap();
            assert_ne!(copy.as_raw_fd(), watched.as_raw_fd());
        }
        assert_eq!(handles.descriptor(own_thread(), 999_999).err(), Some(Errno::BADF));
        assert!(handles.of(u32::MAX / 2).is_err());
    }

    #[test]
    fn memory_is_read_and_written_or_refused() {
        let (mut number, mut text) = (0u32, [0u8; 4]);
        let (number_at, text_at) = (&raw mut number as u64, &raw mut text as u64);
        assert_eq!(write(own_thread(), [(number_at, &5u32.to_ne_bytes()[..]), (text_at, b"abcd")]), Ok(()));
        assert_eq!((number, text), (5, *b"abcd"));
        let mut back = [0; 4];
        assert_eq!(read(own_thread(), text_at, &mut back), Ok(()));
        assert_eq!(&back, b"abcd");
        assert_eq!(read(own_thread(), 16, &mut back), Err(Errno::FAULT));
        assert_eq!(write(own_thread(), [(16, &back[..])]), Err(Errno::FAULT));
    }

    #[test]
    fn signals_wait_where_they_can_be_handled() {
        let status = |own: u64, shared: u64, blocked: u64| {
            format!("Tgid:\t7\nPid:\t9\nSigPnd:\t{own:016x}\nShdPnd:\t{shared:016x}\nSigBlk:\t{blocked:016x}\n")
        };
        assert_eq!(pending(9, &status(0, 0, 0)), None);
        assert_eq!(pending(9, &status(0x200, 0, 0)), Some(Pending::Here));
        assert_eq!(pending(9, &status(0, 0x4000, 0)), Some(Pending::Somewhere));
        assert_eq!(pending(7, &status(0, 0x4000, 0)), Some(Pending::Here));
        assert_eq!(pending(7, &status(0x200, 0x4000, 0x4200)), None);
        assert_eq!(pending_signal(own_thread()), None);
    }
}
