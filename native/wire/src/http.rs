//! Heads of HTTP/1.1 messages with `Content-Length` framing: enough for a client and a server of our own, and for the
//! proxies between them. Chunked bodies are refused by name, not misread.

use thiserror::Error;

/// Longest head in bytes that is waited for.
pub const MAX_HEAD: usize = 16 << 10;

const MAX_HEADERS: usize = 64;

/// Why bytes are no head that we work with.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum HeadError {
    /// Not HTTP/1.x.
    #[error("malformed head: {0}")]
    Malformed(httparse::Error),
    /// No end of head within [`MAX_HEAD`].
    #[error("head is longer than {MAX_HEAD} bytes")]
    TooLong,
    /// Content-Length is not a number, or contradicts another one.
    #[error("bad Content-Length")]
    Length,
    /// Transfer-Encoding, which none of our programs sends.
    #[error("chunked bodies are not supported; send Content-Length")]
    Chunked,
}

/// Head of a request.
#[derive(Debug, PartialEq, Eq)]
pub struct Request {
    /// Bytes of the head, blank line included.
    pub head_len: usize,
    /// Bytes of the body that follows.
    pub body_len: usize,
    /// `POST /echo`: the body comes back.
    pub route: Route,
    /// The sender wants the connection closed after the answer.
    pub close: bool,
    /// The sender waits for `100 Continue` before the body.
    pub expects_continue: bool,
}

/// What the server is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    /// `POST /echo`
    Echo,
    /// `GET /`
    Root,
    /// Anything else.
    Unknown,
}

/// Head of an answer.
#[derive(Debug, PartialEq, Eq)]
pub struct Answer {
    /// Bytes of the head, blank line included.
    pub head_len: usize,
    /// Status code.
    pub status: u16,
    /// Bytes of the body; `None` when the head does not say.
    pub body_len: Option<usize>,
    /// The server closes the connection after this answer.
    pub close: bool,
}

/// Headers that matter to both directions.
#[derive(Default)]
struct Framing {
    length: Option<usize>,
    close: bool,
    expects_continue: bool,
}

fn framing(headers: &[httparse::Header<'_>], version: u8) -> Result<Framing, HeadError> {
    let mut found = Framing { close: version == 0, ..Framing::default() };
    for header in headers {
        // The length of the name decides first: most headers are dismissed without comparing.
        match header.name.len() {
            14 if header.name.eq_ignore_ascii_case("content-length") => {
                let text = std::str::from_utf8(header.value).map_err(|_| HeadError::Length)?;
                let length = text.trim().parse().map_err(|_| HeadError::Length)?;
                if found.length.is_some_and(|other| other != length) {
                    return Err(HeadError::Length);
                }
                found.length = Some(length);
            }
            10 if header.name.eq_ignore_ascii_case("connection") => {
                if header.value.eq_ignore_ascii_case(b"close") {
                    found.close = true;
                } else if header.value.eq_ignore_ascii_case(b"keep-alive") {
                    found.close = false;
                }
            }
            17 if header.name.eq_ignore_ascii_case("transfer-encoding") => return Err(HeadError::Chunked),
            6 if header.name.eq_ignore_ascii_case("expect") => {
                found.expects_continue = header.value.eq_ignore_ascii_case(b"100-continue");
            }
            _ => {}
        }
    }
    Ok(found)
}

fn incomplete<T>(bytes: &[u8]) -> Result<Option<T>, HeadError> {
    if bytes.len() < MAX_HEAD { Ok(None) } else { Err(HeadError::TooLong) }
}

/// Reads the head of a request; `None` when it is not complete yet.
///
/// # Errors
/// When it never will be a head that we work with.
pub fn parse_request(bytes: &[u8]) -> Result<Option<Request>, HeadError> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    let head_len = match request.parse(bytes).map_err(HeadError::Malformed)? {
        httparse::Status::Complete(length) => length,
        httparse::Status::Partial => return incomplete(bytes),
    };
    let route = match (request.method, request.path) {
        (Some("POST"), Some("/echo")) => Route::Echo,
        (Some("GET"), Some("/")) => Route::Root,
        _ => Route::Unknown,
    };
    let Framing { length, close, expects_continue } = framing(request.headers, request.version.unwrap_or(1))?;
    Ok(Some(Request { head_len, body_len: length.unwrap_or(0), route, close, expects_continue }))
}

