//! Ports for servers that must be told their port before they start.

use std::net::{Ipv4Addr, TcpListener};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::sync::{Mutex, PoisonError};

use super::ServerError;

/// A port of 127.0.0.1 that nobody listens on. No other test process that asks here gets the same one while this process
/// lives, and no outgoing connection can be given it: it lies below the range that the system hands out. (A client that
/// retries a port *inside* that range can connect to itself.)
///
/// # Errors
/// When no port is free.
pub fn free_port() -> Result<u16, ServerError> {
    // An abstract socket is a lock that leaves no file and ends with the process.
    static RESERVED: Mutex<Vec<UnixListener>> = Mutex::new(Vec::new());
    const FIRST: u16 = 15_000;
    let end = first_ephemeral_port().max(FIRST + 1_000);
    let count = u32::from(end - FIRST);
    let start = std::process::id().wrapping_mul(101) % count;
    for step in 0..count {
        let port = FIRST + u16::try_from((start + step) % count).unwrap_or(0);
        let lock = SocketAddr::from_abstract_name(format!("renkei-test-port-{port}"));
        let Ok(lock) = lock.and_then(|name| UnixListener::bind_addr(&name)) else { continue };
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            RESERVED.lock().unwrap_or_else(PoisonError::into_inner).push(lock);
            return Ok(port);
        }
    }
    Err(ServerError::NoPort(FIRST, end))
}

fn first_ephemeral_port() -> u16 {
    let range = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
    range.split_whitespace().next().and_then(|low| low.parse().ok()).unwrap_or(32_768)
}
