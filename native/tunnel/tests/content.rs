//! Bytes arrive as they were sent, whatever their number, size and order.

mod support;

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::Duration;
use support::{Host, World, call, content, echo, serve};

/// Sends `bytes`, half closes, and expects them back.
fn exchange(mut connection: UnixStream, bytes: Vec<u8>) {
    let mut reading = connection.try_clone().unwrap();
    let expected = bytes.clone();
    let reader = thread::spawn(move || {
        let mut back = Vec::new();
        reading.read_to_end(&mut back).unwrap();
        assert!(back == expected, "{} of {} bytes came back, or others", back.len(), expected.len());
    });
    connection.write_all(&bytes).unwrap();
    connection.shutdown(Shutdown::Write).unwrap();
    reader.join().unwrap();
}

#[test]
fn sizes_times_counts_come_back_whole() {
    let world = World::new();
    let (client, server) = world.pair();
    serve(&server, echo);
    let mut near = Host::start(std::slice::from_ref(&client));
    let mut far = Host::start(std::slice::from_ref(&server));
    let mut total = (0u64, 0u64);
    for size in [0, 1, 64, 16_375, 20_000, 65_537, 1 << 20, 6 << 20] {
        for count in [1, 16] {
            let threads: Vec<_> = (0..count)
                .map(|seed| {
                    let connection = call(&client, &server, 80);
                    thread::spawn(move || exchange(connection, content(seed, size)))
                })
                .collect();
            threads.into_iter().for_each(|one| one.join().unwrap());
            total = (total.0 + count, total.1 + count * size as u64);
        }
    }
    let near = near.stats_when("client", |stats| stats["outbound"]["open"] == 0);
    let far = far.stats_when("server", |stats| stats["inbound"]["open"] == 0);
    for direction in [&near["outbound"], &far["inbound"]] {
        assert_eq!(
            (&direction["accepted"], &direction["tunnels"]),
            (&total.0.into(), &total.0.into()),
            "{direction:#}"
        );
        assert_eq!(
            (&direction["bytesIn"], &direction["bytesOut"]),
            (&total.1.into(), &total.1.into()),
            "{direction:#}"
        );
        assert_eq!((&direction["refused"], &direction["tls"]["connections"]), (&0.into(), &1.into()), "{direction:#}");
        assert_eq!((&direction["tls"]["handshakes"], &direction["tls"]["failures"]), (&1.into(), &0.into()));
    }
    assert_eq!(near["outbound"]["destinations"][format!("{}:80", server.address)], total.0);
    assert_eq!(far["inbound"]["tls"]["peers"][support::id("client")], total.0);
}

#[test]
fn five_hundred_at_once_share_five_connections() {
    let world = World::new();
    let (client, server) = world.pair();
    serve(&server, echo);
    let mut near = Host::start(std::slice::from_ref(&client));
    let _far = Host::start(std::slice::from_ref(&server));
    let mut connections: Vec<_> = (0..500).map(|_| call(&client, &server, 80)).collect();
    for round in 0..3 {
        for (seed, connection) in connections.iter_mut().enumerate() {
            connection.write_all(&content(seed as u64 + round, 1000)).unwrap();
        }
        for (seed, connection) in connections.iter_mut().enumerate() {
            let mut back = [0; 1000];
            connection.read_exact(&mut back).unwrap();
            assert!(back[..] == content(seed as u64 + round, 1000));
        }
    }
    let stats = near.stats("client");
    assert_eq!((&stats["outbound"]["open"], &stats["outbound"]["tls"]["connections"]), (&500.into(), &5.into()));
    drop(connections);
    near.stats_when("client", |stats| stats["outbound"]["open"] == 0);
}

#[test]
fn the_server_speaks_first_and_either_side_may_end_first() {
    let world = World::new();
    let (client, server) = world.pair();
    serve(&server, |mut connection, announced| {
        connection.write_all(announced.to.port().to_string().as_bytes()).unwrap();
        if announced.to.port() == 81 {
            connection.shutdown(Shutdown::Write).unwrap();
        }
        let mut heard = Vec::new();
        connection.read_to_end(&mut heard).unwrap();
        if announced.to.port() == 80 {
            connection.write_all(&heard).unwrap();
        } else {
            assert_eq!(heard, b"after the end");
        }
    });
    let _near = Host::start(std::slice::from_ref(&client));
    let mut far = Host::start(std::slice::from_ref(&server));
    let mut first = call(&client, &server, 80);
    let mut greeting = [0; 2];
    first.read_exact(&mut greeting).unwrap();
    assert_eq!(&greeting, b"80");
    first.write_all(b"all of it").unwrap();
    first.shutdown(Shutdown::Write).unwrap();
    let mut back = String::new();
    first.read_to_string(&mut back).unwrap();
    assert_eq!(back, "all of it");

    let mut second = call(&client, &server, 81);
    let mut heard = String::new();
    second.read_to_string(&mut heard).unwrap();
    assert_eq!(heard, "81");
    second.write_all(b"after the end").unwrap();
    drop(second);
    let stats = far.stats_when("server", |stats| stats["inbound"]["open"] == 0);
    assert_eq!(stats["inbound"]["bytesIn"], 9 + 13);
}

#[test]
fn a_reader_that_waits_stops_the_writer_within_bounds_and_loses_nothing() {
    let world = World::new();
    let (client, server) = world.pair();
    let length = 64 << 20;
    let (go, wait) = std::sync::mpsc::channel::<()>();
    let wait = std::sync::Arc::new(std::sync::Mutex::new(wait));
    serve(&server, move |mut connection, announced| {
        if announced.to.port() == 80 {
            wait.lock().unwrap().recv().unwrap();
        }
        let mut heard = Vec::new();
        connection.read_to_end(&mut heard).unwrap();
        connection.write_all(&(heard.len() as u64).to_be_bytes()).unwrap();
        assert!(announced.to.port() != 80 || heard == content(7, heard.len()));
    });
    let mut near = Host::start(std::slice::from_ref(&client));
    let _far = Host::start(std::slice::from_ref(&server));
    let mut connection = call(&client, &server, 80);
    let mut writing = connection.try_clone().unwrap();
    let writer = thread::spawn(move || {
        writing.write_all(&content(7, length)).unwrap();
        writing.shutdown(Shutdown::Write).unwrap();
    });
    // A second stream of the same connection is not held up by the first.
    let mut taken = 0;
    loop {
        let mut other = call(&client, &server, 81);
        other.write_all(b"passes").unwrap();
        other.shutdown(Shutdown::Write).unwrap();
        let mut count = [0; 8];
        other.read_exact(&mut count).unwrap();
        assert_eq!(u64::from_be_bytes(count), 6);
        thread::sleep(Duration::from_millis(20));
        let before = std::mem::replace(&mut taken, near.stats("client")["outbound"]["bytesIn"].as_u64().unwrap());
        // Standing still but for the six bytes.
        if taken > 1 << 20 && taken - before == 6 {
            break;
        }
    }
    assert!(taken < 6 << 20, "{taken} bytes were taken from an application whose peer reads nothing");
    go.send(()).unwrap();
    let mut count = [0; 8];
    connection.read_exact(&mut count).unwrap();
    assert_eq!(u64::from_be_bytes(count), length as u64);
    writer.join().unwrap();
}
