//! The agent's protocol over a Unix socket in place of vsock: streams, signals, endings, and what happens without the harness.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Longest a test waits for anything.
const PATIENCE: Duration = Duration::from_secs(20);

/// An agent on a socket of its own.
struct Agent(Child, PathBuf);

impl Agent {
    fn start(name: &str) -> Self {
        let socket = std::env::temp_dir().join(format!("dpb-agent-{name}-{}", std::process::id()));
        let mut child = Command::new(env!("CARGO_BIN_EXE_dpb-agent"))
            .arg("--listen")
            .arg(&socket)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the agent starts");
        let mut ready = String::new();
        BufReader::new(child.stdout.take().expect("piped")).read_line(&mut ready).expect("a line");
        assert!(ready.contains("\"ready\""), "{ready}");
        Self(child, socket)
    }

    fn ask(&self, request: &str) -> UnixStream {
        let mut stream = UnixStream::connect(&self.1).expect("the agent listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        stream.write_all(request.as_bytes()).expect("the agent reads");
        stream.write_all(b"\n").expect("the agent reads");
        stream
    }

    fn spawn(&self, argv: &[&str]) -> UnixStream {
        self.ask(&serde_json::json!({ "spawn": { "argv": argv } }).to_string())
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _gone = self.0.kill();
        let _reaped = self.0.wait();
        let _removed = std::fs::remove_file(&self.1);
    }
}

fn send(stream: &mut UnixStream, kind: u8, payload: &[u8]) {
    let [_, high, middle, low] = u32::try_from(payload.len()).expect("short").to_be_bytes();
    stream.write_all(&[kind, high, middle, low]).expect("the agent reads");
    stream.write_all(payload).expect("the agent reads");
}

fn next(stream: &mut impl Read) -> Option<(char, Vec<u8>)> {
    let mut head = [0; 4];
    stream.read_exact(&mut head).ok()?;
    let mut payload = vec![0; u32::from_be_bytes([0, head[1], head[2], head[3]]) as usize];
    stream.read_exact(&mut payload).expect("a whole frame");
    Some((head[0].into(), payload))
}

/// Everything until the last frame: stdout, stderr and how it ended.
fn rest(stream: &mut impl Read) -> (Vec<u8>, Vec<u8>, serde_json::Value) {
    let (mut output, mut error) = (Vec::new(), Vec::new());
    loop {
        match next(stream).expect("a last frame") {
            ('o', bytes) => output.extend(bytes),
            ('e', bytes) => error.extend(bytes),
            ('x', json) => return (output, error, serde_json::from_slice(&json).expect("JSON")),
            (kind, _) => assert_eq!(kind, 's'),
        }
    }
}

fn started(stream: &mut impl Read) -> String {
    let (kind, json) = next(stream).expect("a frame");
    assert_eq!(kind, 's');
    let json: serde_json::Value = serde_json::from_slice(&json).expect("JSON");
    json["pid"].to_string()
}

fn gone_within_patience(pid: &str) -> bool {
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        if !Path::new("/proc").join(pid).exists() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    false
}

#[test]
fn streams_come_apart_and_whole() {
    let agent = Agent::start("streams");
    let mut stream = agent.spawn(&["sh", "-c", "cat; echo to-stderr >&2; exit 3"]);
    let bytes: Vec<u8> = (0..3_000_000_u32).flat_map(u32::to_le_bytes).collect();
    let mut writer = stream.try_clone().expect("a clone");
    let sent = bytes.clone();
    let writing = std::thread::spawn(move || {
        for chunk in sent.chunks(1_000_003) {
            send(&mut writer, b'i', chunk);
        }
        send(&mut writer, b'i', b"");
    });
    let (output, error, ending) = rest(&mut stream);
    writing.join().expect("written");
    assert!(output == bytes, "{} bytes of {} came back", output.len(), bytes.len());
    assert_eq!(error, b"to-stderr\n");
    assert_eq!(ending, serde_json::json!({ "code": 3 }));
}

#[test]
fn a_program_gets_what_was_asked_and_nothing_else() {
    let agent = Agent::start("environment");
    let request = r#"{"spawn":{"argv":["env"],"env":{"COLOUR":"blue"},"cwd":"/tmp"}}"#;
    let (output, _, ending) = rest(&mut agent.ask(request));
    let text = String::from_utf8(output).expect("text");
    let mut names: Vec<&str> = text.lines().filter_map(|line| line.split('=').next()).collect();
    names.sort_unstable();
    assert_eq!(names, ["COLOUR", "HOME", "PATH"]);
    assert_eq!(ending, serde_json::json!({ "code": 0 }));
    let (output, ..) = rest(&mut agent.ask(r#"{"spawn":{"argv":["pwd"],"cwd":"/tmp"}}"#));
    assert_eq!(output, b"/tmp\n");
}

#[test]
fn signals_reach_the_whole_group() {
    let agent = Agent::start("signals");
    let mut stream = agent.spawn(&["sh", "-c", "sleep 1000 & echo $!; wait"]);
    let group = started(&mut stream);
    let (kind, child) = next(&mut stream).expect("a frame");
    assert_eq!(kind, 'o');
    send(&mut stream, b'k', &[15]);
    assert_eq!(rest(&mut stream).2, serde_json::json!({ "signal": 15 }));
    assert!(gone_within_patience(&group));
    assert!(gone_within_patience(String::from_utf8(child).expect("a number").trim()));
}

#[test]
fn a_lost_connection_kills_what_ran_on_it() {
    let agent = Agent::start("lost");
    let mut stream = agent.spawn(&["sh", "-c", "trap '' TERM HUP; echo armed; while :; do sleep 1000; done"]);
    let pid = started(&mut stream);
    assert_eq!(next(&mut stream).expect("a frame").1, b"armed\n");
    drop(stream);
    assert!(gone_within_patience(&pid), "{pid} still runs");
}

#[test]
fn half_a_frame_is_a_lost_connection() {
    let agent = Agent::start("half");
    let mut stream = agent.spawn(&["sleep", "1000"]);
    let pid = started(&mut stream);
    stream.write_all(&[b'i', 0, 0]).expect("the agent reads");
    stream.shutdown(Shutdown::Write).expect("open");
    assert_eq!(rest(&mut stream).2, serde_json::json!({ "signal": 9 }));
    assert!(gone_within_patience(&pid));
}

#[test]
fn failures_have_words() {
    let agent = Agent::start("failures");
    let error = |request: &str| rest(&mut agent.ask(request)).2["error"].as_str().unwrap_or_default().to_owned();
    assert!(error(r#"{"spawn":{"argv":["/no/such/program"]}}"#).contains("/no/such/program: No such file"));
    assert!(error(r#"{"spawn":{"argv":[]}}"#).contains("argv is empty"));
    assert!(error(r#"{"spawn":{"argv":["true"],"cwd":"/no/such/folder"}}"#).contains("No such file"));
    assert!(error(r#"{"read":{"path":"/no/such/file"}}"#).contains("/no/such/file: No such file"));
    // Many failed starts beside programs that end: the one waiter must not take another's child.
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..25 {
                    assert!(error(r#"{"spawn":{"argv":["/no/such/program"]}}"#).contains("No such file"));
                    assert_eq!(rest(&mut agent.spawn(&["true"])).2, serde_json::json!({ "code": 0 }));
                }
            });
        }
    });
}

#[test]
fn what_is_no_request_is_answered_by_the_end_of_the_connection() {
    let agent = Agent::start("nonsense");
    let mut answer = Vec::new();
    agent.ask("make me a sandwich").read_to_end(&mut answer).expect("an end");
    assert_eq!(answer, b"");
    assert_eq!(rest(&mut agent.spawn(&["true"])).2, serde_json::json!({ "code": 0 }));
}

#[test]
fn files_and_names_are_told_without_a_process() {
    let agent = Agent::start("files");
    let (output, ..) = rest(&mut agent.ask(r#"{"read":{"path":"/proc/sys/kernel/osrelease"}}"#));
    let (hello, ..) = rest(&mut agent.ask(r#"{"hello":{}}"#));
    let hello: serde_json::Value = serde_json::from_slice(&hello).expect("JSON");
    assert_eq!(hello["kernel"].as_str(), Some(String::from_utf8(output).expect("text").trim()));
    assert_eq!(rest(&mut agent.ask(r#"{"poweroff":{}}"#)).2, serde_json::json!({ "code": 0 }));
}
