//! The mapping between vsock and TCP addresses, for all addresses.

#![forbid(unsafe_code)]

use proptest::prelude::*;
use rustix::io::Errno;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4};
use tsi::address::{
    ANY, CID_LOCAL, Family, Pod, Route, Seat, UNCALLED, Vsock, encode, local_name, name_port, parse, peer_name, route,
    seat,
};

const POD: Pod = Pod { address: Ipv4Addr::new(10, 10, 1, 10), cid: 3 };

fn vsock(cid: u32, port: u32) -> Vsock {
    Vsock { cid, port }
}

fn at(ip: impl Into<IpAddr>, port: u16) -> SocketAddr {
    SocketAddr::new(ip.into(), port)
}

#[test]
fn the_protocol_s_example() {
    assert_eq!(route(at([10, 10, 2, 20], 8080), POD), Ok(Route::Moved(vsock(0x0a0a_0214, 8080))));
}

#[test]
fn addresses_that_mean_something_else_to_vsock_are_unreachable() {
    for number in [1, 2, 3, u32::MAX] {
        assert_eq!(route(at(Ipv4Addr::from(number), 80), POD), Err(Errno::NETUNREACH));
    }
    assert_eq!(route(at([0, 0, 0, 4], 80), POD), Ok(Route::Moved(vsock(4, 80))));
    assert_eq!(route(at(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1), 80), POD), Err(Errno::NETUNREACH));
}

#[test]
fn the_guest_itself_is_reached_by_any_of_its_names() {
    let here: [IpAddr; 6] = [
        Ipv4Addr::LOCALHOST.into(),
        Ipv4Addr::new(127, 9, 9, 9).into(),
        Ipv4Addr::UNSPECIFIED.into(),
        Ipv6Addr::LOCALHOST.into(),
        Ipv6Addr::UNSPECIFIED.into(),
        Ipv4Addr::LOCALHOST.to_ipv6_mapped().into(),
    ];
    for ip in here {
        assert_eq!(route(at(ip, 80), POD), Ok(Route::Loopback(vsock(CID_LOCAL, 80))), "{ip}");
    }
    assert_eq!(route(at(POD.address, 80), POD), Ok(Route::Moved(vsock(3, 80))));
}

#[test]
fn seats() {
    assert_eq!(seat(at([0, 0, 0, 0], 80), POD), Ok(Seat::Moved(vsock(ANY, 80))));
    assert_eq!(seat(at(Ipv6Addr::UNSPECIFIED, 80), POD), Ok(Seat::Moved(vsock(ANY, 80))));
    assert_eq!(seat(at(POD.address, 80), POD), Ok(Seat::Moved(vsock(3, 80))));
    assert_eq!(seat(at(POD.address.to_ipv6_mapped(), 80), POD), Ok(Seat::Moved(vsock(3, 80))));
    assert_eq!(seat(at([127, 0, 0, 1], 80), POD), Ok(Seat::Loopback));
    assert_eq!(seat(at(Ipv6Addr::LOCALHOST, 80), POD), Ok(Seat::Loopback));
    assert_eq!(seat(at([10, 10, 2, 20], 80), POD), Err(Errno::ADDRNOTAVAIL));
    let unknown = Pod { cid: CID_LOCAL, ..POD };
    assert_eq!(seat(at(POD.address, 80), unknown), Ok(Seat::Moved(vsock(ANY, 80))));
}

#[test]
fn own_names() {
    let name = |local, peer| local_name(local, peer, POD).to_string();
    assert_eq!(name(vsock(ANY, ANY), None), "0.0.0.0:0");
    assert_eq!(name(vsock(ANY, 8080), None), "0.0.0.0:8080");
    assert_eq!(name(vsock(3, 8080), None), "10.10.1.10:8080");
    assert_eq!(name(vsock(ANY, UNCALLED + 443), None), "0.0.0.0:443");
    assert_eq!(name(vsock(ANY, 70_000), Some(vsock(0x0a0a_0214, 80))), "10.10.1.10:6512");
    assert_eq!(name(vsock(ANY, 5000), Some(vsock(CID_LOCAL, 80))), "127.0.0.1:5000");
    assert_eq!(name(vsock(CID_LOCAL, 8080), None), "127.0.0.1:8080");
}

#[test]
fn names_of_callers() {
    let name = |peer, local| peer_name(peer, local, POD).to_string();
    assert_eq!(name(vsock(0x0a0a_0214, 40_000), vsock(3, 80)), "10.10.2.20:40000");
    assert_eq!(name(vsock(CID_LOCAL, 5000), vsock(CID_LOCAL, 80)), "127.0.0.1:5000");
    assert_eq!(name(vsock(CID_LOCAL, 5000), vsock(3, 80)), "10.10.1.10:5000");
    assert_eq!(name(vsock(3, 80), vsock(ANY, 5000)), "10.10.1.10:80");
}

#[test]
fn too_short_is_invalid_and_another_family_is_not_ours() {
    assert_eq!(parse(&[]), Err(Errno::INVAL));
    assert_eq!(parse(&[2]), Err(Errno::INVAL));
    assert_eq!(parse(&[2, 0, 0, 80, 10, 10, 2]), Err(Errno::INVAL));
    assert_eq!(parse(&[1, 0, b'/', b'x', 0]), Ok(None));
    let (six, _) = encode(SocketAddrV4::new(POD.address, 80), Family::V6);
    assert_eq!(parse(&six[..23]), Err(Errno::INVAL));
    assert!(matches!(parse(&six[..24]), Ok(Some(_))));
}

proptest! {
    #[test]
    fn every_destination_is_its_own_number(number in 4u32..u32::MAX, port in 1u16..) {
        let ip = Ipv4Addr::from(number);
        prop_assume!(!ip.is_loopback() && ip != POD.address);
        let expected = Ok(Route::Moved(vsock(number, u32::from(port))));
        prop_assert_eq!(route(at(ip, port), POD), expected);
        prop_assert_eq!(route(at(ip.to_ipv6_mapped(), port), POD), expected);
        // And it is told by that name again.
        prop_assert_eq!(peer_name(vsock(number, port.into()), vsock(ANY, 5000), POD), SocketAddrV4::new(ip, port));
    }

    #[test]
    fn what_is_written_is_read_again(number: u32, port: u16, six: bool) {
        let name = SocketAddrV4::new(number.into(), port);
        let (bytes, length) = encode(name, if six { Family::V6 } else { Family::V4 });
        let read = parse(&bytes[..length]).unwrap().unwrap();
        let back = match read.ip() {
            IpAddr::V6(Ipv6Addr::LOCALHOST) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(Ipv6Addr::UNSPECIFIED) => Ipv4Addr::UNSPECIFIED.into(),
            ip => ip.to_canonical(),
        };
        prop_assert_eq!((back, read.port(), read.is_ipv6()), (IpAddr::V4(*name.ip()), port, six));
    }

    #[test]
    fn a_name_s_port_is_a_tcp_port_and_no_low_one_by_chance(port: u32) {
        let told = name_port(port);
        if let Ok(tcp) = u16::try_from(port) {
            prop_assert_eq!(told, tcp);
        } else {
            prop_assert!(told >= 1024);
        }
    }

    #[test]
    fn automatic_ports_in_a_row_differ(first in 65_536u32..u32::MAX - 70_000, apart in 1u32..64_512) {
        prop_assert_ne!(name_port(first), name_port(first + apart));
    }

    #[test]
    fn any_bytes_are_read_without_harm(bytes in proptest::collection::vec(any::<u8>(), 0..130)) {
        let _ = parse(&bytes);
    }
}
