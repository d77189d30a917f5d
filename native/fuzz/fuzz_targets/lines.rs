//! What callers of the host's sockets say first: PROXY v2 headers (of both parsers) and the hybrid socket's line.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::net::SocketAddrV4;
use vsock_tsi::{hybrid, proxy_protocol};

fuzz_target!(|bytes: &[u8]| {
    let whole = proxy_protocol::parse(bytes);
    if let Ok(Some(header)) = whole {
        assert!(header.length <= bytes.len() && header.length >= proxy_protocol::LENGTH);
        assert_eq!(proxy_protocol::parse(&bytes[..header.length]), whole, "what follows does not matter");
        let again = proxy_protocol::parse(&proxy_protocol::header(header.from, header.to)).expect("our own header");
        assert_eq!(again.map(|header| (header.from, header.to)), Some((header.from, header.to)));
    }
    if let Ok(Some((announced, length))) = tunnel::proxy_v2::parse(bytes) {
        assert!(length <= bytes.len());
        // Both parsers are of one mind, but for how long a header they take.
        if let Ok(Some(header)) = whole {
            assert_eq!((header.from, header.to, header.length), (announced.from, announced.to, length));
        }
        let written: &[u8] = &tunnel::proxy_v2::write(announced);
        assert!(matches!(tunnel::proxy_v2::parse(written), Ok(Some((same, _))) if same == announced));
    }
    if let Ok(Some(line)) = hybrid::parse(bytes) {
        assert!(line.length <= bytes.len() && line.length <= hybrid::LONGEST);
        assert_eq!(bytes[line.length - 1], b'\n');
    }
    // A header that is only begun is not refused.
    let [a, b, c, d, e, f, ..] = *bytes else { return };
    let from = SocketAddrV4::new([a, b, c, d].into(), u16::from(e) << 8 | u16::from(f));
    let header = proxy_protocol::header(from, from);
    let cut = usize::from(a) % header.len();
    assert_eq!(proxy_protocol::parse(&header[..cut]), Ok(None));
    assert!(matches!(tunnel::proxy_v2::parse(&header[..cut]), Ok(None)));
});
