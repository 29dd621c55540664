//! The network of a client, which rate limits count by.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

/// The part of an IP address that its holder cannot change at will: a whole IPv4 address, or the first 64 bits of an IPv6 address,
/// because the smallest network of a customer is a /64 (RFC 6177), in which they can use every address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ClientNetwork(IpAddr);

impl ClientNetwork {
    #[must_use]
    pub fn of(address: IpAddr) -> Self {
        // An IPv4 client on a dual-stack socket arrives as `::ffff:192.0.2.1` (RFC 4291, 2.5.5.2). Treated as IPv6, all of them
        // would be one network.
        Self(match address.to_canonical() {
            IpAddr::V4(address) => address.into(),
            IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
        })
    }
}

/// `192.0.2.1`, or `2001:db8:0:1::/64`: a network always has a single form.
impl fmt::Display for ClientNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            IpAddr::V4(address) => write!(f, "{address}"),
            IpAddr::V6(network) => write!(f, "{network}/64"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipv4_address_counts_whole_and_an_ipv6_address_by_its_64() {
        for (address, network) in [
            ("192.0.2.1", "192.0.2.1"),
            ("192.0.2.2", "192.0.2.2"),
            ("0.0.0.0", "0.0.0.0"),
            ("255.255.255.255", "255.255.255.255"),
            ("2001:db8:0:1::", "2001:db8:0:1::/64"),
            ("2001:db8:0:1::1", "2001:db8:0:1::/64"),
            ("2001:0DB8:0000:0001:ffff:ffff:ffff:ffff", "2001:db8:0:1::/64"),
            ("2001:db8:0:2::1", "2001:db8:0:2::/64"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
            ("::1", "::/64"),
            // IPv4 in the clothes of IPv6, in every spelling.
            ("::ffff:192.0.2.1", "192.0.2.1"),
            ("::ffff:c000:201", "192.0.2.1"),
            ("0:0:0:0:0:ffff:192.0.2.1", "192.0.2.1"),
            // These are not: the deprecated ::a.b.c.d, and a prefix for translation.
            ("::192.0.2.1", "::/64"),
            ("64:ff9b::192.0.2.1", "64:ff9b::/64"),
        ] {
            assert_eq!(ClientNetwork::of(address.parse().unwrap()).to_string(), network, "{address}");
        }
    }
}
