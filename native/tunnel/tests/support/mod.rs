//! Nodes for tests: certificates made by openssl, pods on loopback addresses, a thread for each node.

#![allow(dead_code, reason = "each test file uses its part")]

use poller::{Events, Poller, Token};
use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::rc::Rc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use tunnel::Node;
use tunnel::config::{PodConfig, Reach};
use tunnel::proxy_v2::{self, Announced};

/// A folder of its own for each test, gone with it, and loopback addresses that no other test uses.
pub struct World {
    pub folder: PathBuf,
    number: u32,
}

static WORLDS: AtomicU32 = AtomicU32::new(0);

impl World {
    pub fn new() -> Self {
        let number = WORLDS.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("dpb-tunnel-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let world = Self { folder, number };
        world.root("ca");
        world
    }

    /// An address for a pod: tests run at the same time, in several processes.
    pub fn address(&self, host: u8) -> std::net::Ipv4Addr {
        let process = std::process::id();
        std::net::Ipv4Addr::new(127, 1 + (process % 200) as u8, (process / 200 % 8 * 32 + self.number) as u8, host)
    }

    pub fn root(&self, name: &str) {
        let out = self.folder.join(format!("{name}.pem"));
        let key = self.folder.join(format!("{name}.key"));
        openssl(&["-subj", "/O=test", "-addext", "keyUsage=critical,keyCertSign,cRLSign"], &out, &key);
    }

    /// A leaf `name` under `root`, as clusters/pki makes it.
    pub fn leaf(&self, root: &str, name: &str, names: &str) {
        let ca = self.folder.join(format!("{root}.pem"));
        let ca_key = self.folder.join(format!("{root}.key"));
        let san = format!("subjectAltName=critical,{names}");
        let signed = ["-CA", ca.to_str().unwrap(), "-CAkey", ca_key.to_str().unwrap(), "-subj", "/", "-addext", &san];
        let usage =
            ["-addext", "basicConstraints=critical,CA:FALSE", "-addext", "extendedKeyUsage=serverAuth,clientAuth"];
        let (out, key) = (self.folder.join(format!("{name}.pem")), self.folder.join(format!("{name}.key")));
        openssl(&[&signed[..], &usage[..]].concat(), &out, &key);
    }

    /// A pod whose application is reached by Unix sockets.
    pub fn pod(&self, name: &str, host: u8) -> PodConfig {
        let file = |suffix: &str| self.folder.join(format!("{name}.{suffix}"));
        if !file("pem").exists() {
            self.leaf("ca", name, &format!("URI:{}", id(name)));
        }
        PodConfig {
            name: name.into(),
            address: self.address(host),
            netns: None,
            mark: 0,
            certificate: file("pem"),
            key: file("key"),
            roots: self.folder.join("ca.pem"),
            capture: false,
            sidecar: false,
            outbound_socket: Some(file("out")),
            inbound_socket: Some(file("in")),
            reaches: vec![],
            admits: vec![],
        }
    }

    /// A client that may call a server, and the server.
    pub fn pair(&self) -> (PodConfig, PodConfig) {
        let (mut client, mut server) = (self.pod("client", 1), self.pod("server", 2));
        client.reaches = vec![Reach { to: server.address, peer: id("server"), via: None }];
        server.admits = vec![id("client")];
        (client, server)
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let _gone = std::fs::remove_dir_all(&self.folder);
    }
}

pub fn id(name: &str) -> String {
    format!("spiffe://cluster.local/ns/test/sa/{name}")
}

fn openssl(arguments: &[&str], out: &Path, key: &Path) {
    let curve =
        ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-batch", "-days", "1"];
    let done =
        Command::new("openssl").args(curve).args(arguments).arg("-out").arg(out).arg("-keyout").arg(key).output();
    let done = done.expect("openssl is needed for tests");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

enum Order {
    Stats(Sender<serde_json::Value>),
    Drain,
    Stop,
}

/// A node on a thread of its own.
pub struct Host {
    orders: Sender<Order>,
    bell: UnixStream,
    thread: Option<JoinHandle<()>>,
}

impl Host {
    pub fn start(pods: &[PodConfig]) -> Self {
        let (orders, taken) = channel();
        let (bell, rung) = UnixStream::pair().unwrap();
        let (started, ready) = channel();
        let pods = pods.to_vec();
        let thread = thread::spawn(move || run(&pods, &taken, &rung, &started));
        ready.recv().unwrap();
        Self { orders, bell, thread: Some(thread) }
    }

    fn order(&mut self, order: Order) {
        self.orders.send(order).unwrap();
        self.bell.write_all(b"!").unwrap();
    }

    pub fn stats(&mut self, pod: &str) -> serde_json::Value {
        let (answer, answered) = channel();
        self.order(Order::Stats(answer));
        answered.recv().unwrap()[pod].take()
    }

    /// Statistics, as soon as they are as expected.
    pub fn stats_when(&mut self, pod: &str, expected: impl Fn(&serde_json::Value) -> bool) -> serde_json::Value {
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            let stats = self.stats(pod);
            if expected(&stats) {
                return stats;
            }
            assert!(Instant::now() < deadline, "{stats:#}");
            thread::yield_now();
        }
    }

    pub fn drain(&mut self) {
        self.order(Order::Drain);
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.order(Order::Stop);
        let ended = self.thread.take().unwrap().join();
        assert!(ended.is_ok() || thread::panicking(), "the node panicked");
    }
}

fn run(pods: &[PodConfig], orders: &Receiver<Order>, bell: &UnixStream, started: &Sender<()>) {
    let poller = Rc::new(Poller::new().unwrap());
    let mut node = Node::new(pods, Rc::clone(&poller), 1).unwrap();
    poller.add_level(bell, Token::new(0, 0, 0)).unwrap();
    started.send(()).unwrap();
    let mut events = Events::with_capacity(64);
    loop {
        let timeout = node.due().map(|due| due.saturating_duration_since(Instant::now()));
        poller.wait(&mut events, timeout).unwrap();
        for event in events.iter() {
            if event.token.owner() == 1 {
                node.on_event(event);
                continue;
            }
            let mut rung = [0];
            (&*bell).read_exact(&mut rung).unwrap();
            match orders.recv().unwrap() {
                Order::Stats(answer) => answer.send(node.stats()).unwrap(),
                Order::Drain => node.drain(),
                Order::Stop => return,
            }
        }
        node.turn();
    }
}

/// An application that serves every connection on a thread, after its PROXY header.
pub fn serve(pod: &PodConfig, with: impl Fn(UnixStream, Announced) + Send + Sync + Clone + 'static) {
    let listener = UnixListener::bind(pod.inbound_socket.as_ref().unwrap()).unwrap();
    thread::spawn(move || {
        for connection in listener.incoming() {
            let Ok(mut connection) = connection else { return };
            let with = with.clone();
            thread::spawn(move || {
                let mut header = [0; 28];
                connection.read_exact(&mut header).unwrap();
                with(connection, proxy_v2::parse(&header).unwrap().unwrap().0);
            });
        }
    });
}

/// Sends back every byte, and ends when the caller has ended.
pub fn echo(mut connection: UnixStream, _: Announced) {
    let mut bytes = vec![0; 64 << 10];
    while let Ok(count @ 1..) = connection.read(&mut bytes) {
        if connection.write_all(&bytes[..count]).is_err() {
            return;
        }
    }
}

/// The application's call out of a pod.
pub fn call(client: &PodConfig, server: &PodConfig, port: u16) -> UnixStream {
    let mut connection = UnixStream::connect(client.outbound_socket.as_ref().unwrap()).unwrap();
    let announced = Announced {
        from: std::net::SocketAddrV4::new(client.address, 40_000),
        to: std::net::SocketAddrV4::new(server.address, port),
    };
    connection.write_all(&proxy_v2::write(announced)).unwrap();
    connection.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    connection
}

/// Bytes that tell their place in the stream `seed`.
pub fn content(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    (0..length)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state as u8
        })
        .collect()
}
