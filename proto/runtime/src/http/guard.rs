//! Which addresses may be called.
//!
//! Base URLs are entered by people, and a name can be made to point inwards at any time. So each address that a name
//! resolves to is judged right before the connection is made to that very address.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// Whether an address belongs to the public internet. Not public: private, loopback, link-local (where clouds answer with
/// their metadata), shared, documentation, multicast, reserved, and IPv6 forms that carry such an IPv4 address.
#[must_use]
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let closed = a == 0
        || a == 10
        || a == 127
        || (a == 100 && (64..128).contains(&b))
        || (a == 169 && b == 254)
        || (a == 172 && (16..32).contains(&b))
        || (a == 192 && b == 0 && matches!(c, 0 | 2))
        || (a == 192 && b == 88 && c == 99)
        || (a == 192 && b == 168)
        || (a == 198 && matches!(b, 18 | 19))
        || (a == 198 && b == 51 && c == 100)
        || (a == 203 && b == 0 && c == 113)
        || a >= 224;
    !closed
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    if let Some(inner) = embedded_v4(address) {
        return is_public_v4(inner);
    }
    let [first, second, ..] = address.segments();
    // Only 2000::/3 is given out; of it, 2001::/23 is for protocols and 2001:db8::/32 and 3fff::/20 for documentation.
    let documentation =
        (first == 0x2001 && (second < 0x200 || second == 0xdb8)) || (first == 0x3fff && second < 0x1000);
    (first & 0xe000) == 0x2000 && !documentation
}

/// The IPv4 address inside of a mapped (`::ffff:0:0/96`), compatible (`::/96`), translated (`64:ff9b::/96`) or 6to4
/// (`2002::/16`) one.
fn embedded_v4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let last = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        Ipv4Addr::new(a, b, c, d)
    };
    match address.segments() {
        [0, 0, 0, 0, 0, 0xffff | 0, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => Some(last(high, low)),
        [0x2002, high, low, ..] => Some(last(high, low)),
        _ => None,
    }
}

/// A network: an address and how many of its bits count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Network {
    address: IpAddr,
    bits: u32,
}

impl Network {
    fn contains(self, other: IpAddr) -> bool {
        let other = other.to_canonical();
        let same = |left: u128, right: u128, width: u32| {
            // A shift by the whole width is not defined, and no bits match anything.
            self.bits == 0 || (left ^ right) >> (width - self.bits) == 0
        };
        match (self.address, other) {
            (IpAddr::V4(own), IpAddr::V4(other)) => same(own.to_bits().into(), other.to_bits().into(), 32),
            (IpAddr::V6(own), IpAddr::V6(other)) => same(own.to_bits(), other.to_bits(), 128),
            _ => false,
        }
    }
}

impl FromStr for Network {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits.parse::<u32>().map_err(|_| ())?)),
            None => (text, None),
        };
        let address: IpAddr = address.trim_start_matches('[').trim_end_matches(']').parse().map_err(|_| ())?;
        let width = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.unwrap_or(width);
        if bits > width { Err(()) } else { Ok(Self { address, bits }) }
    }
}

/// Private addresses and names that an installation may call all the same.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AllowPrivate {
    networks: Vec<Network>,
    hosts: Vec<String>,
}

impl AllowPrivate {
    /// Reads networks (`10.1.0.0/16`, `::1`) and host names.
    ///
    /// # Errors
    /// Names the entry that is neither.
    pub fn parse(entries: &[String]) -> Result<Self, String> {
        let mut allowed = Self::default();
        for entry in entries {
            if let Ok(network) = entry.parse() {
                allowed.networks.push(network);
                continue;
            }
            let usual = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
            // A text of digits and dots only is an address with a fault, never a name.
            let name = entry.chars().all(usual) && entry.chars().any(|c| c.is_ascii_alphabetic());
            if !name {
                return Err(format!("\"{entry}\" is neither a network like 10.1.0.0/16 nor a host name"));
            }
            allowed.hosts.push(entry.to_ascii_lowercase());
        }
        Ok(allowed)
    }

    /// Whether this name may be at a private address.
    #[must_use]
    pub fn host(&self, host: &str) -> bool {
        let host = host.trim_end_matches('.');
        self.hosts.iter().any(|known| known.eq_ignore_ascii_case(host))
    }

    /// Whether this address may be called although it is private.
    #[must_use]
    pub fn address(&self, address: IpAddr) -> bool {
        self.networks.iter().any(|network| network.contains(address))
    }

    /// Whether `host` may be called at `address`.
    #[must_use]
    pub fn permits(&self, host: &str, address: IpAddr) -> bool {
        is_public(address) || self.address(address) || self.host(host)
    }
}
