//! A stream of a guest: reads and writes wait, as on a blocking socket.

#![forbid(unsafe_code)]

use crate::connection::{Connection, Phase};
use crate::engine::{Engine, Key};
use crate::guest::answered;
use crate::packet::{Address, Header, NO_SEND, Op};
use std::cell::RefCell;
use std::io::{self, Read, Write};
use std::rc::Rc;
use std::time::{Duration, Instant};

/// One end of a stream. Dropping it closes it both ways, as close(2).
pub struct Stream {
    engine: Rc<RefCell<Engine>>,
    key: Key,
    patience: Duration,
}

impl Stream {
    pub(crate) fn new(engine: Rc<RefCell<Engine>>, key: Key, patience: Duration) -> Self {
        Self { engine, key, patience }
    }

    /// The far end.
    #[must_use]
    pub fn peer(&self) -> Address {
        self.key.1
    }

    /// The port of this end.
    #[must_use]
    pub fn port(&self) -> u32 {
        self.key.0
    }

    /// How far it has come.
    #[must_use]
    pub fn phase(&self) -> Phase {
        self.with(|connection| connection.phase)
    }

    /// The call was taken.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.phase() == Phase::Open
    }

    /// Bytes that the far side has room for.
    #[must_use]
    pub fn credit(&self) -> u32 {
        self.with(|connection| connection.credit())
    }

    /// Waits for the answer to a call.
    ///
    /// # Errors
    /// `ConnectionRefused`, `TimedOut`, `NotConnected` (the device has gone).
    pub fn wait_until_open(&self) -> io::Result<()> {
        self.wait(|engine, key| answered(phase_of(engine, key)))
    }

    /// Sends as much as there is room for, without waiting; maybe nothing.
    ///
    /// # Errors
    /// As writing.
    pub fn try_write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut engine = self.engine.borrow_mut();
        engine.work()?;
        may_send(engine.connections.get(&self.key))?;
        let sent = engine.send_data(self.key, bytes);
        engine.publish();
        Ok(sent)
    }

    /// Reads without waiting; `None` if nothing has come.
    ///
    /// # Errors
    /// As reading.
    pub fn try_read(&mut self, into: &mut [u8]) -> io::Result<Option<usize>> {
        let mut engine = self.engine.borrow_mut();
        engine.work()?;
        let outcome = take(&mut engine, self.key, into);
        engine.publish();
        outcome.transpose()
    }

    /// Takes the next piece as it came, and gives back the one before for reuse; nothing at the end of the stream. One
    /// copy less than reading.
    ///
    /// # Errors
    /// As reading.
    pub fn next_chunk(&mut self, before: Vec<u8>) -> io::Result<Option<Vec<u8>>> {
        self.engine.borrow_mut().spare.push(before);
        self.wait(|engine, key| {
            let Some(connection) = engine.connections.get_mut(&key) else { return Some(Ok(None)) };
            let Some(mut chunk) = connection.chunks.pop_front() else {
                return at_end(connection).map(|end| end.map(|()| None));
            };
            chunk.drain(..std::mem::take(&mut connection.taken));
            if connection.forward(chunk.len()) {
                let update = connection.packet(Op::CreditUpdate);
                engine.post(update);
            }
            engine.publish();
            Some(Ok(Some(chunk)))
        })
    }

    /// Sends no more (half close).
    ///
    /// # Errors
    /// When the stream is at an end already.
    pub fn finish(&mut self) -> io::Result<()> {
        let mut engine = self.engine.borrow_mut();
        may_send(engine.connections.get(&self.key))?;
        let Some(connection) = engine.connections.get_mut(&self.key) else { return Ok(()) };
        connection.finished = true;
        let shutdown = Header { flags: NO_SEND, ..connection.packet(Op::Shutdown) };
        engine.post(shutdown);
        engine.publish();
        Ok(())
    }

    /// Ends the stream by `RST`, as a process that is killed with SO_LINGER 0.
    pub fn reset(self) {
        let mut engine = self.engine.borrow_mut();
        if let Some(mut connection) = engine.connections.remove(&self.key) {
            let reset = connection.packet(Op::Reset);
            engine.post(reset);
            engine.publish();
        }
    }

    fn with<T>(&self, look: impl FnOnce(&Connection) -> T) -> T {
        look(&self.engine.borrow().connections[&self.key])
    }

    /// Lets the guest work until there is an answer.
    fn wait<T>(&self, mut look: impl FnMut(&mut Engine, Key) -> Option<io::Result<T>>) -> io::Result<T> {
        let mut engine = self.engine.borrow_mut();
        if let Some(answer) = look(&mut engine, self.key) {
            return answer;
        }
        let until = Instant::now() + self.patience;
        loop {
            let happened = engine.turn(until)?;
            if let Some(answer) = look(&mut engine, self.key) {
                return answer;
            }
            if !happened && Instant::now() >= until {
                return Err(io::ErrorKind::TimedOut.into());
            }
        }
    }
}

impl Read for Stream {
    /// Waits for bytes; 0 at the end of the stream. `ConnectionReset` if it was cut off.
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.wait(|engine, key| take(engine, key, into))?;
        self.engine.borrow_mut().publish();
        Ok(count)
    }
}

impl Write for Stream {
    /// Waits for room and sends as much as there is room for. `BrokenPipe` if the far side takes no more.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.wait(|engine, key| {
            if let Err(error) = may_send(engine.connections.get(&key)) {
                return Some(Err(error));
            }
            let sent = engine.send_data(key, bytes);
            engine.publish();
            (sent > 0 || bytes.is_empty()).then_some(Ok(sent))
        })
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.engine.borrow_mut().close(self.key);
    }
}

fn phase_of(engine: &Engine, key: Key) -> Phase {
    engine.connections.get(&key).map_or(Phase::Reset, |connection| connection.phase)
}

fn may_send(connection: Option<&Connection>) -> io::Result<()> {
    match connection.map(|connection| (connection.phase, connection.deaf || connection.finished)) {
        Some((Phase::Open, false)) => Ok(()),
        Some((Phase::Open, true)) => Err(io::ErrorKind::BrokenPipe.into()),
        Some((Phase::Calling, _)) => Err(io::ErrorKind::NotConnected.into()),
        _ => Err(io::ErrorKind::ConnectionReset.into()),
    }
}

/// What a reader sees who has taken everything: nothing yet, the end, or that the stream was cut off.
fn at_end(connection: &Connection) -> Option<io::Result<()>> {
    match connection.phase {
        _ if connection.ended => Some(Ok(())),
        Phase::Open => None,
        Phase::Calling => Some(Err(io::ErrorKind::NotConnected.into())),
        _ => Some(Err(io::ErrorKind::ConnectionReset.into())),
    }
}

fn take(engine: &mut Engine, key: Key, into: &mut [u8]) -> Option<io::Result<usize>> {
    let connection = engine.connections.get_mut(&key)?;
    if connection.chunks.is_empty() {
        return at_end(connection).map(|end| end.map(|()| 0));
    }
    let (count, tell) = connection.read(into, &mut engine.spare);
    if tell {
        let update = connection.packet(Op::CreditUpdate);
        engine.post(update);
    }
    Some(Ok(count))
}
