//! Three processes: one in front that passes signals in and the end out, the supervisor, and the program as its child.
//!
//! The one in front may end with the program while the supervisor still serves what the program left running. The
//! supervisor is the program's parent, as kernels with Yama demand of who looks into a process. Each takes the program
//! with it when it is killed.

#![forbid(unsafe_code)]

use super::message::{Ended, Message};
use super::notify::{self, Listener};
use super::{Supervisor, front, signals};
use crate::address::Pod;
use crate::architecture::NATIVE;
use crate::hello;
use crate::{filter, options, socket};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fd::{AsFd, AsRawFd, OwnedFd};
use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags, Signal, kill_process, pidfd_getfd, pidfd_open};
use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

/// Exit codes by a shell's custom: cannot be run, cannot be found.
const NOT_RUN: i32 = 126;
const NOT_FOUND: i32 = 127;
/// In place of a listener's number: another supervisor has this process already, and serves it as well.
const ALREADY_SUPERVISED: i32 = -1;

/// Libraries the dynamic linker loads first.
const PRELOAD: &str = "LD_PRELOAD";

/// Why nothing ran.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    /// The kernel refused something it never should.
    #[error("{0}: {1}")]
    System(&'static str, Errno),
}

impl LaunchError {
    pub(super) fn system(call: &'static str) -> impl Fn(Errno) -> Self {
        move |error| Self::System(call, error)
    }
}

/// What runs, and where.
struct Start {
    program: Vec<OsString>,
    pod: Pod,
    /// A library for dynamic programs.
    preload: Option<PathBuf>,
}

impl Start {
    /// What runs, ready for exec.
    fn command(&self) -> Command {
        let mut command = Command::new(&self.program[0]);
        command.args(&self.program[1..]).env(hello::POD_VARIABLE, hello::to_variable(self.pod));
        if let Some(library) = &self.preload {
            let others = std::env::var_os(PRELOAD).filter(|others| !others.is_empty());
            let all = others.into_iter().fold(library.clone().into_os_string(), |mut all, others| {
                all.push(":");
                all.push(others);
                all
            });
            command.env(PRELOAD, all);
        }
        command
    }
}

/// Runs a program under supervision, and returns this process's exit code. Must be called with one thread.
///
/// # Errors
/// When processes cannot be made.
pub fn run(program: &[OsString], pod: Pod, preload: Option<PathBuf>) -> Result<i32, LaunchError> {
    let start = Start { program: program.to_vec(), pod, preload };
    let (messages, tell) = pipe()?;
    if signals::fork().map_err(LaunchError::system("fork"))?.is_none() {
        drop(messages);
        std::process::exit(match supervise(&start, &tell) {
            Ok(()) => 0,
            Err(error) => complain(&error),
        });
    }
    drop(tell);
    Ok(match front::stand_for(&messages)? {
        Ended::Exited(code) => code,
        Ended::Killed(signal) => signals::end_by(signal),
    })
}

fn complain(error: &dyn std::fmt::Display) -> i32 {
    eprintln!("dpb-tsi: {error}");
    NOT_RUN
}

fn pipe() -> Result<(OwnedFd, OwnedFd), LaunchError> {
    pipe_with(PipeFlags::CLOEXEC).map_err(LaunchError::system("pipe2"))
}

/// The supervisor's process.
fn supervise(start: &Start, tell: &OwnedFd) -> Result<(), LaunchError> {
    let (child, listener) = launch(start)?;
    signals::block();
    signals::release_streams().map_err(LaunchError::system("open /dev/null"))?;
    rustix::io::write(tell, &Message::Started(child).to_bytes()).map_err(LaunchError::system("write"))?;
    let supervisor = listener.map(|listener| Supervisor::new(listener, start.pod));
    if let Some(supervisor) = &supervisor
        && supervisor.start().is_err()
    {
        let _ended = kill_process(child, Signal::KILL);
    }
    wait_for_end(child, tell)?;
    let ended = Ended::wait(child);
    // The one in front may be gone.
    let _unheard = rustix::io::write(tell, &Message::Ended(ended).to_bytes());
    if let Some(supervisor) = &supervisor {
        wait_for_last(&supervisor.listener);
    }
    Ok(())
}

