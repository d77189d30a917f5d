//! File systems of a guest whose root is the host's, read-only: everything that a program may write to is memory.

#![forbid(unsafe_code)]

use crate::config::Share;
use rustix::fs::{FileType, Mode, makedev, mknodat};
use rustix::mount::{MountFlags, mount};
use std::ffi::CString;
use std::path::Path;

/// Something that could not be mounted.
#[derive(Debug, thiserror::Error)]
#[error("mounting {what} on {on}: {because}")]
pub struct MountError {
    what: String,
    on: String,
    because: std::io::Error,
}

/// Character devices that programs expect, with their numbers (Linux, admin-guide/devices.txt).
const DEVICES: [(&str, u32, u32); 7] = [
    ("null", 1, 3),
    ("zero", 1, 5),
    ("full", 1, 7),
    ("random", 1, 8),
    ("urandom", 1, 9),
    ("tty", 5, 0),
    ("ptmx", 5, 2),
];

/// Major number of miscellaneous devices (Linux, admin-guide/devices.txt).
const MISC_MAJOR: u32 = 10;

/// Links that programs expect in /dev.
const LINKS: [(&str, &str); 4] = [
    ("fd", "/proc/self/fd"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
    ("stderr", "/proc/self/fd/2"),
];

/// Folders that are empty memory in the guest.
const MEMORY: [&str; 5] = ["/run", "/tmp", "/var/tmp", "/var/log", "/mnt"];

fn attach(source: &str, on: &str, file_system: &str, options: &str) -> Result<(), MountError> {
    let failed = |because| MountError { what: format!("{file_system} {source}"), on: on.to_owned(), because };
    let options = CString::new(options).map_err(|error| failed(error.into()))?;
    let flags = MountFlags::NOSUID;
    mount(source, on, file_system, flags, options.as_c_str()).map_err(|error| failed(error.into()))
}

fn memory(on: &str, mode: &str) -> Result<(), MountError> {
    attach("tmpfs", on, "tmpfs", &format!("mode={mode}"))
}

/// /proc, before anything else: a root that is the host's shows the host's processes there.
///
/// # Errors
/// Where the kernel refuses.
pub fn proc() -> Result<(), MountError> {
    attach("proc", "/proc", "proc", "")
}

/// /sys, /dev and the folders for writing.
///
/// # Errors
/// Where the kernel refuses.
pub fn rest() -> Result<(), MountError> {
    attach("sys", "/sys", "sysfs", "")?;
    devices().map_err(|because| MountError { what: "devices".into(), on: "/dev".into(), because })?;
    attach("devpts", "/dev/pts", "devpts", "mode=620,ptmxmode=666")?;
    memory("/dev/shm", "1777")?;
    MEMORY.iter().filter(|folder| Path::new(folder).is_dir()).try_for_each(|folder| memory(folder, "1777"))
}

fn device(name: &str, major: u32, minor: u32) -> std::io::Result<()> {
    let path = format!("/dev/{name}");
    let everybody = Mode::from_raw_mode(0o666);
    mknodat(rustix::fs::CWD, &path, FileType::CharacterDevice, everybody, makedev(major, minor))?;
    // mknod(2) applies the mask
    Ok(rustix::fs::chmod(&path, everybody)?)
}

/// Number of a miscellaneous device, from lines like ` 54 vsock` (proc(5), /proc/misc).
fn misc_minor(table: &str, name: &str) -> Option<u32> {
    table.lines().find_map(|line| {
        let (minor, found) = line.trim().split_once(' ')?;
        (found.trim() == name).then(|| minor.parse().ok())?
    })
}

/// A /dev of its own: a host's may hold links and names that mean nothing here.
fn devices() -> std::io::Result<()> {
    memory("/dev", "755").map_err(|error| error.because)?;
    for (name, major, minor) in DEVICES {
        device(name, major, minor)?;
    }
    // Programs ask it for the guest's own vsock address; its module has been loaded by now.
    if let Some(minor) = misc_minor(&std::fs::read_to_string("/proc/misc")?, "vsock") {
        device("vsock", MISC_MAJOR, minor)?;
    }
    for (name, to) in LINKS {
        std::os::unix::fs::symlink(to, format!("/dev/{name}"))?;
    }
    ["/dev/pts", "/dev/shm"].iter().try_for_each(std::fs::create_dir)
}

/// The folder that guest and host share, at the host's path.
///
/// # Errors
/// Where its place cannot be made or the kernel refuses.
pub fn share(share: &Share) -> Result<(), MountError> {
    let on = share.path.to_string_lossy();
    std::fs::create_dir_all(&share.path).map_err(|because| MountError {
        what: share.file_system.clone(),
        on: on.clone().into_owned(),
        because,
    })?;
    attach(&share.source, &on, &share.file_system, &share.options)
}

#[cfg(test)]
mod tests {
    use super::misc_minor;

    #[test]
    fn a_miscellaneous_device_is_found_by_its_whole_name() {
        let table = "121 vsock2\n120 vsock\n  1 psaux\n";
        assert_eq!(misc_minor(table, "vsock"), Some(120));
        assert_eq!(misc_minor(table, "psaux"), Some(1));
        assert_eq!(misc_minor(table, "sock"), None);
    }
}
