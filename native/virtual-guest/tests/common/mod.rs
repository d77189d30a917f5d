//! The device as a process of its own, with its guests' sockets, far sides and statistics.

#![allow(dead_code, missing_docs)]

pub mod control;
pub mod neighbour;

use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Once;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use virtual_guest::peer::{Names, Peer, Running};
use virtual_guest::{Address, Guest, Options, Stream, proxy_header};

/// Where the guests find the services of the peer.
pub const FAR: Ipv4Addr = Ipv4Addr::new(10, 10, 2, 20);

/// A service of the peer as the guests call it.
pub fn far(port: u16) -> Address {
    (FAR, port).into()
}

/// The address of a guest's pod.
pub fn pod(guest: usize) -> Ipv4Addr {
    Ipv4Addr::new(10, 10, 1, 10 + guest as u8)
}

/// The device's binary, built as these tests were.
fn device_binary() -> PathBuf {
    static BUILT: Once = Once::new();
    let test = std::env::current_exe().expect("a test has a path");
    let folder = test.parent().and_then(Path::parent).expect("tests lie in deps").to_owned();
    BUILT.call_once(|| {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["build", "--quiet", "-p", "vsock-tsi"]).current_dir(env!("CARGO_MANIFEST_DIR"));
        if folder.ends_with("release") {
            cargo.arg("--release");
        }
        assert!(cargo.status().expect("cargo runs").success(), "dpb-vsock-tsi does not build");
    });
    folder.join("dpb-vsock-tsi")
}

/// One device process, a folder for its sockets, and a peer for each guest.
pub struct Scene {
    folder: PathBuf,
    device: Child,
    stdin: ChildStdin,
    lines: BufReader<ChildStdout>,
    pub peers: Vec<Running>,
    /// Why guests went, in the order of their going: `(guest, because)`.
    pub gone: Vec<(String, String)>,
}

impl Scene {
    /// So many guests, each with a peer of its own behind `outbound`.
    pub fn new(guests: usize) -> Self {
        Self::with(guests, &[("vhost", &["agent", "tsi"])])
    }

    /// One guest with a device for its agent and another, `vhost-tsi`, for its applications.
    pub fn side_by_side() -> Self {
        Self::with(1, &[("vhost", &["agent"]), ("vhost-tsi", &["tsi"])])
    }

    fn with(guests: usize, devices: &[(&str, &[&str])]) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("dpb-vg-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder for sockets");
        let path = |name: &str, guest: usize| folder.join(format!("{guest}.{name}"));
        let describe = |guest: usize| {
            let device =
                |(name, services): &(&str, &[&str])| json!({ "socket": path(name, guest), "services": services });
            json!({
                "name": format!("guest-{guest}"), "cid": 3 + guest, "address": pod(guest).to_string(),
                "devices": devices.iter().map(device).collect::<Vec<_>>(),
                "hybrid": path("hybrid", guest), "outbound": path("out", guest), "inbound": path("in", guest),
                "inboundPorts": [{ "port": 8080, "socket": path("in_8080", guest) }],
            })
        };
        let config = json!({ "guests": (0..guests).map(describe).collect::<Vec<_>>(), "rescueUs": 0, "pollUs": 0 });
        std::fs::write(folder.join("config.json"), config.to_string()).expect("writing the configuration");
        let start = |guest| Peer::named(path("out", guest)).and_then(Peer::start).expect("a peer");
        let peers = (0..guests).map(start).collect();
        let mut command = Command::new(device_binary());
        command.arg("--config").arg(folder.join("config.json")).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut device = command.spawn().expect("the device starts");
        let stdin = device.stdin.take().expect("piped");
        let lines = BufReader::new(device.stdout.take().expect("piped"));
        let mut scene = Self { folder, device, stdin, lines, peers, gone: Vec::new() };
        assert_eq!(scene.line()["event"], "ready");
        scene
    }

    pub fn socket(&self, name: &str, guest: usize) -> PathBuf {
        self.folder.join(format!("{guest}.{name}"))
    }

    pub fn guest(&self, guest: usize) -> Guest {
        self.guest_with(guest, Options::default())
    }

    pub fn guest_with(&self, guest: usize, options: Options) -> Guest {
        Guest::attach_with(self.socket("vhost", guest), options).expect("attaching")
    }

    /// By another device than the usual one.
    pub fn guest_at(&self, device: &str, guest: usize) -> Guest {
        Guest::attach(self.socket(device, guest)).expect("attaching")
    }

    /// The node proxy calls a TCP port of a guest in somebody's name.
    pub fn call_in(&self, guest: usize, from: SocketAddrV4, port: u16) -> UnixStream {
        let mut stream = UnixStream::connect(self.socket("in", guest)).expect("inbound");
        let names = Names { from, to: SocketAddrV4::new(pod(guest), port) };
        stream.write_all(&proxy_header(names)).expect("a header");
        stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a timeout");
        stream
    }

    fn line(&mut self) -> Value {
        let mut line = String::new();
        self.lines.read_line(&mut line).expect("reading the device's stdout");
        assert!(!line.is_empty(), "the device has ended: {:?}", self.device.wait());
        serde_json::from_str(&line).expect("lines of JSON")
    }

    /// Statistics of all guests; what is said before them is kept in `gone`.
    pub fn all_stats(&mut self) -> Value {
        writeln!(self.stdin, "stats").expect("the device lives");
        loop {
            let mut line = self.line();
            match line["event"].as_str() {
                Some("stats") => return line["guests"].take(),
                Some("guest-gone") => self.gone.push((text(&line["guest"]), text(&line["because"]))),
                other => panic!("unexpected event {other:?}"),
            }
        }
    }

    pub fn stats(&mut self, guest: usize) -> Value {
        self.all_stats()[format!("guest-{guest}")].take()
    }

    /// Statistics as soon as they are so.
    pub fn stats_when(&mut self, guest: usize, so: impl Fn(&Value) -> bool) -> Value {
        let until = Instant::now() + Duration::from_secs(10);
        loop {
            let stats = self.stats(guest);
            if so(&stats) {
                return stats;
            }
            assert!(Instant::now() < until, "never came true: {stats}");
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// The device's own memory in KiB, that of guests not counted.
    pub fn memory_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.device.id())).expect("the device lives");
        let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).expect("RssAnon");
        line.trim().trim_end_matches("kB").trim().parse().expect("a number")
    }

    /// Descriptors that the device has open.
    pub fn descriptors(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.device.id())).expect("the device lives").count()
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        let _gone = self.device.kill();
        let _reaped = self.device.wait();
        let _removed = std::fs::remove_dir_all(&self.folder);
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// There and back, every byte looked at.
pub fn round_trip(stream: &mut Stream, bytes: &[u8]) -> std::io::Result<()> {
    stream.write_all(bytes)?;
    let mut answer = vec![0; bytes.len()];
    stream.read_exact(&mut answer)?;
    if answer == bytes { Ok(()) } else { Err(std::io::Error::other("another echo than was called")) }
}
