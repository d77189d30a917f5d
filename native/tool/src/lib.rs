//! What the long-running native tools share: JSON lines to the harness, its questions on stdin, signals, descriptors.

#![forbid(unsafe_code)]

use rustix::fd::AsFd;
use std::fmt::Display;
use std::io::{self, Write};
use std::os::unix::net::UnixStream;

/// Prints one line on stdout, at once.
///
/// # Errors
/// When stdout takes nothing.
pub fn print_line(line: &impl Display) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{line}")?;
    stdout.flush()
}

/// What is asked on a tool's stdin: lines `stats`.
#[derive(Debug, Default)]
pub struct Questions(Vec<u8>);

impl Questions {
    /// Reads what has come, once, and says how many complete lines `stats` that makes; `None` at the end of the input.
    pub fn read(&mut self, input: impl AsFd) -> Option<usize> {
        let mut bytes = [0; 512];
        // Not by std's buffered reader: what it read ahead would raise no further event.
        match rustix::io::read(input, &mut bytes) {
            Ok(0) | Err(_) => return None,
            Ok(length) => self.0.extend_from_slice(&bytes[..length]),
        }
        let mut asked = 0;
        while let Some(end) = self.0.iter().position(|&byte| byte == b'\n') {
            let line: Vec<u8> = self.0.drain(..=end).collect();
            asked += usize::from(line.trim_ascii() == b"stats");
        }
        Some(asked)
    }
}

/// A socket that becomes readable with every SIGTERM and SIGINT, one byte each; reading does not wait.
///
/// # Errors
/// When the kernel gives no sockets, or the signals cannot be caught.
pub fn signals() -> io::Result<UnixStream> {
    let (told, tell) = UnixStream::pair()?;
    for signal in [signal_hook::consts::SIGTERM, signal_hook::consts::SIGINT] {
        signal_hook::low_level::pipe::register(signal, tell.try_clone()?)?;
    }
    told.set_nonblocking(true)?;
    Ok(told)
}

/// Thousands of connections need as many descriptors; without the right to raise the limit, it stays.
pub fn raise_descriptor_limit() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    let _kept = setrlimit(Resource::Nofile, limit);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_are_whole_lines_however_they_come() {
        let (near, mut far) = UnixStream::pair().unwrap();
        let mut questions = Questions::default();
        let mut heard = |text: &str| {
            far.write_all(text.as_bytes()).unwrap();
            questions.read(&near)
        };
        assert_eq!(heard("sta"), Some(0));
        assert_eq!(heard("ts\nother\n stats \r\nst"), Some(2));
        assert_eq!(heard("ats\n"), Some(1));
        drop(far);
        assert_eq!(questions.read(&near), None);
    }
}
