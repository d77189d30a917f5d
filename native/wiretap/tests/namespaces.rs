//! Counts real packets between two network namespaces of its own. Without root it says so, and checks that the program
//! does.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

fn ip(arguments: &str) {
    let output = Command::new("ip").args(arguments.split_whitespace()).output().expect("iproute2 is installed");
    assert!(output.status.success(), "ip {arguments}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Two namespaces with a veth pair, removed at the end.
struct Pair([String; 2]);

impl Pair {
    fn new() -> Self {
        let pair = Self([1, 2].map(|side| format!("dpbt-{}-{side}", std::process::id())));
        let [a, b] = &pair.0;
        ip(&format!("netns add {a}"));
        ip(&format!("netns add {b}"));
        ip(&format!("link add und0 netns {a} type veth peer name und0 netns {b}"));
        for (side, address) in [(a, "192.0.2.1/24"), (b, "192.0.2.2/24")] {
            ip(&format!("-n {side} address add {address} dev und0"));
            ip(&format!("-n {side} link set und0 up"));
        }
        pair
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        for name in &self.0 {
            let _gone = Command::new("ip").args(["netns", "del", name]).output();
        }
    }
}

/// The program under test in one namespace.
struct Wiretap(Child, ChildStdin, BufReader<ChildStdout>);

impl Wiretap {
    fn start(namespace: &str) -> Self {
        let mut child = Command::new("ip")
            .args(["netns", "exec", namespace, env!("CARGO_BIN_EXE_dpb-wiretap"), "--interface", "und0"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (stdin, stdout) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        let mut tap = Self(child, stdin, stdout);
        assert!(tap.line().contains(r#""event":"ready""#));
        tap
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.2.read_line(&mut line).unwrap();
        line
    }

    /// tcp, plaintext, hbone.
    fn read(&mut self) -> [u64; 3] {
        writeln!(self.1, "read").unwrap();
        let line = self.line();
        let value: serde_json::Value = serde_json::from_str(&line).unwrap();
        ["tcp", "plaintext", "hbone"].map(|name| value[name].as_u64().unwrap())
    }
}

impl Drop for Wiretap {
    fn drop(&mut self) {
        let _gone = self.0.kill();
        let _gone = self.0.wait();
    }
}

/// Sends bytes by python's sockets from one namespace to a port of the other, `times` in one connection, each read back
/// before the next; so each is a packet of its own.
fn exchange(pair: &Pair, port: u16, times: u32, payload: &str) {
    let [client, server] = &pair.0;
    let serve = format!(
        "import socket\ns=socket.create_server(('192.0.2.2',{port}))\nprint('up',flush=True)\nc,_=s.accept()\n\
         while b:=c.recv(65536): c.sendall(b'k')"
    );
    let mut far = Command::new("ip")
        .args(["netns", "exec", server, "python3", "-c", &serve])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut up = [0; 3];
    far.stdout.as_mut().unwrap().read_exact(&mut up).unwrap();
    let send = format!(
        "import socket\ns=socket.create_connection(('192.0.2.2',{port}))\n\
         for _ in range({times}): s.sendall({payload}); s.recv(1)"
    );
    let near = Command::new("ip").args(["netns", "exec", client, "python3", "-c", &send]).status().unwrap();
    assert!(near.success());
    assert!(far.wait().unwrap().success());
}

#[test]
fn packets_between_namespaces_are_counted_by_what_they_carry() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("not root: checking only that the program says what it needs");
        let output = Command::new(env!("CARGO_BIN_EXE_dpb-wiretap")).args(["--interface", "lo"]).output().unwrap();
        assert!(String::from_utf8_lossy(&output.stderr).contains("CAP_NET_RAW"));
        return;
    }
    let pair = Pair::new();
    let mut tap = Wiretap::start(&pair.0[1]);
    let mut other = Wiretap::start(&pair.0[0]);
    assert_eq!(tap.read(), [0; 3]);

    exchange(&pair, 8081, 100, "b'dpb!'*16");
    let [tcp, plaintext, hbone] = tap.read();
    assert!(tcp >= 102, "{tcp}");
    assert_eq!((plaintext, hbone), (100, 0));

    exchange(&pair, 15_008, 50, r"b'\x17\x03\x03\x00\x40' + b'dpb!'*16");
    let [more, plaintext, hbone] = tap.read();
    assert_eq!(plaintext, 100);
    assert_eq!(hbone, more - tcp);
    assert!(hbone >= 52, "{hbone}");
    // The other end received answers ("k") only: what leaves is not counted.
    assert_eq!(other.read()[1], 0);
}

#[test]
fn an_interface_that_is_not_there_is_named() {
    let output = Command::new(env!("CARGO_BIN_EXE_dpb-wiretap")).args(["--interface", "nowhere9"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("nowhere9") || said.contains("CAP_NET_RAW"), "{said}");
}
