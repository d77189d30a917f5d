//! HTTP/1.1 as a server: bytes in, bytes out. Bodies are echoed as they arrive, so a large one never lies in memory.

use wire::http::{HeadError, Route, append_answer_head, parse_request};

/// State of one HTTP connection.
#[derive(Debug, Default)]
pub struct Http {
    /// A head of which only the beginning has come.
    partial: Vec<u8>,
    body_left: usize,
    echoes_body: bool,
    closes_after_body: bool,
}

/// What the connection has to do after bytes were fed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Fed {
    /// Requests that began.
    pub requests: u64,
    /// No more input counts.
    pub ending: Ending,
}

/// How a connection ends once its answers are out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Ending {
    /// It goes on.
    #[default]
    None,
    /// Everything was read: it can be closed at once.
    Clean,
    /// The peer may still be sending: closing now could destroy the answer by a reset.
    Drain,
}

impl Http {
    /// Takes what was read, appends what is to be written.
    pub fn feed(&mut self, mut bytes: &[u8], out: &mut Vec<u8>) -> Fed {
        let mut fed = Fed::default();
        while !bytes.is_empty() {
            if self.body_left > 0 {
                let part = self.body_left.min(bytes.len());
                if self.echoes_body {
                    out.extend_from_slice(&bytes[..part]);
                }
                self.body_left -= part;
                bytes = &bytes[part..];
            } else {
                match self.begin(bytes, out) {
                    Ok(Some(consumed)) => bytes = &bytes[consumed..],
                    Ok(None) => return fed,
                    Err(status) => {
                        append_answer_head(out, status, 0, true);
                        fed.ending = Ending::Drain;
                        return fed;
                    }
                }
                fed.requests += 1;
            }
            if self.body_left == 0 && self.closes_after_body {
                fed.ending = if bytes.is_empty() { Ending::Clean } else { Ending::Drain };
                return fed;
            }
        }
        fed
    }

    /// Reads a head and appends that of the answer; returns how many of `bytes` it took.
    fn begin(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<Option<usize>, &'static str> {
        let carried = self.partial.len();
        let head = if carried == 0 {
            bytes
        } else {
            self.partial.extend_from_slice(bytes);
            &self.partial
        };
        let Some(request) = parse_request(head).map_err(refusal)? else {
            if carried == 0 {
                self.partial.extend_from_slice(bytes);
            }
            return Ok(None);
        };
        self.partial.clear();
        if request.body_len > wire::MAX_PAYLOAD {
            return Err("413 Content Too Large");
        }
        if request.expects_continue {
            out.extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
        }
        self.body_left = request.body_len;
        self.echoes_body = request.route == Route::Echo;
        self.closes_after_body = request.close;
        let answer_len = if self.echoes_body { request.body_len } else { 0 };
        let status = if request.route == Route::Unknown { "404 Not Found" } else { "200 OK" };
        append_answer_head(out, status, answer_len, request.close);
        Ok(Some(request.head_len - carried))
    }
}

fn refusal(error: HeadError) -> &'static str {
    match error {
        HeadError::TooLong => "431 Request Header Fields Too Large",
        HeadError::Chunked => "411 Length Required",
        HeadError::Malformed(_) | HeadError::Length => "400 Bad Request",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: &[u8] =
        b"POST /echo HTTP/1.1\r\nContent-Length: 3\r\n\r\nabcGET / HTTP/1.1\r\nConnection: close\r\n\r\n";
    const ANSWERS: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc\
        HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

    #[test]
    fn pipelined_requests_are_answered_in_order_however_they_are_cut() {
        for cut in 0..TWO.len() {
            let (mut http, mut out) = (Http::default(), Vec::new());
            let first = http.feed(&TWO[..cut], &mut out);
            let second = http.feed(&TWO[cut..], &mut out);
            assert_eq!(out, ANSWERS, "cut at {cut}");
            assert_eq!(first.requests + second.requests, 2);
            assert_eq!(second.ending, Ending::Clean);
        }
    }

    #[test]
    fn wrong_requests_get_their_status_and_an_end() {
        for (request, status) in [
            ("nonsense\r\n\r\n", "400"),
            ("POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", "411"),
            ("POST /echo HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n", "413"),
        ] {
            let (mut http, mut out) = (Http::default(), Vec::new());
            assert_eq!(http.feed(request.as_bytes(), &mut out).ending, Ending::Drain);
            assert!(out.starts_with(format!("HTTP/1.1 {status} ").as_bytes()), "{request}");
        }
    }

    #[test]
    fn an_unknown_path_is_said_and_its_body_passed_over() {
        let (mut http, mut out) = (Http::default(), Vec::new());
        http.feed(b"POST /x HTTP/1.1\r\nContent-Length: 2\r\n\r\nhiGET / HTTP/1.1\r\n\r\n", &mut out);
        assert_eq!(
            out,
            b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
        );
    }
}
