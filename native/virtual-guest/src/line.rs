//! One call to the peer: what it is for, how far it has come.

#![forbid(unsafe_code)]

use crate::payload;
use crate::peer::{CHARGEN, DISCARD, ECHO, Names, STUCK};
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddrV4};
use std::os::unix::net::UnixStream;

/// Length of a PROXY v2 header for TCP over IPv4, in bytes.
pub const PROXY_HEADER: usize = 28;
const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";

/// What a line waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Interest {
    Read,
    Write,
    End,
}

enum Service {
    /// The header is not whole yet.
    Header {
        bytes: [u8; PROXY_HEADER],
        have: usize,
    },
    /// What is still to be sent back.
    Echo {
        rest: Vec<u8>,
    },
    Discard {
        total: u64,
    },
    Chargen {
        position: u64,
    },
    Stuck,
    None,
}

/// A call.
pub(crate) struct Line {
    socket: UnixStream,
    service: Service,
    names: Option<Names>,
}

impl Line {
    /// A call to a port, or one whose header has still to come.
    pub fn new(socket: UnixStream, port: Option<u16>) -> Self {
        let service = port.map_or(Service::Header { bytes: [0; PROXY_HEADER], have: 0 }, service);
        Self { socket, service, names: None }
    }

    pub fn socket(&self) -> &UnixStream {
        &self.socket
    }

    pub fn take_names(&mut self) -> Option<Names> {
        self.names.take()
    }

    pub fn interest(&self) -> Interest {
        match &self.service {
            Service::Echo { rest } if !rest.is_empty() => Interest::Write,
            Service::Chargen { .. } => Interest::Write,
            Service::Stuck => Interest::End,
            _ => Interest::Read,
        }
    }

    /// Goes as far as the socket lets it; whether the line goes on. Errors of the socket end it, too.
    pub fn turn(&mut self, buffer: &mut [u8]) -> io::Result<bool> {
        if let Service::Header { .. } = self.service {
            match self.read_header() {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(true),
                Ok(true) => {}
                other => return other,
            }
        }
        let outcome = match &mut self.service {
            Service::Header { .. } => Ok(true),
            Service::Echo { rest } => echo(&mut self.socket, rest, buffer),
            Service::Discard { total } => discard(&mut self.socket, total, buffer),
            Service::Chargen { position } => chargen(&mut self.socket, position),
            Service::Stuck => Ok(self.is_up()),
            Service::None => Ok(false),
        };
        match outcome {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(true),
            other => other,
        }
    }

    /// Reads the header, not a byte more; false if this is none.
    fn read_header(&mut self) -> io::Result<bool> {
        let Service::Header { bytes, have } = &mut self.service else { return Ok(true) };
        while *have < PROXY_HEADER {
            match self.socket.read(&mut bytes[*have..])? {
                0 => return Ok(false),
                count => *have += count,
            }
        }
        let Some(names) = parse(bytes) else { return Ok(false) };
        self.names = Some(names);
        self.service = service(names.to.port());
        Ok(true)
    }

    /// A stuck line is woken only by an error or the end of both ways.
    fn is_up(&self) -> bool {
        let mut poll = [rustix::event::PollFd::new(&self.socket, rustix::event::PollFlags::empty())];
        let now = rustix::event::Timespec { tv_sec: 0, tv_nsec: 0 };
        rustix::event::poll(&mut poll, Some(&now)).is_ok_and(|count| count == 0)
    }
}

fn service(port: u16) -> Service {
    match port {
        ECHO => Service::Echo { rest: Vec::new() },
        DISCARD => Service::Discard { total: 0 },
        CHARGEN => Service::Chargen { position: 0 },
        STUCK => Service::Stuck,
        _ => Service::None,
    }
}

