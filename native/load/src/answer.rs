//! Answers, checked while they arrive: status, length, and the payload pattern.

use crate::options::Protocol;
use crate::tally::Kind;
use wire::http::{Answer, parse_answer};
use wire::pattern;

/// Payload bytes per answer that are compared with the pattern; beyond them only the length is checked.
const CHECKED: u64 = 16 << 10;

/// How far an answer has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// More must come.
    Partial,
    /// It is whole.
    Whole,
    /// It is whole, and a refusal: the connection can go on.
    Refused(Kind),
}

/// Reads one answer after another.
#[derive(Debug)]
pub struct AnswerReader {
    protocol: Protocol,
    payload: usize,
    partial: Vec<u8>,
    /// Body bytes that must still come; `None` before the head is read.
    left: Option<usize>,
    position: u64,
    refused: Option<Kind>,
}

impl AnswerReader {
    /// A reader of answers of `payload` bytes.
    #[must_use]
    pub fn new(protocol: Protocol, payload: usize) -> Self {
        let mut reader =
            Self { protocol, payload, partial: Vec::with_capacity(1024), left: None, position: 0, refused: None };
        reader.begin();
        reader
    }

    /// Expects a new answer.
    pub fn begin(&mut self) {
        self.partial.clear();
        self.left = (self.protocol == Protocol::Tcp).then_some(self.payload);
        self.position = 0;
        self.refused = None;
    }

    /// Takes what was read.
    ///
    /// # Errors
    /// The kind of failure; the connection is of no more use.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<Progress, Kind> {
        let Some(left) = self.left else { return self.head(bytes) };
        if bytes.len() > left {
            return Err(Kind::Surplus);
        }
        if self.refused.is_none() && self.position < CHECKED {
            let checked = bytes.len().min((CHECKED - self.position) as usize);
            if !pattern::matches(&bytes[..checked], self.position) {
                return Err(Kind::WrongBytes);
            }
        }
        self.position += bytes.len() as u64;
        self.left = Some(left - bytes.len());
        Ok(match (left == bytes.len(), self.refused) {
            (false, _) => Progress::Partial,
            (true, None) => Progress::Whole,
            (true, Some(kind)) => Progress::Refused(kind),
        })
    }

    fn head(&mut self, bytes: &[u8]) -> Result<Progress, Kind> {
        let carried = self.partial.len();
        let head = if carried == 0 {
            bytes
        } else {
            self.partial.extend_from_slice(bytes);
            &self.partial
        };
        let Some(answer) = parse_answer(head).map_err(|_| Kind::Malformed)? else {
            if carried == 0 {
                self.partial.extend_from_slice(bytes);
            }
            return Ok(Progress::Partial);
        };
        let rest = &bytes[answer.head_len - carried..];
        self.partial.clear();
        self.left = Some(self.body_of(&answer)?);
        self.feed(rest)
    }

    fn body_of(&mut self, answer: &Answer) -> Result<usize, Kind> {
        if answer.status != 200 {
            self.refused = Some(Kind::Status(answer.status));
            return answer.body_len.ok_or(Kind::Status(answer.status));
        }
        if answer.body_len == Some(self.payload) { Ok(self.payload) } else { Err(Kind::WrongLength) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\nserver: envoy\r\n\r\ndpb!dp";

    fn feed(protocol: Protocol, parts: &[&[u8]]) -> Result<Progress, Kind> {
        let mut reader = AnswerReader::new(protocol, 6);
        let mut last = Ok(Progress::Partial);
        for part in parts {
            assert_eq!(last, Ok(Progress::Partial));
            last = reader.feed(part);
        }
        last
    }

    #[test]
    fn a_good_answer_is_whole_however_it_is_cut() {
        for cut in 1..GOOD.len() {
            assert_eq!(feed(Protocol::Http, &[&GOOD[..cut], &GOOD[cut..]]), Ok(Progress::Whole), "cut at {cut}");
        }
        assert_eq!(feed(Protocol::Tcp, &[b"dpb", b"!dp"]), Ok(Progress::Whole));
    }

    #[test]
    fn wrong_answers_have_their_kind() {
        let http = |text: &str| feed(Protocol::Http, &[text.as_bytes()]);
        let refused = http("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 2\r\n\r\nno");
        assert_eq!(refused, Ok(Progress::Refused(Kind::Status(503))));
        assert_eq!(http("HTTP/1.1 502 Bad Gateway\r\n\r\n"), Err(Kind::Status(502)));
        assert_eq!(http("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\ndpb!d"), Err(Kind::WrongLength));
        assert_eq!(http("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\ndpb!dx"), Err(Kind::WrongBytes));
        assert_eq!(http("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\ndpb!dpb"), Err(Kind::Surplus));
        assert_eq!(http("SSH-2.0-x\r\n\r\n"), Err(Kind::Malformed));
        assert_eq!(feed(Protocol::Tcp, &[b"dpb!d", b"x"]), Err(Kind::WrongBytes));
        assert_eq!(feed(Protocol::Tcp, &[b"dpb!dpb"]), Err(Kind::Surplus));
    }
}
