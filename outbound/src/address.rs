//! Which addresses are on the public internet.
//!
//! The sources are IANA's registries of [IPv4](https://www.iana.org/assignments/iana-ipv4-special-registry) and
//! [IPv6](https://www.iana.org/assignments/iana-ipv6-special-registry) special-purpose addresses (RFC 6890), of
//! [IPv4 multicast](https://www.iana.org/assignments/multicast-addresses) and of the
//! [IPv6 address space](https://www.iana.org/assignments/ipv6-address-space).
//!
//! No library is used, as none passes the tables of the tests: `ip_rfc` 0.1.0 calls IPv4-mapped addresses, NAT64 and multicast
//! public, `bogon` 0.3.0 calls Teredo and `2001:db8::/32` public, and the standard library's `is_global` is not stable.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Networks of IPv4 that are not public, with the lengths of their prefixes. The registry's AS112 (`192.31.196.0/24`,
/// `192.175.48.0/24`) and AMT (`192.52.193.0/24`) are not among them, as they are globally reachable.
const V4: [(Ipv4Addr, u32); 16] = [
    // "This network" (RFC 791): Linux connects 0.0.0.0 to itself.
    (Ipv4Addr::UNSPECIFIED, 8),
    // Private use (RFC 1918).
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    // Shared address space (RFC 6598), of carriers and of some clouds' own services.
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    // Loopback (RFC 1122).
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    // Link-local (RFC 3927), with the credentials of clouds at 169.254.169.254 and 169.254.170.2.
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    // IETF protocol assignments (RFC 6890).
    (Ipv4Addr::new(192, 0, 0, 0), 24),
    // Documentation (RFC 5737).
    (Ipv4Addr::new(192, 0, 2, 0), 24),
    (Ipv4Addr::new(198, 51, 100, 0), 24),
    (Ipv4Addr::new(203, 0, 113, 0), 24),
    // Relays of 6to4, deprecated (RFC 7526).
    (Ipv4Addr::new(192, 88, 99, 0), 24),
    // Benchmarking (RFC 2544).
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    // Multicast (RFC 5771).
    (Ipv4Addr::new(224, 0, 0, 0), 4),
    // Reserved (RFC 1112), and the limited broadcast (RFC 919).
    (Ipv4Addr::new(240, 0, 0, 0), 4),
    (Ipv4Addr::BROADCAST, 32),
];

/// The only part of IPv6 that IANA assigns as global unicast (RFC 4291). Outside of it are `::`, `::1`, IPv4-compatible and
/// IPv4-mapped addresses, NAT64 (`64:ff9b::/96` and `64:ff9b:1::/48`), discard-only (`100::/64`), `SRv6` (`5f00::/16`),
/// unique local (`fc00::/7`, with `fd00:ec2::254`), link-local (`fe80::/10`), site-local (`fec0::/10`) and multicast (`ff00::/8`).
const GLOBAL_UNICAST: (Ipv6Addr, u32) = (Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);

/// Networks within [`GLOBAL_UNICAST`] that are not public. 6to4, Teredo and NAT64 are refused whatever IPv4 address they embed:
/// a receiver that has such an address also has an IPv4 address.
const V6: [(Ipv6Addr, u32); 4] = [
    // IETF protocol assignments (RFC 2928): Teredo (2001::/32), benchmarking (2001:2::/48), ORCHID (2001:10::/28, 2001:20::/28),
    // drones' remote ids (2001:30::/28), and anycast of protocols other than HTTP.
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23),
    // Documentation (RFC 3849, RFC 9637).
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20),
    // 6to4 (RFC 3056).
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16),
];

/// Whether an address is on the public internet: global unicast, and not set aside for any special purpose.
#[must_use]
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => !V4.iter().any(|&network| is_in_v4(address, network)),
        IpAddr::V6(address) => {
            is_in_v6(address, GLOBAL_UNICAST) && !V6.iter().any(|&network| is_in_v6(address, network))
        }
    }
}

fn is_in_v4(address: Ipv4Addr, (network, length): (Ipv4Addr, u32)) -> bool {
    (address.to_bits() ^ network.to_bits()).leading_zeros() >= length
}

