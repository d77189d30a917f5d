//! The control socket: whole messages with their descriptors, never waiting for the rest of one.

#![forbid(unsafe_code)]

use crate::breach::Breach;
use crate::control::message::{DESCRIPTORS, HEADER, LONGEST_BODY, Message, body_length};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::io::Errno;
use rustix::net::{self, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendFlags};
use std::io::IoSliceMut;
use std::mem::MaybeUninit;

/// One front end's control socket.
#[derive(Debug)]
pub struct Channel {
    socket: OwnedFd,
    bytes: Vec<u8>,
    descriptors: Vec<OwnedFd>,
}

impl Channel {
    /// Speaks over a connected socket.
    #[must_use]
    pub fn new(socket: OwnedFd) -> Self {
        Self { socket, bytes: Vec::new(), descriptors: Vec::new() }
    }

    /// The next message, if all of it is there.
    ///
    /// # Errors
    /// When the front end has gone, or sends what is no message.
    pub fn receive(&mut self) -> Result<Option<Message>, Breach> {
        loop {
            let whole = match self.bytes.first_chunk::<HEADER>() {
                None => HEADER,
                Some(header) => HEADER + body_length(header),
            };
            if whole > HEADER + LONGEST_BODY {
                let request = self.bytes[0].into();
                return Err(Breach::Message {
                    request,
                    what: format!("a body of {} bytes is too long", whole - HEADER),
                });
            }
            if self.bytes.len() == whole && whole >= HEADER && (whole > HEADER || self.has_header()) {
                return Ok(Some(self.take()));
            }
            if !self.fill(whole)? {
                return Ok(None);
            }
        }
    }

    /// Sends an answer; the socket takes it at once, or the front end does not read its answers.
    ///
    /// # Errors
    /// When the socket does not take it.
    pub fn send(&self, answer: &[u8]) -> Result<(), Breach> {
        let sent = net::send(&self.socket, answer, SendFlags::NOSIGNAL | SendFlags::DONTWAIT);
        match sent.map_err(|errno| Breach::Control(errno.into()))? {
            length if length == answer.len() => Ok(()),
            _ => Err(Breach::Control(Errno::MSGSIZE.into())),
        }
    }

    fn has_header(&self) -> bool {
        self.bytes.first_chunk::<HEADER>().is_some_and(|header| body_length(header) == 0)
    }

    fn take(&mut self) -> Message {
        let bytes = std::mem::take(&mut self.bytes);
        let (header, body) = bytes.split_first_chunk().expect("a message has a header");
        Message::new(header, body.to_vec(), std::mem::take(&mut self.descriptors))
    }

    /// Receives up to a length in all; false if there is nothing now.
    fn fill(&mut self, whole: usize) -> Result<bool, Breach> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let had = self.bytes.len();
        self.bytes.resize(whole, 0);
        let flags = RecvFlags::DONTWAIT | RecvFlags::CMSG_CLOEXEC;
        let result = net::recvmsg(&self.socket, &mut [IoSliceMut::new(&mut self.bytes[had..])], &mut ancillary, flags);
        let received = result.as_ref().map_or(0, |message| message.bytes);
        self.bytes.truncate(had + received);
        for message in ancillary.drain() {
            if let RecvAncillaryMessage::ScmRights(descriptors) = message {
                self.descriptors.extend(descriptors);
            }
        }
        match result {
            Ok(_) if received == 0 => Err(Breach::Gone),
            Ok(_) if self.descriptors.len() > DESCRIPTORS => Err(Breach::Control(Errno::TOOMANYREFS.into())),
            Ok(_) | Err(Errno::INTR) => Ok(true),
            Err(Errno::AGAIN) => Ok(false),
            Err(Errno::CONNRESET) => Err(Breach::Gone),
            Err(errno) => Err(Breach::Control(errno.into())),
        }
    }
}

impl AsFd for Channel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::message::{answer, request};
    use std::io::Write;
    use std::os::unix::net::UnixStream;

    fn pair() -> (Channel, UnixStream) {
        let (near, far) = UnixStream::pair().unwrap();
        (Channel::new(near.into()), far)
    }

    #[test]
    fn a_message_in_pieces_is_put_together_and_the_next_is_left_alone() {
        let (mut channel, mut far) = pair();
        assert!(channel.receive().unwrap().is_none());
        let mut bytes = answer(request::SET_FEATURES, &7_u64.to_ne_bytes());
        bytes.extend(answer(request::SET_OWNER, &[]));
        far.write_all(&bytes[..5]).unwrap();
        assert!(channel.receive().unwrap().is_none());
        far.write_all(&bytes[5..15]).unwrap();
        assert!(channel.receive().unwrap().is_none());
        far.write_all(&bytes[15..]).unwrap();
        let message = channel.receive().unwrap().unwrap();
        assert_eq!((message.request, message.u64(0).unwrap()), (request::SET_FEATURES, 7));
        assert!(message.u64(1).is_err());
        assert_eq!(channel.receive().unwrap().unwrap().request, request::SET_OWNER);
        drop(far);
        assert!(matches!(channel.receive(), Err(Breach::Gone)));
    }

    #[test]
    fn a_body_beyond_all_messages_is_refused_before_it_is_read() {
        let (mut channel, mut far) = pair();
        let mut header = answer(request::SET_FEATURES, &[]);
        header[8..].copy_from_slice(&u32::MAX.to_ne_bytes());
        far.write_all(&header).unwrap();
        assert!(channel.receive().unwrap_err().to_string().contains("too long"));
    }
}
