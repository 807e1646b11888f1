//! Which addresses count as public, and what an installation may permit.

#![allow(clippy::unwrap_used)]

use std::net::IpAddr;

use renkei_runtime::http::guard::{AllowPrivate, is_public};

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[test]
fn addresses_inside_are_not_public_in_any_of_their_forms() {
    let inside = [
        "0.0.0.0",
        "10.0.0.1",
        "100.64.0.1",
        "100.127.255.255",
        "127.0.0.1",
        "127.255.255.255",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.1",
        "192.0.2.1",
        "192.168.1.1",
        "198.18.0.1",
        "198.19.255.255",
        "198.51.100.7",
        "203.0.113.9",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "fe80::1",
        "fc00::1",
        "fd00:ec2::254",
        "ff02::1",
        "2001:db8::1",
        "2001::1",
        "3fff::1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "::ffff:10.0.0.1",
        "::7f00:1",
        "64:ff9b::a00:1",
        "2002:a00:1::",
        "2002:7f00:1::1",
        "100::1",
        "64:ff9b:1::1",
    ];
    for address in inside {
        assert!(!is_public(ip(address)), "{address}");
    }
}

#[test]
fn addresses_outside_are_public() {
    let outside = [
        "1.1.1.1",
        "100.63.255.255",
        "100.128.0.1",
        "172.15.0.1",
        "172.32.0.1",
        "192.167.1.1",
        "198.17.0.1",
        "198.20.0.1",
        "223.255.255.255",
        "2606:4700::1111",
        "2400:cb00::1",
        "::ffff:1.1.1.1",
        "64:ff9b::101:101",
        "2002:101:101::1",
    ];
    for address in outside {
        assert!(is_public(ip(address)), "{address}");
    }
}

#[test]
fn an_installation_permits_networks_and_names() {
    let entries = ["10.1.0.0/16", "127.0.0.1", "fd00::/8", "Sandbox"].map(str::to_owned);
    let allow = AllowPrivate::parse(&entries).unwrap();
    for (host, address, permitted) in [
        ("a.example", "1.1.1.1", true),
        ("a.example", "10.1.255.255", true),
        ("a.example", "10.2.0.0", false),
        ("a.example", "127.0.0.1", true),
        ("a.example", "127.0.0.2", false),
        ("a.example", "::ffff:127.0.0.1", true),
        ("a.example", "::ffff:127.0.0.2", false),
        ("a.example", "fd12::1", true),
        ("a.example", "fe80::1", false),
        ("sandbox", "172.18.0.2", true),
        ("SANDBOX.", "172.18.0.2", true),
        ("sandbox.example", "172.18.0.2", false),
    ] {
        assert_eq!(allow.permits(host, ip(address)), permitted, "{host} at {address}");
    }
    let none = AllowPrivate::default();
    assert!(!none.permits("localhost", ip("127.0.0.1")));
    let all = AllowPrivate::parse(&["0.0.0.0/0".to_owned()]).unwrap();
    assert!(all.permits("a", ip("127.0.0.1")) && !all.permits("a", ip("::1")));
}
