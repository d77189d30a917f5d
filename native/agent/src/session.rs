//! A program and the connection that is its streams: what it writes goes out as frames, frames go in as input and signals.

#![forbid(unsafe_code)]

use crate::frame::{self, Frame, Kind};
use crate::reaper::{Ending, Reaper};
use crate::request::Program;
use rustix::process::{Pid, Signal, kill_process_group};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

/// Where programs are looked for, as on any Linux; the harness may give another PATH.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// How much is read at once from a program's stream, in bytes.
const CHUNK: usize = 64 * 1024;

/// The writing half of a connection, shared by the threads of its session.
#[derive(Debug, Clone)]
pub struct Sender(Arc<Mutex<File>>);

impl Sender {
    /// Shares a connection.
    #[must_use]
    pub fn new(connection: File) -> Self {
        Self(Arc::new(Mutex::new(connection)))
    }

    fn lock(&self) -> MutexGuard<'_, File> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends one frame.
    ///
    /// # Errors
    /// Those of the connection.
    pub fn send(&self, kind: Kind, payload: &[u8]) -> io::Result<()> {
        frame::write(&mut *self.lock(), kind, payload)
    }

    /// Sends the last frame.
    pub fn finish(&self, outcome: &serde_json::Value) {
        let _peer_may_be_gone = self.send(Kind::Exit, outcome.to_string().as_bytes());
        let _peer_may_be_gone = rustix::net::shutdown(&*self.lock(), rustix::net::Shutdown::Write);
    }
}

fn command(program: &Program) -> io::Result<Command> {
    let [name, arguments @ ..] = program.argv.as_slice() else {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "argv is empty"));
    };
    let mut command = Command::new(name);
    command.args(arguments).env_clear().env("PATH", PATH).env("HOME", "/").envs(&program.env);
    command.current_dir(program.cwd.as_deref().unwrap_or("/".as_ref()));
    command.process_group(0).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    if let Some(uid) = program.uid {
        command.uid(uid).gid(uid);
    }
    Ok(command)
}

/// Runs a program on a connection until it has ended. Without the connection it is killed, with its whole group.
///
/// # Errors
/// Where it cannot be started.
pub fn run(program: &Program, mut connection: File, sender: &Sender, reaper: &Reaper) -> io::Result<()> {
    let mut command = command(program)?;
    let (mut child, ended) = reaper.spawn(&mut command).map_err(|error| {
        io::Error::new(error.kind(), format!("{}: {error}", program.argv.first().map_or("", String::as_str)))
    })?;
    let group = Pid::from_child(&child);
    let input = child.stdin.take();
    let outputs = follow(&mut child, sender);
    let _peer_may_be_gone = sender.send(Kind::Started, format!("{{\"pid\":{}}}", child.id()).as_bytes());
    let waiter = report(ended, outputs, sender.clone());
    take_frames(&mut connection, input, group);
    // The connection has ended: by the harness after the last frame, or because the harness is gone.
    if !waiter.is_finished() {
        let _may_have_ended = kill_process_group(group, Signal::KILL);
    }
    let _reported = waiter.join();
    Ok(())
}

/// One thread for each output stream.
fn follow(child: &mut Child, sender: &Sender) -> Vec<JoinHandle<()>> {
    let stdout = child.stdout.take().map(|stream| (Kind::Output, OwnedFd::from(stream)));
    let stderr = child.stderr.take().map(|stream| (Kind::Error, OwnedFd::from(stream)));
    [stdout, stderr]
        .into_iter()
        .flatten()
        .map(|(kind, stream)| {
            let sender = sender.clone();
            std::thread::spawn(move || pump(File::from(stream), kind, &sender))
        })
        .collect()
}

/// Until the stream ends, or nobody takes what it brings: then the program gets a broken pipe, as everywhere.
fn pump(mut stream: File, kind: Kind, sender: &Sender) {
    let mut chunk = vec![0; CHUNK];
    while let Ok(length @ 1..) = stream.read(&mut chunk) {
        if sender.send(kind, &chunk[..length]).is_err() {
            return;
        }
    }
}

/// Sends how it ended, after all that it wrote.
fn report(ended: Receiver<Ending>, outputs: Vec<JoinHandle<()>>, sender: Sender) -> JoinHandle<()> {
    std::thread::spawn(move || {
        let outcome = match ended.recv() {
            Ok(Ending::Code(code)) => serde_json::json!({ "code": code }),
            Ok(Ending::Signal(signal)) => serde_json::json!({ "signal": signal }),
            Err(_) => serde_json::json!({ "error": "the agent lost sight of the program" }),
        };
        for output in outputs {
            let _ended = output.join();
        }
        sender.finish(&outcome);
    })
}

/// Passes input and signals on until the connection ends.
fn take_frames(connection: &mut File, mut input: Option<ChildStdin>, group: Pid) {
    while let Ok(Some(Frame { kind, payload })) = frame::read(connection) {
        match (kind, payload.as_slice()) {
            (Kind::Input, []) => input = None,
            (Kind::Input, bytes) => {
                // A program that has closed its input loses nothing by it: the harness sees its exit.
                if input.as_mut().is_some_and(|stream| stream.write_all(bytes).is_err()) {
                    input = None;
                }
            }
            (Kind::Signal, &[number]) => {
                if let Some(signal) = Signal::from_named_raw(i32::from(number)) {
                    let _may_have_ended = kill_process_group(group, signal);
                }
            }
            _ => return,
        }
    }
}
