//! The texts of a CONNECT request: authority, `forwarded` and `baggage`.

#![forbid(unsafe_code)]

use std::net::SocketAddrV4;

/// The destination that an authority names: `IP:port` in the one way it can be written.
#[must_use]
pub fn parse_authority(text: &str) -> Option<SocketAddrV4> {
    let address: SocketAddrV4 = text.parse().ok()?;
    (address.port() != 0 && address.to_string() == text).then_some(address)
}

/// Value of `forwarded` for a tunnel opened for `from`, as ztunnel writes it.
#[must_use]
pub fn forwarded(from: SocketAddrV4) -> String {
    format!("for=\"{from}\"")
}

/// Who opened the tunnel according to the first element of `forwarded`.
#[must_use]
pub fn parse_forwarded(text: &str) -> Option<SocketAddrV4> {
    let element = text.split(',').next()?;
    let named = element.split(';').find_map(|pair| {
        let (name, value) = pair.trim().split_once('=')?;
        name.eq_ignore_ascii_case("for").then_some(value)
    })?;
    named.trim().trim_matches('"').parse().ok()
}

/// Value of `baggage`: which pod calls.
#[must_use]
pub fn baggage(pod: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let encoded: String = pod
        .bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect();
    format!("k8s.pod.name={encoded}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_an_ipv4_address_and_port_is_an_authority() {
        for wrong in
            ["", "10.0.0.1", "10.0.0.1:", "10.0.0.1:0", "10.0.0.1:080", "010.0.0.1:80", "[::1]:80", "server:80"]
        {
            assert_eq!(parse_authority(wrong), None, "{wrong}");
        }
        for wrong in ["10.0.0.1:65536", " 10.0.0.1:80", "10.0.0.1:80 ", "u@10.0.0.1:80", "10.0.0.1:+80"] {
            assert_eq!(parse_authority(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn the_name_of_a_pod_cannot_break_out_of_baggage() {
        assert_eq!(baggage("client"), "k8s.pod.name=client");
        assert_eq!(baggage("a,b=c\r\n"), "k8s.pod.name=a%2Cb%3Dc%0D%0A");
    }

    #[test]
    fn forwarded_is_understood_as_others_write_it() {
        let from = "10.10.1.10:40000".parse().ok();
        assert_eq!(parse_forwarded("for=\"10.10.1.10:40000\";host=server"), from);
        assert_eq!(parse_forwarded("host=x; For=10.10.1.10:40000, for=\"1.1.1.1:1\""), from);
        assert_eq!(parse_forwarded("for=unknown"), None);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(address: [u8; 4], port in 1..=u16::MAX) {
            let socket = SocketAddrV4::new(address.into(), port);
            prop_assert_eq!(parse_authority(&socket.to_string()), Some(socket));
            prop_assert_eq!(parse_forwarded(&forwarded(socket)), Some(socket));
        }

        #[test]
        fn no_text_is_a_panic(text in ".{0,64}") {
            let _ = parse_authority(&text);
            let _ = parse_forwarded(&text);
        }
    }
}
