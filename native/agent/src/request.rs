//! What the harness may ask: one line of JSON at the beginning of a connection.

#![forbid(unsafe_code)]

use serde::Deserialize;
use std::collections::BTreeMap;
use std::io::{self, ErrorKind, Read};
use std::path::PathBuf;

/// Longest request, in bytes: a command line with its environment.
const LONGEST: usize = 1 << 20;

/// One request.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Request {
    /// Runs a program; the connection is its streams.
    Spawn(Program),
    /// The content of a file, by no other process.
    Read {
        /// Absolute path.
        path: PathBuf,
    },
    /// Who answers: JSON `{"version", "kernel", "uptimeSeconds"}`.
    Hello {},
    /// Switches the machine off.
    Poweroff {},
}

/// A program to run.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Program {
    /// Program and arguments; a name without a slash is looked up in PATH.
    pub argv: Vec<String>,
    /// Its whole environment, beside PATH and HOME.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// User and group; left out: root.
    #[serde(default)]
    pub uid: Option<u32>,
    /// Working directory; left out: the root.
    #[serde(default)]
    pub cwd: Option<PathBuf>,
}

/// Reads the request line. Byte by byte, so that nothing behind it is taken; it is short, and comes once.
///
/// # Errors
/// Those of the connection; `InvalidData` for what is no request.
pub fn read(from: &mut impl Read) -> io::Result<Request> {
    let mut line = Vec::new();
    let mut byte = [0];
    loop {
        from.read_exact(&mut byte)?;
        match byte[0] {
            b'\n' => break,
            _ if line.len() >= LONGEST => {
                return Err(io::Error::new(ErrorKind::InvalidData, "a request is at most 1 MiB"));
            }
            other => line.push(other),
        }
    }
    serde_json::from_slice(&line)
        .map_err(|error| io::Error::new(ErrorKind::InvalidData, format!("not a request: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_leaves_what_follows() {
        let mut from = b"{\"read\":{\"path\":\"/proc/uptime\"}}\nrest".as_slice();
        assert_eq!(read(&mut from).unwrap(), Request::Read { path: "/proc/uptime".into() });
        assert_eq!(from, b"rest");
    }

    #[test]
    fn what_is_no_request_is_refused() {
        for line in ["\n", "{}\n", "{\"spawn\":{}}\n", "{\"spawn\":{\"argv\":[],\"shell\":1}}\n", "{\"hello\":{}}"] {
            assert!(read(&mut line.as_bytes()).is_err(), "{line}");
        }
    }
}
