//! Epoll registrations of a descriptor, read from /proc and made anew for the socket that takes its place.
//!
//! An epoll instance knows a registration by file and number. So it is made by a thread with a descriptor table of its
//! own, in which the new socket has the number it has in the program.

use super::process::Handles;
use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use rustix::io::Errno;

/// One registration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Registration {
    /// The program's descriptor of the epoll instance.
    pub epoll: u32,
    /// Events asked for.
    pub events: u32,
    /// What the program wants told with them.
    pub data: u64,
}

/// Where a thread's descriptor is registered.
#[must_use]
pub fn registrations(thread: u32, fd: u32) -> Vec<Registration> {
    let Ok(entries) = std::fs::read_dir(format!("/proc/{thread}/fd")) else { return Vec::new() };
    let is_epoll =
        |path: &std::path::Path| std::fs::read_link(path).is_ok_and(|to| to.as_os_str() == "anon_inode:[eventpoll]");
    let epolls = entries.flatten().map(|entry| entry.path()).filter(|path| is_epoll(path));
    let numbers = epolls.filter_map(|path| path.file_name()?.to_str()?.parse::<u32>().ok());
    numbers
        .flat_map(|epoll| {
            let info = std::fs::read_to_string(format!("/proc/{thread}/fdinfo/{epoll}")).unwrap_or_default();
            parse(&info, epoll, fd)
        })
        .collect()
}

/// Lines like `tfd:        5 events: 8000001d data: 7f0000000005 …`, the last two in hexadecimal.
fn parse(info: &str, epoll: u32, fd: u32) -> Vec<Registration> {
    let mut found = Vec::new();
    for line in info.lines() {
        let mut words = line.split_whitespace();
        let mut field = |name: &str| (words.next() == Some(name)).then(|| words.next()).flatten();
        let (Some(target), Some(events), Some(data)) = (field("tfd:"), field("events:"), field("data:")) else {
            continue;
        };
        let numbers = (target.parse::<u32>(), u32::from_str_radix(events, 16), u64::from_str_radix(data, 16));
        if let (Ok(target), Ok(events), Ok(data)) = numbers
            && target == fd
        {
            found.push(Registration { epoll, events, data });
        }
    }
    found
}

/// Registers `socket`, which is `fd` in the thread's process, as another was.
///
/// # Errors
/// When no thread can be started, or the program's epoll instance is gone.
pub fn register(
    handles: &Handles,
    thread: u32,
    fd: u32,
    socket: BorrowedFd<'_>,
    registrations: &[Registration],
) -> Result<(), Errno> {
    for registration in registrations {
        let epoll = handles.descriptor(thread, registration.epoll)?;
        let apart = || register_apart(&epoll, socket, fd, registration);
        std::thread::scope(|scope| scope.spawn(apart).join().unwrap_or(Err(Errno::IO)))?;
    }
    Ok(())
}

fn register_apart(epoll: &OwnedFd, socket: BorrowedFd<'_>, fd: u32, registration: &Registration) -> Result<(), Errno> {
    // SAFETY: gives this thread a copy of the descriptor table. It ends with the thread, which only uses the two
    // descriptors it borrowed, both open in the copy.
    if unsafe { libc::unshare(libc::CLONE_FILES) } != 0 {
        return Err(Errno::NOBUFS);
    }
    // Where the number is taken by the epoll instance itself, that one moves out of the way.
    let moved = rustix::io::fcntl_dupfd_cloexec(epoll, fd as i32 + 1)?;
    // SAFETY: in this thread's table nobody else uses the number; only the socket just put there is known by it below.
    let mut numbered = std::mem::ManuallyDrop::new(unsafe { OwnedFd::from_raw_fd(fd as i32) });
    if socket.as_raw_fd() != fd as i32 {
        rustix::io::dup2(socket, &mut numbered)?;
    }
    let events = EventFlags::from_bits_retain(registration.events);
    epoll::add(&moved, &*numbered, EventData::new_u64(registration.data), events)
}

#[cfg(test)]
mod tests {
    use super::{Registration, parse};

    #[test]
    fn reads_the_kernels_lines() {
        let info = "pos:\t0\nflags:\t02000002\nmnt_id:\t16\nino:\t1061\n\
            tfd:        7 events: 8000201d data: 7f12aab9  pos:0 ino:8f sdev:8\n\
            tfd:        5 events:       19 data: ffffffffffffffff  pos:0 ino:90 sdev:8\n";
        assert_eq!(parse(info, 3, 5), [Registration { epoll: 3, events: 0x19, data: u64::MAX }]);
        assert_eq!(parse(info, 3, 7), [Registration { epoll: 3, events: 0x8000_201d, data: 0x7f12_aab9 }]);
        assert_eq!(parse(info, 3, 6), []);
    }
}
