//! TLS between two byte buffers: rustls' unbuffered connections, client and server alike.

#![forbid(unsafe_code)]

use crate::buffer::Buffer;
use rustls::client::UnbufferedClientConnection;
use rustls::pki_types::{IpAddr, Ipv4Addr, ServerName};
use rustls::server::UnbufferedServerConnection;
use rustls::unbuffered::{ConnectionState, EncodeError, InsufficientSizeError, UnbufferedStatus};
use rustls::{ClientConfig, CommonState, Error, ServerConfig};
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

/// Most plaintext of one TLS record (RFC 8446, 5.1).
pub const RECORD: usize = 16_384;
/// What encryption adds to a record: header, content type and tag (RFC 8446, 5.2), and some to spare.
const OVERHEAD: usize = 64;
/// An encrypted alert, with room to spare.
const LONGEST_ALERT: usize = 128;

/// Either end of a TLS connection.
pub enum Session {
    /// We called.
    Client(UnbufferedClientConnection),
    /// We were called.
    Server(UnbufferedServerConnection),
}

/// How far a look at received records has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Look again.
    Again,
    /// Nothing to be had without more input.
    Starved,
    /// The plaintext given was encrypted.
    Sealed,
    /// The peer has said goodbye.
    Closed,
}

impl Session {
    /// The calling end.
    ///
    /// # Errors
    /// As rustls.
    pub fn client(config: Arc<ClientConfig>, address: std::net::Ipv4Addr) -> Result<Self, Error> {
        // Peers are told by SPIFFE id; an address as the name keeps rustls from sending SNI.
        let name = ServerName::IpAddress(IpAddr::V4(Ipv4Addr::from(address)));
        Ok(Self::Client(UnbufferedClientConnection::new(config, name)?))
    }

    /// The called end.
    ///
    /// # Errors
    /// As rustls.
    pub fn server(config: Arc<ServerConfig>) -> Result<Self, Error> {
        Ok(Self::Server(UnbufferedServerConnection::new(config)?))
    }

    /// Looks at received records: decrypted bytes are given to `opened`, handshake messages to `out`. Also says how many
    /// bytes of `input` are done with.
    pub fn open(
        &mut self,
        input: &mut [u8],
        opened: &mut dyn FnMut(&[u8]),
        out: &mut Buffer,
    ) -> (usize, Result<Step, Error>) {
        self.step(input, Work { plain: &[], opened, out })
    }

    /// Encrypts one record's plaintext into `out`.
    ///
    /// # Errors
    /// When the session is over.
    pub fn seal(&mut self, plain: &[u8], out: &mut Buffer) -> Result<(), Error> {
        loop {
            // Nothing is received here, so nothing is opened.
            match self.step(&mut [], Work { plain, opened: &mut |_| {}, out }).1? {
                // A message of the session itself, such as new keys, goes first.
                Step::Again => {}
                Step::Sealed => return Ok(()),
                Step::Starved | Step::Closed => return Err(Error::General("the session takes no data".into())),
            }
        }
    }

    /// The goodbye, or the alert that a failure has left behind, for what it is worth.
    pub fn last_words(&mut self, out: &mut Buffer) {
        match self {
            Self::Client(session) => last_words(session.process_tls_records(&mut []), out),
            Self::Server(session) => last_words(session.process_tls_records(&mut []), out),
        }
    }

    fn step(&mut self, input: &mut [u8], work: Work<'_>) -> (usize, Result<Step, Error>) {
        match self {
            Self::Client(session) => step(session.process_tls_records(input), work),
            Self::Server(session) => step(session.process_tls_records(input), work),
        }
    }
}

struct Work<'a> {
    /// To be encrypted as soon as the session can.
    plain: &'a [u8],
    opened: &'a mut dyn FnMut(&[u8]),
    out: &'a mut Buffer,
}

fn step<D>(status: UnbufferedStatus<'_, '_, D>, work: Work<'_>) -> (usize, Result<Step, Error>) {
    let UnbufferedStatus { mut discard, state } = status;
    let result = state.and_then(|state| match state {
        ConnectionState::ReadTraffic(mut traffic) => {
            while let Some(record) = traffic.next_record() {
                let record = record?;
                discard += record.discard;
                (work.opened)(record.payload);
            }
            Ok(Step::Again)
        }
        ConnectionState::EncodeTlsData(mut message) => {
            let needed = match message.encode(&mut []) {
                Err(EncodeError::InsufficientSize(InsufficientSizeError { required_size })) => required_size,
                _ => 0,
            };
            let written = message.encode(work.out.room(needed)).map_err(|error| Error::General(error.to_string()))?;
            work.out.advance(written);
            Ok(Step::Again)
        }
        ConnectionState::TransmitTlsData(message) => {
            message.done();
            Ok(Step::Again)
        }
        ConnectionState::WriteTraffic(mut traffic) if !work.plain.is_empty() => {
            let room = work.out.room(work.plain.len() + OVERHEAD);
            let written = traffic.encrypt(work.plain, room).map_err(|error| Error::General(error.to_string()))?;
            work.out.advance(written);
            Ok(Step::Sealed)
        }
        ConnectionState::WriteTraffic(_) | ConnectionState::BlockedHandshake => Ok(Step::Starved),
        ConnectionState::PeerClosed | ConnectionState::Closed => Ok(Step::Closed),
        _ => Err(Error::General("early data, which was not offered".into())),
    });
    (discard, result)
}

fn last_words<D>(status: UnbufferedStatus<'_, '_, D>, out: &mut Buffer) {
    let written = match status.state {
        Ok(ConnectionState::EncodeTlsData(mut alert)) => alert.encode(out.room(LONGEST_ALERT)).unwrap_or(0),
        Ok(ConnectionState::WriteTraffic(mut traffic)) => {
            traffic.queue_close_notify(out.room(LONGEST_ALERT)).unwrap_or(0)
        }
        _ => 0,
    };
    out.advance(written);
}

impl fmt::Debug for Session {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Client(_) => "Client",
            Self::Server(_) => "Server",
        })
    }
}

impl Deref for Session {
    type Target = CommonState;

    fn deref(&self) -> &CommonState {
        match self {
            Self::Client(session) => session,
            Self::Server(session) => session,
        }
    }
}