/// Reads the head of an answer; `None` when it is not complete yet.
///
/// # Errors
/// When it never will be a head that we work with.
pub fn parse_answer(bytes: &[u8]) -> Result<Option<Answer>, HeadError> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut answer = httparse::Response::new(&mut headers);
    let head_len = match answer.parse(bytes).map_err(HeadError::Malformed)? {
        httparse::Status::Complete(length) => length,
        httparse::Status::Partial => return incomplete(bytes),
    };
    let Framing { length, close, .. } = framing(answer.headers, answer.version.unwrap_or(1))?;
    Ok(Some(Answer { head_len, status: answer.code.unwrap_or(0), body_len: length, close }))
}

/// A whole request as bytes: `POST /echo` with the payload pattern, or `GET /` when there is no payload.
#[must_use]
pub fn build_request(host: &str, payload: usize, close: bool) -> Vec<u8> {
    let closing = if close { "Connection: close\r\n" } else { "" };
    let head = if payload == 0 {
        format!("GET / HTTP/1.1\r\nHost: {host}\r\n{closing}\r\n")
    } else {
        format!("POST /echo HTTP/1.1\r\nHost: {host}\r\n{closing}Content-Length: {payload}\r\n\r\n")
    };
    let mut bytes = head.into_bytes();
    crate::pattern::append(&mut bytes, payload);
    bytes
}

/// Appends the head of an answer with a body of `length` bytes.
pub fn append_answer_head(target: &mut Vec<u8>, status: &str, length: usize, close: bool) {
    target.extend_from_slice(b"HTTP/1.1 ");
    target.extend_from_slice(status.as_bytes());
    target.extend_from_slice(b"\r\nContent-Length: ");
    append_decimal(target, length);
    target.extend_from_slice(if close { b"\r\nConnection: close\r\n\r\n" } else { b"\r\n\r\n" });
}

/// Decimal digits without the formatting machinery, which would cost more than the rest of the answer.
fn append_decimal(target: &mut Vec<u8>, mut value: usize) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (value % 10) as u8;
        value /= 10;
        if value == 0 {
            break;
        }
    }
    target.extend_from_slice(&digits[at..]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_head_is_waited_for_byte_by_byte() {
        let bytes = build_request("10.10.2.10:8080", 5, false);
        let head_len = bytes.len() - 5;
        for cut in 0..head_len {
            assert_eq!(parse_request(&bytes[..cut]), Ok(None), "cut at {cut}");
        }
        let expected = Request { head_len, body_len: 5, route: Route::Echo, close: false, expects_continue: false };
        assert_eq!(parse_request(&bytes), Ok(Some(expected)));
    }

    #[test]
    fn closing_is_understood_for_both_versions() {
        let close = |text: &str| parse_request(text.as_bytes()).unwrap().unwrap().close;
        assert!(close("GET / HTTP/1.1\r\nConnection: Close\r\n\r\n"));
        assert!(!close("GET / HTTP/1.1\r\n\r\n"));
        assert!(close("GET / HTTP/1.0\r\n\r\n"));
        assert!(!close("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"));
    }

    #[test]
    fn what_cannot_be_framed_is_refused() {
        let parse = |text: &str| parse_request(text.as_bytes()).unwrap_err();
        assert_eq!(parse("POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"), HeadError::Chunked);
        assert_eq!(parse("POST /echo HTTP/1.1\r\nContent-Length: x\r\n\r\n"), HeadError::Length);
        assert_eq!(parse("POST /echo HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"), HeadError::Length);
        assert!(matches!(parse("\u{1}\u{2}\r\n\r\n"), HeadError::Malformed(_)));
        assert_eq!(parse(&format!("GET /{} ", "x".repeat(MAX_HEAD))), HeadError::TooLong);
    }

    proptest! {
        #[test]
        fn answers_are_read_as_they_were_built(length in 0_usize..20_000_000, close: bool) {
            let mut bytes = Vec::new();
            append_answer_head(&mut bytes, "200 OK", length, close);
            let expected = Answer { head_len: bytes.len(), status: 200, body_len: Some(length), close };
            prop_assert_eq!(parse_answer(&bytes), Ok(Some(expected)));
        }
    }
}
