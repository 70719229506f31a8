//! Which addresses workers may reach (`spec/security.md` §3.2): by default the public internet,
//! never this machine, its neighbours or a cloud's metadata service.
//!
//! The rules are about addresses, not about how they are written: they are asked after a name
//! was resolved, and what they allow is dialled as it is.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

/// What workers may reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Egress {
    /// Public addresses, apart from this machine's own.
    #[default]
    Public,
    /// Every address; for developers.
    Everywhere,
}

impl Egress {
    /// Whether a worker may connect there.
    #[must_use]
    pub fn allows(self, addr: SocketAddr) -> bool {
        match self {
            Egress::Everywhere => true,
            Egress::Public => is_public(addr.ip()) && !is_own(addr),
        }
    }

    /// Whether a worker may ask for this name at all. A name without a dot is one of the local
    /// network or the search domain.
    #[must_use]
    pub fn allows_name(self, name: &str) -> bool {
        match self {
            Egress::Everywhere => true,
            Egress::Public => name.trim_end_matches('.').contains('.'),
        }
    }
}

/// Ports for mail, which no worker has an honest use for and spammers have.
#[must_use]
pub fn is_port_allowed(port: u16) -> bool {
    !matches!(port, 0 | 25 | 465 | 587)
}

/// Whether an address belongs to the public internet, by the registries of special-purpose
/// addresses (IANA). An IPv6 address that stands for an IPv4 one follows the rules of that.
#[must_use]
pub fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => is_public_v4(ip),
        IpAddr::V6(ip) => is_public_v6(ip),
    }
}

fn is_public_v4(ip: Ipv4Addr) -> bool {
    let bits = u32::from(ip);
    !SPECIAL_V4.iter().any(|(network, prefix)| {
        let network = u32::from(Ipv4Addr::from(*network));
        (bits ^ network) >> (32 - prefix) == 0
    })
}

fn is_public_v6(ip: Ipv6Addr) -> bool {
    let segments = ip.segments();
    let v4 = |high: u16, low: u16| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    match segments {
        // Mapped addresses, and NAT64 (RFC 6052).
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            is_public_v4(v4(high, low))
        }
        // 6to4 (RFC 3056).
        [0x2002, high, low, ..] => is_public_v4(v4(high, low)),
        _ => !SPECIAL_V6.iter().any(|(network, prefix)| {
            let network = u128::from(Ipv6Addr::from(*network));
            (u128::from(ip) ^ network) >> (128 - prefix) == 0
        }),
    }
}