fn is_in_v6(address: Ipv6Addr, (network, length): (Ipv6Addr, u32)) -> bool {
    (address.to_bits() ^ network.to_bits()).leading_zeros() >= length
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_of_special_networks_are_public() {
        for address in [
            "1.0.0.0",
            "1.1.1.1",
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
            "191.255.255.255",
            "192.0.1.0",
            "192.0.3.0",
            "192.31.196.1",
            "192.52.193.1",
            "192.88.98.255",
            "192.88.100.0",
            "192.167.255.255",
            "192.169.0.0",
            "192.175.48.1",
            "198.17.255.255",
            "198.20.0.0",
            "198.51.99.255",
            "198.51.101.0",
            "203.0.112.255",
            "203.0.114.0",
            "223.255.255.255",
            "2001:200::",
            "2001:4860:4860::8888",
            "2001:db7:ffff::",
            "2001:db9::",
            "2003::",
            "2410::1",
            "2606:4700:4700::1111",
            "2620:4f:8000::1",
            "3ffe:ffff::",
            "3fff:1000::",
        ] {
            assert!(is_public(address.parse().unwrap()), "{address}");
        }
    }

    #[test]
    fn addresses_of_special_networks_are_not_public() {
        for address in [
            // Loopback, and what connects to the machine itself.
            "0.0.0.0",
            "0.255.255.255",
            "127.0.0.1",
            "127.255.255.255",
            "::",
            "::1",
            // Private.
            "10.0.0.0",
            "10.255.255.255",
            "172.16.0.0",
            "172.31.255.255",
            "192.168.0.0",
            "192.168.255.255",
            "fc00::",
            "fd00:ec2::254",
            "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
            "fec0::1",
            "feff::1",
            // Link-local.
            "169.254.0.0",
            "169.254.169.254",
            "169.254.170.2",
            "169.254.255.255",
            "fe80::1",
            "febf::1",
            // Carriers' and clouds'.
            "100.64.0.0",
            "100.100.100.200",
            "100.127.255.255",
            // Protocol assignments.
            "192.0.0.0",
            "192.0.0.9",
            "192.0.0.10",
            "192.0.0.192",
            "192.0.0.255",
            "2001:1::1",
            "2001:1::2",
            "2001:3::1",
            "2001:4:112::1",
            "2001:1ff:ffff::",
            // Documentation, benchmarking, discarding.
            "192.0.2.1",
            "198.51.100.1",
            "203.0.113.255",
            "2001:db8::1",
            "2001:db8:ffff::1",
            "3fff::1",
            "3fff:fff:ffff::1",
            "198.18.0.1",
            "198.19.255.255",
            "2001:2::1",
            "100::1",
            "100:0:0:1::1",
            // Multicast, reserved, broadcast.
            "224.0.0.1",
            "239.255.255.255",
            "ff02::1",
            "ff0e::1",
            "240.0.0.0",
            "255.255.255.254",
            "255.255.255.255",
            "4000::1",
            "5f00::1",
            "1fff:ffff::1",
            // Other protocols in the form of an address.
            "2001:10::1",
            "2001:20::1",
            "2001:30::1",
            // IPv4 inside of IPv6, public or not: mapped, compatible, translated, NAT64, 6to4, its relays, Teredo.
            "::ffff:127.0.0.1",
            "::ffff:8.8.8.8",
            "::127.0.0.1",
            "::8.8.8.8",
            "::ffff:0:127.0.0.1",
            "64:ff9b::127.0.0.1",
            "64:ff9b::8.8.8.8",
            "64:ff9b:1::8.8.8.8",
            "2002:7f00:1::",
            "2002:808:808::1",
            "192.88.99.1",
            "2001::1",
            "2001:0:53aa:64c:0:0:80ff:fffe",
        ] {
            assert!(!is_public(address.parse().unwrap()), "{address}");
        }
    }

    #[test]
    fn what_the_standard_library_calls_special_is_not_public() {
        let special_v4 = |address: &Ipv4Addr| {
            address.is_private()
                || address.is_loopback()
                || address.is_link_local()
                || address.is_broadcast()
                || address.is_documentation()
                || address.is_multicast()
                || address.is_unspecified()
        };
        for high in 0..=u16::MAX {
            for low in [0, 1, u16::MAX] {
                let address = Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low));
                assert!(!(special_v4(&address) && is_public(address.into())), "{address}");
            }
        }
        for first in 0..=u16::MAX {
            let address = Ipv6Addr::new(first, 0xdb8, 0, 0, 0, 0, 0, 1);
            let special = address.is_unique_local() || address.is_unicast_link_local() || address.is_multicast();
            assert!(!(special && is_public(address.into())), "{address}");
        }
    }
}
