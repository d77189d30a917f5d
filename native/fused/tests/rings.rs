//! From ring to ring: a guest without a kernel on either side, two fused processes and HBONE between them, in a network
//! namespace of each test's own.

use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};
use virtual_guest::{Guest, Stream};

const PORT: u16 = 8080;

const CLIENT: Ipv4Addr = Ipv4Addr::new(10, 10, 1, 10);
const SERVER: Ipv4Addr = Ipv4Addr::new(10, 10, 2, 20);

static NUMBER: AtomicU32 = AtomicU32::new(0);

/// A network namespace with both addresses.
struct Namespace(String);

impl Namespace {
    fn new(name: String) -> Self {
        let namespace = Self(name);
        run("ip", &["netns", "add", &namespace.0]);
        run("ip", &["-n", &namespace.0, "link", "set", "lo", "up"]);
        for address in [CLIENT, SERVER] {
            run("ip", &["-n", &namespace.0, "address", "add", &format!("{address}/32"), "dev", "lo"]);
        }
        namespace
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let _gone = Command::new("ip").args(["netns", "delete", &self.0]).status();
    }
}

struct Node {
    process: Child,
    stdin: ChildStdin,
    lines: BufReader<ChildStdout>,
}

impl Node {
    fn stats(&mut self) -> Value {
        self.stdin.write_all(b"stats\n").unwrap();
        loop {
            let mut line = String::new();
            self.lines.read_line(&mut line).unwrap();
            let said: Value = serde_json::from_str(&line).unwrap();
            // Others tell of guests that have gone.
            if said["event"] == "stats" {
                return said;
            }
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _gone = self.process.kill();
        let _reaped = self.process.wait();
    }
}

struct Scene {
    client: Node,
    server: Node,
    folder: PathBuf,
    _namespace: Namespace,
}

impl Drop for Scene {
    fn drop(&mut self) {
        let _gone = std::fs::remove_dir_all(&self.folder);
    }
}

fn run(program: &str, arguments: &[&str]) {
    let output = Command::new(program).args(arguments).output().expect("the program runs");
    assert!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

fn spiffe(name: &str) -> String {
    format!("spiffe://cluster.local/ns/test/sa/{name}")
}

fn certificates(folder: &Path) {
    let at = |name: &str| folder.join(name).to_string_lossy().into_owned();
    let key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-batch", "-days", "1"];
    let (root, root_key) = (at("root.pem"), at("root.key"));
    let own = ["req", "-x509", "-subj", "/O=root", "-out", &root, "-keyout", &root_key];
    run("openssl", &[&own[..], &key].concat());
    for name in ["client", "server"] {
        let (pem, secret) = (at(&format!("{name}.pem")), at(&format!("{name}.key")));
        let san = format!("subjectAltName=critical,URI:{}", spiffe(name));
        let leaf = ["req", "-x509", "-subj", "/", "-CA", &root, "-CAkey", &root_key, "-out", &pem, "-keyout", &secret];
        let usage = ["-addext", &san, "-addext", "basicConstraints=critical,CA:FALSE"];
        run("openssl", &[&leaf[..], &key, &usage].concat());
    }
}

fn start(at: (&Namespace, &Path), name: &str, address: Ipv4Addr, reaches: &Value, admits: &str) -> Node {
    let (namespace, folder) = at;
    let at = |what: &str| folder.join(format!("{name}.{what}"));
    let config = json!({
        "guests": [{ "name": name, "cid": 3, "address": address, "hybrid": at("hybrid"),
            "devices": [{ "socket": at("vhost"), "services": ["agent", "tsi"] }] }],
        "pods": [{ "name": name, "address": address, "mark": 0, "certificate": at("pem"), "key": at("key"),
            "roots": folder.join("root.pem"), "reaches": [reaches], "admits": [admits] }],
        "rescueUs": 0,
    });
    std::fs::write(at("json"), config.to_string()).unwrap();
    let mut process = Command::new("ip")
        .args(["netns", "exec", &namespace.0, env!("CARGO_BIN_EXE_dpb-fused"), "--config"])
        .arg(at("json"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (stdin, stdout) = (process.stdin.take().unwrap(), process.stdout.take().unwrap());
    let mut node = Node { process, stdin, lines: BufReader::new(stdout) };
    let mut line = String::new();
    node.lines.read_line(&mut line).unwrap();
    assert!(line.contains("ready"), "{line}");
    node
}

impl Scene {
    fn new(expected_peer: &str, admitted: &str) -> Self {
        let name = format!("dpb-fused-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let folder = std::env::temp_dir().join(&name);
        std::fs::create_dir_all(&folder).unwrap();
        certificates(&folder);
        let namespace = Namespace::new(name);
        let at = (&namespace, folder.as_path());
        let to_server = json!({ "to": SERVER, "peer": spiffe(expected_peer) });
        let to_client = json!({ "to": CLIENT, "peer": spiffe("client") });
        let server = start(at, "server", SERVER, &to_client, &spiffe(admitted));
        let client = start(at, "client", CLIENT, &to_server, &spiffe("server"));
        Self { client, server, folder, _namespace: namespace }
    }

    fn guest(&self, name: &str) -> Guest {
        Guest::attach(self.folder.join(format!("{name}.vhost"))).unwrap()
    }

    /// A guest that takes `calls` calls, one after another, and deals with each by `serve`.
    fn serve(&self, calls: usize, serve: impl Fn(Stream) + Send + 'static) -> thread::JoinHandle<()> {
        let socket = self.folder.join("server.vhost");
        let (ready, listening) = mpsc::channel();
        let server = thread::spawn(move || {
            let guest = Guest::attach(socket).unwrap();
            guest.listen(PORT.into());
            ready.send(()).unwrap();
            for _ in 0..calls {
                serve(guest.accept(PORT.into()).unwrap());
            }
            // What was written last still has to leave.
            guest.run_for(Duration::from_millis(200)).unwrap();
        });
        listening.recv().unwrap();
        server
    }
}

fn to(port: u16) -> SocketAddrV4 {
    SocketAddrV4::new(SERVER, port)
}

fn echo(mut stream: Stream) {
    let mut bytes = [0; 8192];
    loop {
        let count = stream.read(&mut bytes).unwrap();
        if count == 0 {
            return stream.finish().unwrap();
        }
        stream.write_all(&bytes[..count]).unwrap();
    }
}

fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|place| (place * 31 + place / 251) as u8).collect()
}

#[test]
fn what_one_guest_sends_the_other_gets_and_both_know_whom_they_speak_to() {
    let mut scene = Scene::new("server", "client");
    let sizes = [1, 64, 1000, 20_000, 100_000];
    let server = scene.serve(sizes.len(), echo);
    let guest = scene.guest("client");
    for size in sizes {
        let mut stream = guest.connect(to(PORT)).unwrap();
        let sent = pattern(size);
        stream.write_all(&sent).unwrap();
        // Half close: the answer still comes.
        stream.finish().unwrap();
        let mut got = Vec::new();
        stream.read_to_end(&mut got).unwrap();
        assert!(got == sent, "{size} bytes");
    }
    server.join().unwrap();
    let (client, server) = (scene.client.stats(), scene.server.stats());
    let total: usize = sizes.iter().sum();
    let name = to(PORT).to_string();
    assert_eq!(client["guests"]["client"]["destinations"][&name]["bytesFromGuest"], total);
    assert_eq!(client["pods"]["client"]["outbound"]["bytesIn"], total);
    assert_eq!(client["pods"]["client"]["outbound"]["tls"]["peers"][spiffe("server")], sizes.len());
    assert_eq!(server["pods"]["server"]["inbound"]["tls"]["peers"][spiffe("client")], sizes.len());
    assert_eq!(server["guests"]["server"]["inboundPorts"]["8080"]["bytesToGuest"], total);
    assert_eq!(server["guests"]["server"]["inbound"]["opened"], sizes.len());
}

#[test]
fn the_server_may_speak_first_and_end_first() {
    let scene = Scene::new("server", "client");
    let server = scene.serve(1, |mut stream| {
        stream.write_all(b"220 ready\n").unwrap();
        stream.finish().unwrap();
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).unwrap();
        assert_eq!(rest, b"thanks");
    });
    let guest = scene.guest("client");
    let mut stream = guest.connect(to(PORT)).unwrap();
    let mut got = String::new();
    stream.read_to_string(&mut got).unwrap();
    assert_eq!(got, "220 ready\n");
    stream.write_all(b"thanks").unwrap();
    stream.finish().unwrap();
    guest.run_for(Duration::from_millis(100)).unwrap();
    server.join().unwrap();
}

#[test]
fn an_answer_arrives_whole_when_the_server_closes_at_once() {
    let scene = Scene::new("server", "client");
    let answer = pattern(50_000);
    let sent = answer.clone();
    let server = scene.serve(8, move |mut stream| {
        let mut request = [0; 4];
        stream.read_exact(&mut request).unwrap();
        stream.write_all(&sent).unwrap();
        // Both halves: the client is still to speak, and the server will not listen.
        drop(stream);
    });
    let guest = scene.guest("client");
    for round in 0..8 {
        let mut stream = guest.connect(to(PORT)).unwrap();
        stream.write_all(b"ping").unwrap();
        let mut got = Vec::new();
        stream.read_to_end(&mut got).unwrap();
        assert!(got == answer, "{} of {} bytes in round {round}", got.len(), answer.len());
    }
    server.join().unwrap();
}

#[test]
fn many_streams_share_a_tunnel_connection_and_none_waits_for_another() {
    let mut scene = Scene::new("server", "client");
    let server = scene.serve(16, |mut stream| {
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).unwrap();
        stream.write_all(&bytes).unwrap();
        stream.finish().unwrap();
    });
    let guest = scene.guest("client");
    let mut streams: Vec<Stream> = (0..16).map(|_| guest.connect(to(PORT)).unwrap()).collect();
    let sent = pattern(20_000);
    // The last is written first: the server takes calls in order, so the others' bytes have to wait without blocking it.
    for stream in streams.iter_mut().rev() {
        stream.write_all(&sent).unwrap();
        stream.finish().unwrap();
    }
    for stream in &mut streams {
        let mut got = Vec::new();
        stream.read_to_end(&mut got).unwrap();
        assert!(got == sent);
    }
    server.join().unwrap();
    let tls = &scene.client.stats()["pods"]["client"]["outbound"]["tls"];
    assert_eq!((&tls["handshakes"], &tls["failures"]), (&1.into(), &0.into()));
}

/// A call succeeds at once, as behind a redirect; where it leads nowhere, it is reset.
fn is_reset(guest: &Guest, to: SocketAddrV4) {
    let began = Instant::now();
    let Ok(mut stream) = guest.connect(to) else { return };
    let mut bytes = [0; 10];
    let outcome = stream.write_all(b"hello").and_then(|()| stream.read(&mut bytes));
    assert!(matches!(outcome, Err(_) | Ok(0)), "{outcome:?}");
    assert!(began.elapsed() < Duration::from_secs(3));
}

#[test]
fn nobody_listening_wrong_peer_and_unknown_destination_end_the_stream() {
    let scene = Scene::new("server", "client");
    let server = scene.serve(0, |_| ());
    let guest = scene.guest("client");
    is_reset(&guest, to(9));
    is_reset(&guest, SocketAddrV4::new(Ipv4Addr::new(192, 0, 2, 1), 80));
    server.join().unwrap();
    let other = Scene::new("somebody-else", "client");
    is_reset(&other.guest("client"), to(PORT));
    let closed = Scene::new("server", "somebody-else");
    is_reset(&closed.guest("client"), to(PORT));
}
