//! What is refused, and how: the checks that ztunnel makes.

mod support;

use poller::{Events, Poller};
use std::io::{Read, Write};
use std::net::SocketAddrV4;
use std::process::{Command, Stdio};
use std::rc::Rc;
use std::time::{Duration, Instant};
use support::{Host, World, call, echo, id, serve};
use tunnel::Node;
use tunnel::api::Notice;
use tunnel::config::{PodConfig, Reach};

/// Status of the answer to a tunnel that `client` asks for; none when the connection fails.
fn ask(client: &PodConfig, to: SocketAddrV4) -> Result<(), Option<u16>> {
    let poller = Rc::new(Poller::new().unwrap());
    let mut client = client.clone();
    (client.outbound_socket, client.inbound_socket) = (None, None);
    let mut node = Node::new(&[client.clone()], Rc::clone(&poller), 1).unwrap();
    let pod = node.pod(&client.name).unwrap();
    let opened = node.open(pod, SocketAddrV4::new(client.address, 1), to).unwrap();
    let deadline = Instant::now() + Duration::from_secs(10);
    let mut events = Events::with_capacity(16);
    loop {
        node.turn();
        match node.notice() {
            Some(Notice::Opened(stream)) if stream == opened => return Ok(()),
            Some(Notice::Refused { stream, status }) if stream == opened => {
                assert_eq!(node.stats()[&client.name]["outbound"]["refused"], 1);
                return Err(status);
            }
            _ => {}
        }
        assert!(Instant::now() < deadline, "no answer");
        poller.wait(&mut events, Some(Duration::from_millis(100))).unwrap();
        events.iter().for_each(|event| node.on_event(event));
    }
}

#[test]
fn requests_are_answered_as_ztunnel_answers_them() {
    let world = World::new();
    let (mut client, server) = world.pair();
    let mut stranger = world.pod("stranger", 3);
    stranger.reaches = client.reaches.clone();
    serve(&server, echo);
    let mut far = Host::start(std::slice::from_ref(&server));
    let port = |port| SocketAddrV4::new(server.address, port);
    assert_eq!(ask(&client, port(80)), Ok(()));
    // The tunnel goes to the server, the authority names another pod.
    let elsewhere = world.address(9);
    client.reaches.push(Reach { to: elsewhere, peer: id("server"), via: Some(server.address) });
    assert_eq!(ask(&client, SocketAddrV4::new(elsewhere, 80)), Err(Some(400)));
    assert_eq!(ask(&stranger, port(80)), Err(Some(401)));
    for own in [15001, 15006, 15008] {
        assert_eq!(ask(&client, port(own)), Err(Some(503)), "{own}");
    }
    let stats = far.stats_when("server", |stats| stats["inbound"]["open"] == 0);
    let inbound = &stats["inbound"];
    assert_eq!((&inbound["accepted"], &inbound["tunnels"], &inbound["refused"]), (&6.into(), &1.into(), &5.into()));
    std::fs::remove_file(server.inbound_socket.as_ref().unwrap()).unwrap();
    assert_eq!(ask(&client, port(80)), Err(Some(503)));
}

#[test]
fn identities_are_proved_both_ways_or_tls_fails() {
    let world = World::new();
    let (client, server) = world.pair();
    let mut far = Host::start(std::slice::from_ref(&server));
    let to = SocketAddrV4::new(server.address, 80);

    let mut expecting_another = client.clone();
    expecting_another.reaches[0].peer = id("other");
    assert_eq!(ask(&expecting_another, to), Err(None));

    world.root("foreign");
    let forged = |root: &str, name: &str, names: &str| {
        world.leaf(root, name, names);
        PodConfig {
            name: name.into(),
            certificate: world.folder.join(format!("{name}.pem")),
            key: world.folder.join(format!("{name}.key")),
            ..client.clone()
        }
    };
    let own = format!("URI:{}", id("client"));
    assert_eq!(ask(&forged("foreign", "forged", &own), to), Err(None));
    assert_eq!(ask(&forged("ca", "abroad", "URI:spiffe://elsewhere/ns/test/sa/client"), to), Err(None));
    let mut trusting_others = forged("ca", "again", &own);
    trusting_others.roots = world.folder.join("foreign.pem");
    assert_eq!(ask(&trusting_others, to), Err(None));
    let stats = far.stats_when("server", |stats| stats["inbound"]["tls"]["failures"] == 4);
    let inbound = &stats["inbound"];
    assert_eq!((&inbound["tls"]["connections"], &inbound["tls"]["handshakes"]), (&4.into(), &0.into()), "{inbound:#}");
    assert_eq!((&inbound["accepted"], &inbound["refused"]), (&0.into(), &0.into()));
}

#[test]
fn a_caller_without_certificate_or_with_old_tls_gets_nothing() {
    let world = World::new();
    let (_, server) = world.pair();
    let mut far = Host::start(std::slice::from_ref(&server));
    for extra in [&["-tls1_3"][..], &["-tls1_2"]] {
        let mut caller = Command::new("openssl")
            .args(["s_client", "-alpn", "h2", "-connect", &format!("{}:15008", server.address)])
            .args(extra)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // Kept open: the server ends it.
        let _stdin = caller.stdin.take();
        let mut said = String::new();
        caller.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        assert!(said.contains("alert"), "{said}");
        let _code = caller.wait().unwrap();
    }
    let stats = far.stats_when("server", |stats| stats["inbound"]["tls"]["failures"] == 2);
    assert_eq!(stats["inbound"]["tls"]["handshakes"], 0);
}

#[test]
fn an_application_that_does_not_announce_itself_is_turned_away() {
    let world = World::new();
    let (client, server) = world.pair();
    let mut near = Host::start(std::slice::from_ref(&client));
    let mut plain = std::os::unix::net::UnixStream::connect(client.outbound_socket.as_ref().unwrap()).unwrap();
    plain.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    let mut heard = Vec::new();
    // The end, or a reset: what was sent lies there unread.
    assert_eq!(plain.read_to_end(&mut heard).unwrap_or(0), 0);
    // Nobody listens at the far end, and a destination without a route.
    assert_eq!(call(&client, &server, 80).read(&mut [0]).unwrap_or(0), 0);
    let mut unknown = server.clone();
    unknown.address = world.address(77);
    assert_eq!(call(&client, &unknown, 80).read(&mut [0]).unwrap_or(0), 0);
    let stats = near.stats_when("client", |stats| stats["outbound"]["refused"] == 2);
    assert_eq!((&stats["outbound"]["accepted"], &stats["outbound"]["open"]), (&2.into(), &0.into()));
}