fn echo(socket: &mut UnixStream, rest: &mut Vec<u8>, buffer: &mut [u8]) -> io::Result<bool> {
    while !rest.is_empty() {
        let count = socket.write(rest)?;
        rest.drain(..count);
    }
    let count = socket.read(buffer)?;
    if count == 0 {
        return Ok(false);
    }
    let mut sent = 0;
    while sent < count {
        match socket.write(&buffer[sent..count]) {
            Ok(part) => sent += part,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                rest.extend_from_slice(&buffer[sent..count]);
                return Ok(true);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(true)
}

fn discard(socket: &mut UnixStream, total: &mut u64, buffer: &mut [u8]) -> io::Result<bool> {
    let count = socket.read(buffer)?;
    *total += count as u64;
    if count == 0 {
        socket.write_all(&total.to_be_bytes())?;
        socket.shutdown(Shutdown::Write)?;
    }
    Ok(count > 0)
}

fn chargen(socket: &mut UnixStream, position: &mut u64) -> io::Result<bool> {
    let count = socket.write(payload::at(*position, payload::PIECE))?;
    *position += count as u64;
    Ok(true)
}

/// A PROXY v2 header of a TCP connection over IPv4.
#[must_use]
pub fn compose(names: Names) -> [u8; PROXY_HEADER] {
    let mut bytes = [0; PROXY_HEADER];
    bytes[..12].copy_from_slice(SIGNATURE);
    bytes[12..16].copy_from_slice(&[0x21, 0x11, 0, 12]);
    bytes[16..20].copy_from_slice(&names.from.ip().octets());
    bytes[20..24].copy_from_slice(&names.to.ip().octets());
    bytes[24..26].copy_from_slice(&names.from.port().to_be_bytes());
    bytes[26..].copy_from_slice(&names.to.port().to_be_bytes());
    bytes
}

/// The names in such a header, if it is one.
#[must_use]
pub fn parse(bytes: &[u8; PROXY_HEADER]) -> Option<Names> {
    let is_one = &bytes[..12] == SIGNATURE && bytes[12..16] == [0x21, 0x11, 0, 12];
    let name = |ip: usize, port: usize| {
        let ip = Ipv4Addr::new(bytes[ip], bytes[ip + 1], bytes[ip + 2], bytes[ip + 3]);
        SocketAddrV4::new(ip, u16::from_be_bytes([bytes[port], bytes[port + 1]]))
    };
    is_one.then(|| Names { from: name(16, 24), to: name(20, 26) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peer::Peer;

    #[test]
    fn names_travel_in_a_header() {
        let names = Names { from: "10.10.1.10:1024".parse().unwrap(), to: "10.10.2.20:8080".parse().unwrap() };
        assert_eq!(parse(&compose(names)), Some(names));
        assert_eq!(parse(&[0; PROXY_HEADER]), None);
    }

    #[test]
    fn the_services_do_what_they_say() {
        let folder = std::env::temp_dir().join(format!("dpb-peer-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("named");
        let peer = Peer::named(&path).unwrap().start().unwrap();
        let call = |port: u16| {
            let to = SocketAddrV4::new(Ipv4Addr::new(10, 10, 2, 20), port);
            let mut stream = UnixStream::connect(&path).unwrap();
            stream.write_all(&compose(Names { from: "10.10.1.10:1024".parse().unwrap(), to })).unwrap();
            stream
        };
        let (mut echo, mut answer) = (call(ECHO), Vec::new());
        echo.write_all(payload::at(0, 100_000)).unwrap();
        echo.shutdown(Shutdown::Write).unwrap();
        echo.read_to_end(&mut answer).unwrap();
        assert!(answer.len() == 100_000 && payload::matches(0, &answer));
        let (mut sink, mut total) = (call(DISCARD), [0; 8]);
        sink.write_all(payload::at(0, 100_000)).unwrap();
        sink.shutdown(Shutdown::Write).unwrap();
        sink.read_exact(&mut total).unwrap();
        assert_eq!(u64::from_be_bytes(total), 100_000);
        let mut source = call(CHARGEN);
        let mut piece = vec![0; 1 << 20];
        source.read_exact(&mut piece).unwrap();
        assert!(payload::matches(0, &piece));
        assert_eq!(call(4711).read(&mut piece).unwrap(), 0);
        assert_eq!(peer.calls().iter().map(|names| names.to.port()).collect::<Vec<_>>(), [7, 9, 19, 4711]);
        drop(peer);
        std::fs::remove_dir_all(folder).unwrap();
    }
}
