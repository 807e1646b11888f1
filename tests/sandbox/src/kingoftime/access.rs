//! Access tokens: what each may read, and from where (rules 1, 2 and 12).

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

use crate::hrmos::auth::mixed;

/// What a token may be allowed, item by item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Item {
    /// Company, divisions and employment types.
    Settings,
    /// Employees.
    Employees,
    /// Totals of dates.
    Daily,
    /// Punches.
    TimeRecords,
    /// Registering punches.
    Punching,
}

impl Item {
    /// What a link reads.
    pub const READ: [Self; 4] = [Self::Settings, Self::Employees, Self::Daily, Self::TimeRecords];
}

/// Addresses from which a token may be used, as the screen takes them: an address and how many of its bits count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    /// Some address inside.
    pub address: Ipv4Addr,
    /// 0 to 32.
    pub bits: u8,
}

impl Network {
    /// One address.
    #[must_use]
    pub const fn one(address: Ipv4Addr) -> Self {
        Self { address, bits: 32 }
    }

    fn holds(self, caller: IpAddr) -> bool {
        let IpAddr::V4(caller) = caller else { return false };
        let mask = u32::MAX.checked_shl(32 - u32::from(self.bits.min(32))).unwrap_or(0);
        u32::from(caller) & mask == u32::from(self.address) & mask
    }
}

/// A token.
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    /// Its text.
    pub text: String,
    /// What it may.
    pub items: BTreeSet<Item>,
    /// From where. Nowhere, as long as this is empty.
    pub networks: Vec<Network>,
    /// Whether it was stopped.
    pub stopped: bool,
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Token").field("items", &self.items).field("stopped", &self.stopped).finish_non_exhaustive()
    }
}

impl Token {
    /// A token that may read all that a link reads, from anywhere.
    #[must_use]
    pub fn reading(text: &str) -> Self {
        let anywhere = Network { address: Ipv4Addr::UNSPECIFIED, bits: 0 };
        Self { text: text.to_owned(), items: Item::READ.into(), networks: vec![anywhere], stopped: false }
    }

    /// Whether it may be used from there at all.
    pub(super) fn is_good(&self, caller: IpAddr) -> bool {
        !self.stopped && self.is_from_here(caller)
    }

    pub(super) fn is_from_here(&self, caller: IpAddr) -> bool {
        self.networks.iter().any(|network| network.holds(caller))
    }

    /// Another one with the same settings; this one is stopped.
    pub(super) fn replaced(&mut self) -> Self {
        self.stopped = true;
        let seed = self.text.bytes().fold(7_u64, |hash, byte| mixed(hash ^ u64::from(byte)));
        let text = format!("{:016x}{:016x}", mixed(seed), mixed(seed ^ 1));
        Self { text, stopped: false, ..self.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_holds_the_addresses_that_share_its_bits() {
        let table = [
            ("203.0.113.10", 32, "203.0.113.10", true),
            ("203.0.113.10", 32, "203.0.113.11", false),
            ("203.0.113.0", 24, "203.0.113.200", true),
            ("203.0.113.0", 24, "203.0.114.1", false),
            ("0.0.0.0", 0, "198.51.100.7", true),
            ("0.0.0.0", 0, "::1", false),
        ];
        for (address, bits, caller, holds) in table {
            let network = Network { address: address.parse().unwrap(), bits };
            assert_eq!(network.holds(caller.parse().unwrap()), holds, "{address}/{bits} {caller}");
        }
    }
}