/// Whether an address is one of this machine's interfaces, also a public one. The system picks
/// the target itself as the source of what it would send there; nothing is sent.
fn is_own(addr: SocketAddr) -> bool {
    let source = || -> io::Result<IpAddr> {
        let any: IpAddr = match addr {
            SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        let socket = UdpSocket::bind((any, 0))?;
        socket.connect(addr)?;
        Ok(socket.local_addr()?.ip())
    };
    // Without a way there the connection will fail by itself.
    source().is_ok_and(|source| source == addr.ip())
}

const SPECIAL_V4: &[([u8; 4], u32)] = &[
    ([0, 0, 0, 0], 8),        // this network
    ([10, 0, 0, 0], 8),       // private
    ([100, 64, 0, 0], 10),    // shared by providers
    ([127, 0, 0, 0], 8),      // loopback
    ([168, 63, 129, 16], 32), // Azure's service for its machines
    ([169, 254, 0, 0], 16),   // link-local, metadata services
    ([172, 16, 0, 0], 12),    // private
    ([192, 0, 0, 0], 24),     // protocol assignments
    ([192, 0, 2, 0], 24),     // documentation
    ([192, 31, 196, 0], 24),  // AS112
    ([192, 52, 193, 0], 24),  // AMT
    ([192, 88, 99, 0], 24),   // 6to4 relays
    ([192, 168, 0, 0], 16),   // private
    ([192, 175, 48, 0], 24),  // AS112
    ([198, 18, 0, 0], 15),    // benchmarking
    ([198, 51, 100, 0], 24),  // documentation
    ([203, 0, 113, 0], 24),   // documentation
    ([224, 0, 0, 0], 4),      // multicast
    ([240, 0, 0, 0], 4),      // reserved, broadcast
];

const SPECIAL_V6: &[([u16; 8], u32)] = &[
    ([0, 0, 0, 0, 0, 0, 0, 0], 96), // unspecified, loopback, IPv4-compatible
    ([0, 0, 0, 0, 0xffff, 0, 0, 0], 96), // IPv4-translated
    ([0x64, 0xff9b, 1, 0, 0, 0, 0, 0], 48), // local NAT64
    ([0x100, 0, 0, 0, 0, 0, 0, 0], 63), // discard, dummy prefix
    ([0x2001, 0, 0, 0, 0, 0, 0, 0], 23), // protocol assignments, Teredo
    ([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0], 32), // documentation
    ([0x2620, 0x4f, 0x8000, 0, 0, 0, 0, 0], 48), // AS112
    ([0x3fff, 0, 0, 0, 0, 0, 0, 0], 20), // documentation
    ([0x5f00, 0, 0, 0, 0, 0, 0, 0], 16), // segment routing
    ([0xfc00, 0, 0, 0, 0, 0, 0, 0], 7), // unique local
    ([0xfe80, 0, 0, 0, 0, 0, 0, 0], 10), // link-local
    ([0xfec0, 0, 0, 0, 0, 0, 0, 0], 10), // site-local
    ([0xff00, 0, 0, 0, 0, 0, 0, 0], 8), // multicast
];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn public(text: &str) -> bool {
        is_public(text.parse().unwrap())
    }

    /// Every entry of the two IANA registries that is not globally reachable, first and last
    /// address, and the neighbours of those ranges that are.
    #[test]
    fn special_addresses_are_not_public_and_their_neighbours_are() {
        for text in NOT_PUBLIC {
            assert!(!public(text), "{text}");
        }
        for text in PUBLIC {
            assert!(public(text), "{text}");
        }
    }

    const NOT_PUBLIC: &[&str] = &[
        "0.0.0.0",
        "0.255.255.255",
        "10.0.0.1",
        "10.255.255.255",
        "100.64.0.0",
        "100.127.255.255",
        "127.0.0.1",
        "127.255.255.255",
        "169.254.0.0",
        "169.254.169.254",
        "172.16.0.0",
        "172.31.255.255",
        "192.0.0.8",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.0.1",
        "192.168.255.255",
        "198.18.0.0",
        "198.19.255.255",
        "198.51.100.7",
        "203.0.113.7",
        "224.0.0.1",
        "239.255.255.255",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::127.0.0.1",
        "::ffff:127.0.0.1",
        "::ffff:10.1.2.3",
        "::ffff:0:127.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::1",
        "100::1",
        "100:0:0:1::1",
        "2001::1",
        "2001:1ff::1",
        "2001:db8::1",
        "2002:7f00:1::",
        "2002:a9fe:a9fe::1",
        "2002:c0a8:1::",
        "2620:4f:8000::1",
        "3fff::1",
        "5f00::1",
        "fc00::1",
        "fdff::1",
        "fe80::1",
        "febf::1",
        "fec0::1",
        "ff02::1",
    ];

    const PUBLIC: &[&str] = &[
        "1.1.1.1",
        "9.255.255.255",
        "11.0.0.0",
        "100.63.255.255",
        "100.128.0.0",
        "126.0.0.1",
        "128.0.0.1",
        "169.253.255.255",
        "169.255.0.0",
        "172.15.255.255",
        "172.32.0.0",
        "192.0.1.0",
        "192.167.255.255",
        "192.169.0.0",
        "198.17.255.255",
        "198.20.0.0",
        "223.255.255.255",
        "2606:4700::1111",
        "2001:200::1",
        "2001:4860::8888",
        "::ffff:1.1.1.1",
        "64:ff9b::101:101",
        "2002:101:101::1",
        "2a00::1",
        "100:0:0:2::1",
    ];

    #[test]
    fn this_machine_is_recognised_without_sending_anything() {
        assert!(is_own("127.0.0.1:9".parse().unwrap()));
        assert!(!Egress::Public.allows("127.0.0.1:9".parse().unwrap()));
        assert!(Egress::Everywhere.allows("127.0.0.1:9".parse().unwrap()));
    }

    #[test]
    fn local_names_and_mail_ports_are_refused() {
        for name in ["localhost", "metadata", "router.", "."] {
            assert!(!Egress::Public.allows_name(name), "{name}");
        }
        assert!(Egress::Public.allows_name("example.com"));
        for port in [0, 25, 465, 587] {
            assert!(!is_port_allowed(port), "{port}");
        }
        assert!(is_port_allowed(443));
    }

    proptest! {
        /// However an IPv4 address is dressed up, it is the same address.
        #[test]
        fn an_embedded_address_follows_the_rules_of_the_plain_one(bits: u32) {
            let v4 = Ipv4Addr::from(bits);
            let [high, low] = [(bits >> 16) as u16, bits as u16];
            let dressed = [
                v4.to_ipv6_mapped(),
                Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, high, low),
                Ipv6Addr::new(0x2002, high, low, 0, 0, 0, 0, 1),
            ];
            for v6 in dressed {
                prop_assert_eq!(is_public(v6.into()), is_public(v4.into()), "{}", v6);
            }
        }
    }
}