/// Forks the program. It waits between filter and exec until its listener was fetched.
fn launch(start: &Start) -> Result<(Pid, Option<Listener>), LaunchError> {
    let (number, tell_number) = pipe()?;
    let (go, tell_go) = pipe()?;
    let Some(child) = signals::fork().map_err(LaunchError::system("fork"))? else {
        drop((number, tell_go));
        std::process::exit(become_program(start, &tell_number, &go));
    };
    drop((tell_number, go));
    let mut bytes = [0; 4];
    if rustix::io::read(&number, &mut bytes) != Ok(bytes.len()) {
        // It said why, and ends.
        return Ok((child, None));
    }
    let listener = match i32::from_ne_bytes(bytes) {
        ALREADY_SUPERVISED => None,
        fd => Some(Listener::new(fetch(child, fd)?)),
    };
    rustix::io::write(&tell_go, b"g").map_err(LaunchError::system("write"))?;
    Ok((child, listener))
}

fn fetch(child: Pid, fd: i32) -> Result<OwnedFd, LaunchError> {
    let pidfd = pidfd_open(child, PidfdFlags::empty()).map_err(LaunchError::system("pidfd_open"))?;
    pidfd_getfd(&pidfd, fd, PidfdGetfdFlags::empty()).map_err(LaunchError::system("pidfd_getfd"))
}

/// In the program's process. Returns an exit code if there is no program.
fn become_program(start: &Start, tell_number: &OwnedFd, go: &OwnedFd) -> i32 {
    let _never_fails = rustix::process::set_parent_process_death_signal(Some(Signal::KILL));
    let rules = filter::rules(&NATIVE, &socket::refused_options(&options::SET_OF_SOCKET));
    let listener = match notify::install(&filter::assemble(&NATIVE, &rules)) {
        Ok(listener) => Some(listener),
        Err(Errno::BUSY) => None,
        Err(error) => return complain(&format_args!("seccomp: {error}; the kernel needs CONFIG_SECCOMP_FILTER")),
    };
    let number = listener.as_ref().map_or(ALREADY_SUPERVISED, AsRawFd::as_raw_fd);
    // Nobody to say go: the supervisor is gone.
    if rustix::io::write(tell_number, &number.to_ne_bytes()).is_err() || rustix::io::read(go, &mut [0; 1]) != Ok(1) {
        return NOT_RUN;
    }
    let failed = start.command().exec();
    eprintln!("dpb-tsi: {}: {failed}", start.program[0].display());
    if failed.kind() == std::io::ErrorKind::NotFound { NOT_FOUND } else { NOT_RUN }
}

/// Returns when the program has ended. Kills it when the process in front was killed.
fn wait_for_end(child: Pid, tell: &OwnedFd) -> Result<(), LaunchError> {
    let pidfd = pidfd_open(child, PidfdFlags::empty()).map_err(LaunchError::system("pidfd_open"))?;
    // Of the pipe nothing is asked; that nobody reads it any more is told always.
    let mut fds = [PollFd::new(&pidfd, PollFlags::IN), PollFd::new(tell, PollFlags::empty())];
    let mut watched = 2;
    loop {
        let _interrupted = poll(&mut fds[..watched], None);
        if !fds[0].revents().is_empty() {
            return Ok(());
        }
        if !fds[1].revents().is_empty() {
            let _ended = kill_process(child, Signal::KILL);
            watched = 1;
        }
    }
}

/// Returns when no process is left that could call.
fn wait_for_last(listener: &Listener) {
    let mut fds = [PollFd::from_borrowed_fd(listener.as_fd(), PollFlags::empty())];
    while fds[0].revents().is_empty() {
        let _interrupted = poll(&mut fds, None);
    }
}
