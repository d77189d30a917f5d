//! The hybrid socket's first line, as Cloud Hypervisor's: `CONNECT <port>`, answered by `OK <port>`.

#![forbid(unsafe_code)]

/// Longest line taken, with its end.
pub const LONGEST: usize = 32;

/// A line that has arrived whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line {
    /// The guest's port.
    pub port: u32,
    /// Bytes of the line.
    pub length: usize,
}

/// Not such a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not CONNECT <port>")]
pub struct Malformed;

/// Reads the line at the beginning of a stream; `None` until all of it is there.
///
/// # Errors
/// When it is another line, or too long.
pub fn parse(bytes: &[u8]) -> Result<Option<Line>, Malformed> {
    let Some(end) = bytes.iter().take(LONGEST).position(|&byte| byte == b'\n') else {
        return if bytes.len() < LONGEST { Ok(None) } else { Err(Malformed) };
    };
    let line = std::str::from_utf8(&bytes[..end]).map_err(|_| Malformed)?;
    let port = line.trim_end_matches('\r').strip_prefix("CONNECT ").ok_or(Malformed)?;
    let digits = port.bytes().all(|byte| byte.is_ascii_digit());
    let port = port.parse().ok().filter(|_| digits).ok_or(Malformed)?;
    Ok(Some(Line { port, length: end + 1 }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_and_no_other() {
        assert_eq!(parse(b"CONNECT 66560\nmore"), Ok(Some(Line { port: 66560, length: 14 })));
        assert_eq!(parse(b"CONNECT 66560\r\n"), Ok(Some(Line { port: 66560, length: 15 })));
        assert_eq!(parse(b"CONNECT 66"), Ok(None));
        for bad in ["connect 1\n", "CONNECT +1\n", "CONNECT \n", "CONNECT 4294967296\n", "\n", "CONNECT 1 2\n"] {
            assert_eq!(parse(bad.as_bytes()), Err(Malformed), "{bad:?}");
        }
        assert_eq!(parse(&[b'C'; LONGEST]), Err(Malformed));
    }
}
