//! The process in front: what its caller sees of the program.

#![forbid(unsafe_code)]

use super::LaunchError;
use super::message::{Ended, LENGTH, Message};
use super::signals;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fd::OwnedFd;
use rustix::process::Pid;

/// Passes signals to the program until the supervisor tells its end.
///
/// # Errors
/// When the kernel refuses what it never should.
pub fn stand_for(messages: &OwnedFd) -> Result<Ended, LaunchError> {
    let caught = signals::catch().map_err(LaunchError::system("signalfd"))?;
    let mut program = None;
    loop {
        let mut fds = [PollFd::new(messages, PollFlags::IN), PollFd::new(&caught, PollFlags::IN)];
        // A signal waits in its descriptor until there is somebody to send it to.
        let watched = if program.is_some() { 2 } else { 1 };
        let _interrupted = poll(&mut fds[..watched], None);
        if !fds[0].revents().is_empty() {
            match next(messages)? {
                Some(Message::Started(pid)) => program = Some(pid),
                Some(Message::Ended(ended)) => return Ok(ended),
                // The supervisor was killed, and its program with it.
                None => return Ok(Ended::Killed(libc::SIGKILL)),
            }
        } else if !fds[1].revents().is_empty() {
            pass_on(&caught, program)?;
        }
    }
}

fn pass_on(caught: &OwnedFd, program: Option<Pid>) -> Result<(), LaunchError> {
    let signal = signals::next(caught).map_err(LaunchError::system("read"))?;
    if let (Some(program), Some(signal)) = (program, signal) {
        signals::send(program, signal);
    }
    Ok(())
}

fn next(messages: &OwnedFd) -> Result<Option<Message>, LaunchError> {
    let mut bytes = [0; LENGTH];
    // A pipe keeps so short a message whole.
    let length = rustix::io::read(messages, &mut bytes).map_err(LaunchError::system("read"))?;
    Ok((length == LENGTH).then(|| Message::from_bytes(bytes)).flatten())
}
