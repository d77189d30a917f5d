//! Signals, processes and standard streams, by libc where nothing safer has them.

use rustix::fd::{FromRawFd, OwnedFd};
use rustix::io::Errno;
use rustix::process::Pid;

/// Signals that are the program's: those that ask a process to end or mean what it likes.
const PASSED_ON: [i32; 8] = [
    libc::SIGHUP,
    libc::SIGINT,
    libc::SIGQUIT,
    libc::SIGTERM,
    libc::SIGUSR1,
    libc::SIGUSR2,
    libc::SIGALRM,
    libc::SIGWINCH,
];

/// A new process; None in it. Must be called with one thread.
///
/// # Errors
/// As fork(2).
pub fn fork() -> Result<Option<Pid>, Errno> {
    // SAFETY: with one thread the child may do whatever the parent might.
    match unsafe { libc::fork() } {
        0 => Ok(None),
        pid => Pid::from_raw(pid).filter(|_| pid > 0).map(Some).ok_or_else(last_error),
    }
}

fn last_error() -> Errno {
    Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::IO)
}

fn passed_on() -> libc::sigset_t {
    // SAFETY: an all-zero set is a valid set of no signals; the calls write to it alone.
    unsafe {
        let mut set = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        for signal in PASSED_ON {
            libc::sigaddset(&raw mut set, signal);
        }
        set
    }
}

/// From here on these signals are not delivered to this process; one reads them from the descriptor.
///
/// # Errors
/// As signalfd(2).
pub fn catch() -> Result<OwnedFd, Errno> {
    block();
    let set = passed_on();
    // SAFETY: the kernel reads the set, and makes a descriptor that is ours.
    unsafe {
        match libc::signalfd(-1, &raw const set, libc::SFD_CLOEXEC) {
            -1 => Err(last_error()),
            fd => Ok(OwnedFd::from_raw_fd(fd)),
        }
    }
}

/// From here on these signals do nothing to this process.
pub fn block() {
    let set = passed_on();
    // SAFETY: the kernel reads the set.
    unsafe { libc::sigprocmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut()) };
}

/// The next signal; None when it came from the terminal, which sends it to the program as well.
///
/// # Errors
/// As read(2).
pub fn next(signals: &OwnedFd) -> Result<Option<i32>, Errno> {
    let mut bytes = [0; size_of::<libc::signalfd_siginfo>()];
    rustix::io::read(signals, &mut bytes)?;
    // struct signalfd_siginfo: u32 signo, i32 errno, i32 code
    let number = |at: usize| i32::from_ne_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
    Ok((number(8) != libc::SI_KERNEL).then(|| number(0)))
}

/// Sends any signal to a child.
pub fn send(child: Pid, signal: i32) {
    // SAFETY: no pointers. The supervisor reaps the child only after it has told us of its end.
    unsafe { libc::kill(child.as_raw_nonzero().get(), signal) };
}

/// Ends this process by a signal, as the program ended; where the signal does not do that, by the shell's code for it.
pub fn end_by(signal: i32) -> i32 {
    let no_core = rustix::process::Rlimit { current: Some(0), maximum: Some(0) };
    let _as_was = rustix::process::setrlimit(rustix::process::Resource::Core, no_core);
    // SAFETY: restores the signal's own effect and lets it through; no pointers outlive the calls.
    unsafe {
        libc::signal(signal, libc::SIG_DFL);
        let mut set = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        libc::sigaddset(&raw mut set, signal);
        libc::sigprocmask(libc::SIG_UNBLOCK, &raw const set, std::ptr::null_mut());
        libc::raise(signal);
    }
    128 + signal
}

/// Lets go of the caller's streams: who reads them waits for the program's end, not for ours.
///
/// # Errors
/// When there is no /dev/null.
pub fn release_streams() -> Result<(), Errno> {
    use rustix::fs::{Mode, OFlags, open};
    let null = open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())?;
    rustix::stdio::dup2_stdin(&null)?;
    rustix::stdio::dup2_stdout(&null)?;
    rustix::stdio::dup2_stderr(&null)
}
