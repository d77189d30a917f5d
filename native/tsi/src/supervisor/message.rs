//! What the supervisor tells the process in front: the program's number, then how it ended.

#![forbid(unsafe_code)]

use rustix::process::{Pid, WaitOptions, waitpid};

/// Bytes of a message: a kind and a number.
pub const LENGTH: usize = 8;
const STARTED: i32 = 0;
const EXITED: i32 = 1;
const KILLED: i32 = 2;

/// How a program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// With this exit code.
    Exited(i32),
    /// By this signal.
    Killed(i32),
}

/// One message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Message {
    /// The program's process.
    Started(Pid),
    /// The program's end.
    Ended(Ended),
}

impl Ended {
    /// Waits for a child's end.
    #[must_use]
    pub fn wait(child: Pid) -> Self {
        loop {
            match waitpid(Some(child), WaitOptions::empty()) {
                Ok(Some((_, status))) => {
                    if let Some(code) = status.exit_status() {
                        return Self::Exited(code);
                    }
                    if let Some(signal) = status.terminating_signal() {
                        return Self::Killed(signal);
                    }
                }
                Ok(None) | Err(rustix::io::Errno::INTR) => {}
                // Somebody else waited for it.
                Err(_) => return Self::Exited(0),
            }
        }
    }
}

impl Message {
    /// As bytes.
    #[must_use]
    pub fn to_bytes(self) -> [u8; LENGTH] {
        let (kind, number) = match self {
            Self::Started(pid) => (STARTED, pid.as_raw_nonzero().get()),
            Self::Ended(Ended::Exited(code)) => (EXITED, code),
            Self::Ended(Ended::Killed(signal)) => (KILLED, signal),
        };
        let mut bytes = [0; LENGTH];
        bytes[..4].copy_from_slice(&kind.to_ne_bytes());
        bytes[4..].copy_from_slice(&number.to_ne_bytes());
        bytes
    }

    /// From bytes.
    #[must_use]
    pub fn from_bytes(bytes: [u8; LENGTH]) -> Option<Self> {
        let (kind, number) = bytes.split_at(4);
        let number = i32::from_ne_bytes(number.try_into().ok()?);
        match i32::from_ne_bytes(kind.try_into().ok()?) {
            STARTED => Pid::from_raw(number).map(Self::Started),
            EXITED => Some(Self::Ended(Ended::Exited(number))),
            KILLED => Some(Self::Ended(Ended::Killed(number))),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Ended, Message};

    #[test]
    fn messages_come_back() {
        let own = rustix::process::getpid();
        for message in
            [Message::Started(own), Message::Ended(Ended::Exited(255)), Message::Ended(Ended::Killed(libc::SIGKILL))]
        {
            assert_eq!(Message::from_bytes(message.to_bytes()), Some(message));
        }
        assert_eq!(Message::from_bytes([9; 8]), None);
    }
}
