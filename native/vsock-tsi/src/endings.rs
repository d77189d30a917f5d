//! How streams end: in good order by halves, or not.

#![forbid(unsafe_code)]

use crate::stream::{Owed, State};
use crate::traffic::{Traffic, count_share};
use crate::uplink::{StreamId, Uplink};

impl<A: Uplink, T: Uplink> Traffic<A, T> {
    /// Ends a stream at both sides, not in good order.
    pub(crate) fn reset(&mut self, index: u32) {
        self.close(index, true);
        self.owe_reset(index);
    }

    /// The guest is owed a reset, unless it knows nothing of the stream any more.
    pub(crate) fn owe_reset(&mut self, index: u32) {
        let Some(stream) = self.streams.at(index) else { return };
        if stream.guest_gone {
            self.remove(index);
            return;
        }
        (stream.state, stream.owed) = (State::Ending, Owed::default());
        self.streams.queue(index);
    }

    /// Ends a stream at the uplink's side, if it has not ended there.
    pub(crate) fn close(&mut self, index: u32, reset: bool) {
        let Some(stream) = self.streams.at(index) else { return };
        let (far, outbound, state) = (stream.far, stream.outbound, stream.state);
        let id = StreamId { index, generation: stream.generation };
        self.budget.remove(stream.held.len());
        stream.held = Default::default();
        stream.state = State::Lingering;
        match state {
            State::Open | State::Draining => self.side(far).close(id, reset),
            State::Calling => {
                self.side(far).close(id, reset);
                self.flow(far, outbound).refused += 1;
            }
            State::Ringing => {
                self.side(far).answered(id, false);
                self.flow(far, outbound).refused += 1;
            }
            State::Lingering | State::Ending => {}
        }
    }

    /// Forgets a stream, and counts it.
    pub(crate) fn remove(&mut self, index: u32) {
        if let Some(stream) = self.streams.remove(index) {
            count_share(&mut self.stats, &stream);
        }
    }

    /// The uplink takes no more; it may still have something to read.
    pub(crate) fn broken(&mut self, index: u32) {
        let Some(stream) = self.streams.at(index) else { return };
        if !stream.broken {
            self.budget.remove(stream.held.len());
            (stream.broken, stream.readable, stream.held) = (true, true, Default::default());
            stream.tell_end(false);
            self.settle(index);
        }
    }

    /// Goes on to the end that both halves have come to.
    pub(crate) fn settle(&mut self, index: u32) {
        let Some(stream) = self.streams.at(index) else { return };
        if !matches!(stream.state, State::Open | State::Draining) {
            return;
        }
        let (id, far) = (StreamId { index, generation: stream.generation }, stream.far);
        if stream.guest_finished && stream.held.is_empty() && !stream.finish_told && !stream.broken {
            stream.finish_told = true;
            stream.tell_end(false);
            self.side(far).finish(id);
        }
        let Some(stream) = self.streams.at(index) else { return };
        let done = stream.finish_told || stream.broken;
        if done && stream.guest_closed {
            self.close(index, false);
            self.owe_reset(index);
        } else if done && stream.end_sent() {
            self.close(index, false);
        }
    }
}
