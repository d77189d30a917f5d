//! Memory that a front end cuts off while it is used, and interrupts that do not return: what would end or stop this
//! process, and with it the other guests, ends the one guest instead.
//!
//! The front end shares its memory as a file and its interrupt as a descriptor, and may shorten the one (where it
//! cannot be sealed) and make the other blocking at any time. It is the guest itself on User Mode Linux.

use std::io;
use std::sync::Once;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Regions of all guests of a process.
const REGIONS: usize = 1024;
/// How long an interrupt may take: a write that has not returned by the next alarm is broken off.
const ALARM_NS: libc::c_long = 20_000_000;

/// A region that the handler of SIGBUS may replace; a length of 0 is a free place.
struct Place {
    taken: AtomicBool,
    start: AtomicUsize,
    length: AtomicUsize,
    cut: AtomicBool,
}

static PLACES: [Place; REGIONS] = [const {
    Place {
        taken: AtomicBool::new(false),
        start: AtomicUsize::new(0),
        length: AtomicUsize::new(0),
        cut: AtomicBool::new(false),
    }
}; REGIONS];

/// A mapped region whose file may be cut off. Dropped before the region is unmapped.
#[derive(Debug)]
pub struct Guarded(usize);

impl Guarded {
    /// Watches over a region. `None` when there are too many.
    #[must_use]
    pub fn new(start: *const u8, length: usize) -> Option<Self> {
        install();
        let free = |place: &Place| !place.taken.swap(true, Ordering::AcqRel);
        let number = PLACES.iter().position(free)?;
        let place = &PLACES[number];
        place.start.store(start.addr(), Ordering::Release);
        place.cut.store(false, Ordering::Release);
        place.length.store(length, Ordering::Release);
        Some(Self(number))
    }

    /// Its file ended before it did when it was used.
    #[must_use]
    pub fn is_cut(&self) -> bool {
        PLACES[self.0].cut.load(Ordering::Acquire)
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        PLACES[self.0].length.store(0, Ordering::Release);
        PLACES[self.0].taken.store(false, Ordering::Release);
    }
}

fn install() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| handle(libc::SIGBUS, on_bus_error as *const () as usize, libc::SA_SIGINFO));
}

/// Alarms for the thread that made them, so that no interrupt of a guest can stop it for longer.
#[derive(Debug)]
pub struct Alarms(libc::timer_t);

impl Alarms {
    /// Silent alarms for the calling thread.
    ///
    /// # Errors
    /// As timer_create(2).
    pub fn new() -> io::Result<Self> {
        static ONCE: Once = Once::new();
        // Without SA_RESTART: the alarm is for the call that it interrupts.
        ONCE.call_once(|| handle(libc::SIGALRM, on_alarm as *const () as usize, 0));
        // SAFETY: all zero bits are a valid sigevent.
        let mut event: libc::sigevent = unsafe { std::mem::zeroed() };
        (event.sigev_notify, event.sigev_signo) = (libc::SIGEV_THREAD_ID, libc::SIGALRM);
        event.sigev_notify_thread_id = rustix::thread::gettid().as_raw_nonzero().get();
        let mut timer = std::ptr::null_mut();
        // SAFETY: both places are valid for the call, which writes the timer's name into the second.
        match unsafe { libc::timer_create(libc::CLOCK_MONOTONIC, &raw mut event, &raw mut timer) } {
            0 => Ok(Self(timer)),
            _ => Err(io::Error::last_os_error()),
        }
    }

