//! Which addresses a name of somebody else's may stand for.
//!
//! Invariant: what is not known to be an ordinary address of the internet is refused, so that no name, however it is
//! resolved, leads to this machine, to its network, or to the service that hands out a cloud machine's credentials.
//! Sources: the IANA special-purpose address registries (RFC 6890 and its successors).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What kind of address it is, if it is one that must not be called.
pub fn forbidden(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(address) => forbidden_v4(address),
        IpAddr::V6(address) => forbidden_v6(address),
    }
}

fn forbidden_v4(address: Ipv4Addr) -> Option<&'static str> {
    const RANGES: &[(Ipv4Addr, u32, &str)] = &[
        (Ipv4Addr::new(0, 0, 0, 0), 8, "an address of this machine"),
        (Ipv4Addr::new(10, 0, 0, 0), 8, "a private address"),
        (Ipv4Addr::new(100, 64, 0, 0), 10, "an address of a provider's network"),
        (Ipv4Addr::new(127, 0, 0, 0), 8, "an address of this machine"),
        // Azure's agent; the others lie in link-local and shared ranges.
        (Ipv4Addr::new(168, 63, 129, 16), 32, "an address of a metadata service"),
        (Ipv4Addr::new(169, 254, 0, 0), 16, "a link-local or metadata address"),
        (Ipv4Addr::new(172, 16, 0, 0), 12, "a private address"),
        (Ipv4Addr::new(192, 0, 0, 0), 24, "a reserved address"),
        (Ipv4Addr::new(192, 0, 2, 0), 24, "an address for documentation"),
        (Ipv4Addr::new(192, 88, 99, 0), 24, "a reserved address"),
        (Ipv4Addr::new(192, 168, 0, 0), 16, "a private address"),
        (Ipv4Addr::new(198, 18, 0, 0), 15, "an address for measurements"),
        (Ipv4Addr::new(198, 51, 100, 0), 24, "an address for documentation"),
        (Ipv4Addr::new(203, 0, 113, 0), 24, "an address for documentation"),
        (Ipv4Addr::new(224, 0, 0, 0), 4, "a multicast address"),
        (Ipv4Addr::new(240, 0, 0, 0), 4, "a reserved address"),
    ];
    let bits = address.to_bits();
    let within = |start: Ipv4Addr, length: u32| (bits ^ start.to_bits()) >> (32 - length) == 0;
    RANGES.iter().find(|(start, length, _)| within(*start, *length)).map(|(_, _, kind)| *kind)
}

fn forbidden_v6(address: Ipv6Addr) -> Option<&'static str> {
    if let Some(inner) = address.to_ipv4_mapped() {
        return forbidden_v4(inner);
    }
    let bits = address.to_bits();
    let within = |start: u128, length: u32| (bits ^ start) >> (128 - length) == 0;
    // NAT64 (RFC 6052): a network without IPv4 reaches all of it through this prefix.
    if within(0x0064_ff9b << 96, 96) {
        return forbidden_v4(Ipv4Addr::from_bits(bits as u32));
    }
    if within(0xfc00 << 112, 7) {
        return Some("a private address");
    }
    if within(0xfe80 << 112, 10) {
        return Some("a link-local address");
    }
    if within(0xff00 << 112, 8) {
        return Some("a multicast address");
    }
    if address.is_loopback() || address.is_unspecified() {
        return Some("an address of this machine");
    }
    // Only 2000::/3 is handed out at all; of it, some parts hold other addresses inside, or nobody's.
    const WITHOUT: &[(u128, u32, &str)] = &[
        (0x2001_0000 << 96, 23, "a reserved address"),
        (0x2001_0db8 << 96, 32, "an address for documentation"),
        (0x2002_0000 << 96, 16, "a tunnelled address"),
        (0x3fff_0000 << 96, 20, "an address for documentation"),
    ];
    if !within(0x2000 << 112, 3) {
        return Some("a reserved address");
    }
    WITHOUT.iter().find(|(start, length, _)| within(*start, *length)).map(|(_, _, kind)| *kind)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_addresses_of_the_internet_pass() {
        for address in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "10.255.255.255",
            "100.64.0.1",
            "100.100.100.200",
            "127.0.0.1",
            "127.255.255.254",
            "168.63.129.16",
            "169.254.169.254",
            "169.254.0.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.192",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.0.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::127.0.0.1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::ffff:169.254.169.254",
            "64:ff9b::127.0.0.1",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1::808:808",
            "100::1",
            "2001::1",
            "2001:10::1",
            "2001:20::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "2002:808:808::",
            "3fff::1",
            "5f00::1",
            "fc00::1",
            "fd00:ec2::254",
            "fd20:ce::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "4000::1",
        ] {
            assert!(forbidden(address.parse().unwrap()).is_some(), "{address}");
        }
        for address in [
            "1.1.1.1",
            "8.8.8.8",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "169.253.255.255",
            "169.255.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.0",
            "192.167.255.255",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "::ffff:8.8.8.8",
            "64:ff9b::8.8.8.8",
            "2001:200::1",
            "2001:4860:4860::8888",
            "2606:4700::1111",
            "2a00:1450::1",
            "3ffe::1",
        ] {
            assert_eq!(forbidden(address.parse().unwrap()), None, "{address}");
        }
    }

    proptest! {
        /// However an IPv4 address is dressed up, it is judged as what it is, or refused.
        #[test]
        fn a_dress_lets_nothing_pass(bits: u32) {
            let plain = Ipv4Addr::from_bits(bits);
            let judged = forbidden_v4(plain);
            prop_assert_eq!(forbidden_v6(plain.to_ipv6_mapped()), judged);
            prop_assert_eq!(forbidden_v6(Ipv6Addr::from_bits((0x0064_ff9b << 96) | u128::from(bits))), judged);
            prop_assert!(forbidden_v6(Ipv6Addr::from_bits(u128::from(bits))).is_some());
            prop_assert!(forbidden_v6(Ipv6Addr::from_bits((0x2002 << 112) | (u128::from(bits) << 80))).is_some());
        }

        /// What the standard library knows to be special is special here, too.
        #[test]
        fn the_standard_library_agrees(bits: u32) {
            let plain = Ipv4Addr::from_bits(bits);
            if plain.is_private() || plain.is_loopback() || plain.is_link_local() || plain.is_multicast()
                || plain.is_broadcast() || plain.is_documentation() || plain.is_unspecified()
            {
                prop_assert!(forbidden_v4(plain).is_some());
            }
        }
    }
}
