//! One tunnel: the two halves of an HTTP/2 stream, and the answer that stands before them.

#![forbid(unsafe_code)]

use crate::backlog::Backlog;
use crate::proxy_v2::Announced;
use crate::table::Key;
use bytes::Bytes;
use h2::client::ResponseFuture;
use h2::server::SendResponse;
use h2::{Reason, RecvStream, SendStream};
use http::{Response, StatusCode};
use std::future::Future;
use std::net::SocketAddrV4;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

/// Who handles a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// A relay to a socket.
    Relay(Key),
    /// The caller of the library.
    Caller,
    /// Nobody yet: a request that is being looked at.
    Nobody,
    /// Nobody any more: what was written still goes out, and the peer has to end its half.
    Left,
}

/// Who opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// The pod's application.
    Outbound,
    /// A peer.
    Inbound,
}

/// What the caller of the library has been told, and waits for.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Told {
    /// The tunnel stands.
    pub opened: bool,
    /// Reading got no further.
    pub read_waits: bool,
    /// Writing got no further.
    pub write_waits: bool,
}

/// What reading gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Received {
    /// Bytes; `release` them once they are handed on.
    Data(Bytes),
    /// Nothing now; the stream is woken.
    Later,
    /// The peer's half is finished.
    Finished,
    /// Cut off.
    Reset,
}

/// Room for sending.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Room {
    /// So many bytes, at least one.
    Bytes(usize),
    /// None now; the stream is woken.
    Later,
    /// The peer takes nothing more.
    Broken,
}

/// The answer to an opening.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Not yet; the stream is woken.
    Later,
    /// 200.
    Granted,
    /// Another status, or none: the connection is gone.
    Denied(Option<StatusCode>),
}

/// A tunnel.
#[derive(Debug)]
pub struct Stream {
    /// Its connection.
    pub connection: Key,
    /// Place of its pod.
    pub pod: usize,
    /// Who opened it.
    pub way: Way,
    /// Who is told of progress.
    pub owner: Owner,
    /// Who called, and whom.
    pub from: SocketAddrV4,
    /// Original destination.
    pub to: SocketAddrV4,
    /// Wakes this stream.
    pub waker: Waker,
    /// The connection is gone before the request went out.
    pub lost: bool,
    /// For streams of the caller of the library.
    pub told: Told,
    /// We have ended our half, and the peer its own.
    ended: (bool, bool),
    sender: Option<SendStream<Bytes>>,
    receiver: Option<RecvStream>,
    response: Option<ResponseFuture>,
    responder: Option<SendResponse<Bytes>>,
    /// Received and not handed on.
    backlog: Backlog,
    /// What follows the backlog, if it is known.
    after: Option<Received>,
}

impl Stream {
    /// One that we open, or that has arrived and is not read yet.
    #[must_use]
    pub fn new(connection: Key, pod: usize, way: Way, owner: Owner, call: Announced, waker: Waker) -> Self {
        Self {
            connection,
            pod,
            way,
            owner,
            from: call.from,
            to: call.to,
            waker,
            lost: false,
            told: Told::default(),
            ended: (false, false),
            sender: None,
            receiver: None,
            response: None,
            responder: None,
            backlog: Backlog::default(),
            after: None,
        }
    }

    /// The request has gone out.
    pub fn requested(&mut self, response: ResponseFuture, sender: SendStream<Bytes>) {
        self.response = Some(response);
        self.sender = Some(sender);
        if std::mem::take(&mut self.ended.0) {
            let _told_by_reading = self.finish();
        }
        self.waker.wake_by_ref();
    }

    /// The request has come in.
    pub fn arrived(&mut self, receiver: RecvStream, responder: SendResponse<Bytes>) {
        self.receiver = Some(receiver);
        self.responder = Some(responder);
    }

    /// The peer's answer to our request; to be asked until it is there.
    pub fn poll_answer(&mut self) -> Answer {
        if self.lost {
            return Answer::Denied(None);
        }
        let Some(response) = &mut self.response else { return Answer::Later };
        match Pin::new(response).poll(&mut Context::from_waker(&self.waker)) {
            Poll::Pending => Answer::Later,
            Poll::Ready(Ok(response)) if response.status() == StatusCode::OK => {
                self.response = None;
                self.receiver = Some(response.into_body());
                Answer::Granted
            }
            Poll::Ready(Ok(response)) => Answer::Denied(Some(response.status())),
            Poll::Ready(Err(_)) => Answer::Denied(None),
        }
    }