    /// Sounds them regularly, or no more.
    ///
    /// # Errors
    /// As timer_settime(2).
    pub fn sound(&self, on: bool) -> io::Result<()> {
        let time = libc::timespec { tv_sec: 0, tv_nsec: if on { ALARM_NS } else { 0 } };
        let timer = libc::itimerspec { it_interval: time, it_value: time };
        // SAFETY: the timer lives as long as `self`; the time is read during the call alone.
        match unsafe { libc::timer_settime(self.0, 0, &raw const timer, std::ptr::null_mut()) } {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    }
}

impl Drop for Alarms {
    fn drop(&mut self) {
        // SAFETY: the timer was made by `new` and is named nowhere else.
        unsafe { libc::timer_delete(self.0) };
    }
}

fn handle(signal: libc::c_int, handler: usize, flags: libc::c_int) {
    // SAFETY: all zero bits are a valid sigaction: no flags, an empty mask.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    (action.sa_sigaction, action.sa_flags) = (handler, flags);
    // SAFETY: both handlers have the form that their flags announce, live for ever, and do only what may be done in a
    // handler: atomics and system calls.
    unsafe { libc::sigaction(signal, &raw const action, std::ptr::null_mut()) };
}

extern "C" fn on_alarm(_: libc::c_int) {}

/// Puts empty memory in the place of a guest's region that has been cut off; any other fault ends the process as ever.
extern "C" fn on_bus_error(signal: libc::c_int, info: *mut libc::siginfo_t, _: *mut libc::c_void) {
    // SAFETY: the kernel gives a valid siginfo to a handler installed with SA_SIGINFO, and SIGBUS has an address.
    let fault = unsafe { (*info).si_addr() }.addr();
    for place in &PLACES {
        let (start, length) = (place.start.load(Ordering::Acquire), place.length.load(Ordering::Acquire));
        if !(start..start + length).contains(&fault) {
            continue;
        }
        let flags = libc::MAP_FIXED | libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
        let access = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: the range is a mapping of this process that its owner keeps while the place is taken, reached by
        // volatile accesses alone; empty memory in its place keeps all of them valid.
        let mapped = unsafe { libc::mmap(std::ptr::without_provenance_mut(start), length, access, flags, -1, 0) };
        if mapped != libc::MAP_FAILED {
            place.cut.store(true, Ordering::Release);
            return;
        }
    }
    // SAFETY: the default action is always valid; the faulting instruction runs again and ends the process.
    unsafe { libc::signal(signal, libc::SIG_DFL) };
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::event::{EventfdFlags, eventfd};
    use rustix::fs::{MemfdFlags, ftruncate, memfd_create};
    use std::time::Instant;
    use vm_memory::{Bytes, FileOffset, MmapRegion, VolatileMemory};

    #[test]
    fn memory_that_is_cut_off_reads_as_empty_and_is_known_to_be_cut() {
        let file = memfd_create("guest", MemfdFlags::CLOEXEC).unwrap();
        ftruncate(&file, 1 << 16).unwrap();
        let other_end = std::fs::File::from(file.try_clone().unwrap());
        let region = MmapRegion::<()>::from_file(FileOffset::new(other_end, 0), 1 << 16).unwrap();
        let guarded = Guarded::new(region.as_ptr(), region.size()).unwrap();
        let slice = region.as_volatile_slice();
        slice.write_obj(7_u32, 0x8000).unwrap();
        assert!(slice.read_obj::<u32>(0x8000).unwrap() == 7 && !guarded.is_cut());
        ftruncate(&file, 0).unwrap();
        assert!(slice.read_obj::<u32>(0x8000).unwrap() == 0 && guarded.is_cut());
        slice.write_obj(8_u32, 0x100).unwrap();
    }

    #[test]
    fn a_write_that_blocks_is_broken_off() {
        let counter = eventfd(0, EventfdFlags::empty()).unwrap();
        rustix::io::write(&counter, &(u64::MAX - 1).to_ne_bytes()).unwrap();
        let alarms = Alarms::new().unwrap();
        alarms.sound(true).unwrap();
        let began = Instant::now();
        assert_eq!(rustix::io::write(&counter, &1_u64.to_ne_bytes()), Err(rustix::io::Errno::INTR));
        assert!(began.elapsed().as_millis() < 1000);
    }
}
