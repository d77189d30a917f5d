//! Epoll registrations of a descriptor, as /proc tells them.

#![forbid(unsafe_code)]

/// One registration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Registration {
    /// The process's descriptor of the epoll instance.
    pub epoll: u32,
    /// Events asked for.
    pub events: u32,
    /// What the program wants told with them.
    pub data: u64,
}

/// Where a descriptor is registered. `process`: a number, or `self`.
#[must_use]
pub fn registrations(process: &str, fd: u32) -> Vec<Registration> {
    let Ok(entries) = std::fs::read_dir(format!("/proc/{process}/fd")) else { return Vec::new() };
    let is_epoll =
        |path: &std::path::Path| std::fs::read_link(path).is_ok_and(|to| to.as_os_str() == "anon_inode:[eventpoll]");
    let epolls = entries.flatten().map(|entry| entry.path()).filter(|path| is_epoll(path));
    let numbers = epolls.filter_map(|path| path.file_name()?.to_str()?.parse::<u32>().ok());
    numbers
        .flat_map(|epoll| {
            let info = std::fs::read_to_string(format!("/proc/{process}/fdinfo/{epoll}")).unwrap_or_default();
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

#[cfg(test)]
mod tests {
    use super::{Registration, parse, registrations};
    use rustix::event::{EventfdFlags, epoll, eventfd};
    use rustix::fd::AsRawFd;

    #[test]
    fn reads_the_kernels_lines() {
        let info = "pos:\t0\nflags:\t02000002\nmnt_id:\t16\nino:\t1061\n\
            tfd:        7 events: 8000201d data: 7f12aab9  pos:0 ino:8f sdev:8\n\
            tfd:        5 events:       19 data: ffffffffffffffff  pos:0 ino:90 sdev:8\n";
        assert_eq!(parse(info, 3, 5), [Registration { epoll: 3, events: 0x19, data: u64::MAX }]);
        assert_eq!(parse(info, 3, 7), [Registration { epoll: 3, events: 0x8000_201d, data: 0x7f12_aab9 }]);
        assert_eq!(parse(info, 3, 6), []);
    }

    #[test]
    fn finds_what_this_kernel_says() -> Result<(), rustix::io::Errno> {
        let instance = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let watched = eventfd(0, EventfdFlags::CLOEXEC)?;
        let fd = watched.as_raw_fd() as u32;
        assert_eq!(registrations("self", fd), []);
        let events = epoll::EventFlags::IN | epoll::EventFlags::ET;
        epoll::add(&instance, &watched, epoll::EventData::new_u64(0x1_0000_0002), events)?;
        let [found] = registrations("self", fd)[..] else { panic!("one registration") };
        assert_eq!((found.epoll, found.data), (instance.as_raw_fd() as u32, 0x1_0000_0002));
        assert_eq!(found.events & events.bits(), events.bits());
        Ok(())
    }
}