    /// Answers the peer's request; whether it could be told.
    pub fn answer(&mut self, status: StatusCode) -> bool {
        let Some(mut responder) = self.responder.take() else { return false };
        let mut response = Response::new(());
        *response.status_mut() = status;
        match responder.send_response(response, status != StatusCode::OK) {
            Ok(sender) => {
                self.sender = Some(sender);
                true
            }
            Err(_) => false,
        }
    }

    /// Room for up to `wanted` bytes. What is not used has to be given back by `unreserve`.
    pub fn room(&mut self, wanted: usize) -> Room {
        if self.lost {
            return Room::Broken;
        }
        let Some(sender) = &mut self.sender else { return Room::Later };
        sender.reserve_capacity(wanted);
        let capacity = sender.capacity();
        if capacity > 0 {
            return Room::Bytes(capacity.min(wanted));
        }
        match sender.poll_capacity(&mut Context::from_waker(&self.waker)) {
            Poll::Ready(Some(Ok(capacity))) if capacity > 0 => Room::Bytes(capacity.min(wanted)),
            Poll::Ready(Some(Ok(_))) | Poll::Pending => Room::Later,
            Poll::Ready(Some(Err(_)) | None) => Room::Broken,
        }
    }

    /// Gives back room that is not used, for other streams of the connection.
    pub fn unreserve(&mut self) {
        if let Some(sender) = &mut self.sender {
            sender.reserve_capacity(0);
        }
    }

    /// Sends bytes for which there was room; false if the peer takes nothing more.
    pub fn send(&mut self, bytes: Bytes) -> bool {
        self.sender.as_mut().is_some_and(|sender| sender.send_data(bytes, false).is_ok())
    }

    /// Ends our half; false if it was cut off before, or there is no request yet, which then goes out ended. Once is enough.
    pub fn finish(&mut self) -> bool {
        let again = std::mem::replace(&mut self.ended.0, true);
        self.sender.as_mut().is_some_and(|sender| again || sender.send_data(Bytes::new(), true).is_ok())
    }

    /// The next bytes.
    pub fn receive(&mut self) -> Received {
        if let Some(bytes) = self.backlog.pop() {
            return Received::Data(bytes);
        }
        self.after.clone().unwrap_or_else(|| self.poll_frame())
    }

    /// Puts back what was received, but for the first `taken` bytes of it.
    pub fn put_back(&mut self, bytes: Bytes, taken: usize) {
        self.backlog.put_back(bytes, taken);
    }

    /// Takes in what has been received, where nobody can take it on now.
    pub fn take_in(&mut self) {
        while self.after.is_none() {
            match self.poll_frame() {
                Received::Data(bytes) => self.backlog.push(bytes),
                Received::Later => return,
                end => self.after = Some(end),
            }
        }
    }

    fn poll_frame(&mut self) -> Received {
        if self.lost {
            return Received::Reset;
        }
        let Some(receiver) = &mut self.receiver else { return Received::Later };
        match receiver.poll_data(&mut Context::from_waker(&self.waker)) {
            Poll::Pending => Received::Later,
            Poll::Ready(Some(Ok(bytes))) => Received::Data(bytes),
            Poll::Ready(Some(Err(_))) => Received::Reset,
            Poll::Ready(None) => {
                self.ended.1 = true;
                Received::Finished
            }
        }
    }

    /// So many received bytes were handed on: the peer may send as many more.
    pub fn release(&mut self, count: usize) {
        if let Some(receiver) = &mut self.receiver {
            // Fails only for more than was received.
            let _released = receiver.flow_control().release_capacity(count);
        }
    }

    /// Whether the peer has cut the stream off, for those who are not reading; the stream is woken when it does.
    pub fn is_cut_off(&mut self) -> bool {
        let context = &mut Context::from_waker(&self.waker);
        self.lost || self.sender.as_mut().is_some_and(|sender| sender.poll_reset(context).is_ready())
    }

    /// Cuts off what is not finished; a stream that has ended both ways may still have bytes on their way out.
    pub fn cut_off(&mut self, reason: Reason) {
        if self.ended == (true, true) {
            return;
        }
        if let Some(sender) = &mut self.sender {
            sender.send_reset(reason);
        } else if let Some(responder) = &mut self.responder {
            responder.send_reset(reason);
        }
    }
}
