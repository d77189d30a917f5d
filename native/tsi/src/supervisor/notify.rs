//! The kernel's side of seccomp user notification: the filter's installation, and what its listener says and takes.

use crate::filter::Instruction;
use rustix::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use rustix::io::Errno;

/// SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP: who asks and who answers change places on one CPU (Linux 6.6).
const SYNC_WAKE_UP: u64 = 1;

/// ERESTARTSYS: the kernel's own word, which programs see only if no signal is pending (include/linux/errno.h).
const RESTART: i32 = 512;

/// Installs a filter in the calling thread and returns its listener. From when a call is received until it is answered only
/// signals that kill take its caller away (WAIT_KILLABLE_RECV, Linux 5.19): what is written to a caller's memory must not
/// reach a stack that it uses for something else by then.
///
/// # Errors
/// EBUSY when the thread is already supervised.
pub fn install(program: &[Instruction]) -> Result<OwnedFd, Errno> {
    match install_once(program) {
        // Without the right to filter set-user-id programs, they must lose their bit.
        Err(Errno::ACCESS) => {
            rustix::thread::set_no_new_privs(true)?;
            install_once(program)
        }
        installed => installed,
    }
}

fn install_once(program: &[Instruction]) -> Result<OwnedFd, Errno> {
    let native = libc::sock_fprog {
        len: program.len() as u16,
        // Instruction is struct sock_filter.
        filter: program.as_ptr().cast_mut().cast(),
    };
    let mode = libc::SECCOMP_SET_MODE_FILTER;
    let flag = libc::SECCOMP_FILTER_FLAG_NEW_LISTENER | libc::SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;
    // SAFETY: the kernel copies `len` instructions from the slice, which lives through the call, and changes none.
    let fd = unsafe { libc::syscall(libc::SYS_seccomp, mode, flag, &raw const native) };
    if fd < 0 {
        return Err(last_error());
    }
    // SAFETY: the kernel just made this descriptor for us.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as RawFd) })
}

fn last_error() -> Errno {
    Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::IO)
}

/// A system call that waits for its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Notification {
    /// Names it towards the kernel.
    pub id: u64,
    /// The calling thread.
    pub thread: u32,
    /// System call.
    pub number: u32,
    /// Its arguments.
    pub arguments: [u64; 6],
}

impl Notification {
    /// An argument the kernel takes as an int.
    #[must_use]
    pub fn int(&self, at: usize) -> u32 {
        self.arguments[at] as u32
    }
}

/// The descriptor system calls are announced on.
pub struct Listener(OwnedFd);

impl Listener {
    /// Takes the descriptor over.
    #[must_use]
    pub fn new(fd: OwnedFd) -> Self {
        let listener = Self(fd);
        // SAFETY: this ioctl takes its argument by value. Older kernels refuse it, and are slower then.
        unsafe { libc::ioctl(listener.raw(), libc::SECCOMP_IOCTL_NOTIF_SET_FLAGS as _, SYNC_WAKE_UP) };
        listener
    }

    fn raw(&self) -> RawFd {
        self.0.as_raw_fd()
    }

    /// Waits for the next system call.
    ///
    /// # Errors
    /// ENOENT when its thread was interrupted before we looked; EINTR.
    pub fn receive(&self) -> Result<Notification, Errno> {
        // SAFETY: all fields are integers, and the kernel wants zeros.
        let mut raw: libc::seccomp_notif = unsafe { std::mem::zeroed() };
        // SAFETY: the kernel writes one struct seccomp_notif.
        if unsafe { libc::ioctl(self.raw(), libc::SECCOMP_IOCTL_NOTIF_RECV as _, &raw mut raw) } < 0 {
            return Err(last_error());
        }
        Ok(Notification { id: raw.id, thread: raw.pid, number: raw.data.nr as u32, arguments: raw.data.args })
    }

    /// Answers with a result.
    ///
    /// # Errors
    /// ENOENT when nobody waits any more.
    pub fn answer(&self, id: u64, result: Result<i64, Errno>) -> Result<(), Errno> {
        let (val, error) = match result {
            Ok(value) => (value, 0),
            Err(error) => (0, -error.raw_os_error()),
        };
        self.send(libc::seccomp_notif_resp { id, val, error, flags: 0 })
    }

    /// Lets a caller handle its signal, and then call again or fail with EINTR, as the signal's handler wants.
    ///
    /// # Errors
    /// ENOENT when nobody waits any more.
    pub fn interrupt(&self, id: u64) -> Result<(), Errno> {
        self.send(libc::seccomp_notif_resp { id, val: 0, error: -RESTART, flags: 0 })
    }

    /// Lets the kernel make the call as it is.
    ///
    /// The program may have changed its arguments since we saw them, and the kernel will act on the new ones. That is as
    /// without a supervisor: what is moved here is moved for speed, and guards nothing.
    ///
    /// # Errors
    /// ENOENT when nobody waits any more.
    pub fn proceed(&self, id: u64) -> Result<(), Errno> {
        let flags = libc::SECCOMP_USER_NOTIF_FLAG_CONTINUE as u32;
        self.send(libc::seccomp_notif_resp { id, val: 0, error: 0, flags })
    }

    fn send(&self, mut answer: libc::seccomp_notif_resp) -> Result<(), Errno> {
        // SAFETY: the kernel reads one struct seccomp_notif_resp.
        match unsafe { libc::ioctl(self.raw(), libc::SECCOMP_IOCTL_NOTIF_SEND as _, &raw mut answer) } {
            0 => Ok(()),
            _ => Err(last_error()),
        }
    }

    /// Gives the caller a descriptor and answers with its number, in one.
    ///
    /// # Errors
    /// ENOENT when nobody waits any more; EMFILE when the caller has no number left.
    pub fn answer_with(&self, id: u64, fd: BorrowedFd<'_>, close_on_exec: bool) -> Result<(), Errno> {
        self.add(id, fd, libc::SECCOMP_ADDFD_FLAG_SEND, 0, close_on_exec)
    }

    /// Puts a descriptor in place of the caller's descriptor `at`. The caller still waits.
    ///
    /// # Errors
    /// ENOENT when nobody waits any more.
    pub fn replace(&self, id: u64, fd: BorrowedFd<'_>, at: u32, close_on_exec: bool) -> Result<(), Errno> {
        self.add(id, fd, libc::SECCOMP_ADDFD_FLAG_SETFD, at, close_on_exec)
    }

    fn add(&self, id: u64, fd: BorrowedFd<'_>, flag: libc::c_ulong, at: u32, close_on_exec: bool) -> Result<(), Errno> {
        let newfd_flags = if close_on_exec { libc::O_CLOEXEC as u32 } else { 0 };
        let srcfd = fd.as_raw_fd() as u32;
        let added = libc::seccomp_notif_addfd { id, flags: flag as u32, srcfd, newfd: at, newfd_flags };
        // SAFETY: the kernel reads one struct seccomp_notif_addfd.
        match unsafe { libc::ioctl(self.raw(), libc::SECCOMP_IOCTL_NOTIF_ADDFD as _, &raw const added) } {
            0.. => Ok(()),
            _ => Err(last_error()),
        }
    }

    /// Whether the caller still waits.
    #[must_use]
    pub fn is_waiting(&self, id: u64) -> bool {
        // SAFETY: the kernel reads one u64.
        unsafe { libc::ioctl(self.raw(), libc::SECCOMP_IOCTL_NOTIF_ID_VALID as _, &raw const id) == 0 }
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
