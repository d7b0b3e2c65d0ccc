//! The addresses by which other machines reach this one, as the kernel lists them.
//!
//! Separate, because it is a guess that people can overrule: a node behind a translated address, or with a
//! network that peers must not use, says in its node file what is to be dialled.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The machine's own addresses without those that mean "this machine" or one link only; none where the kernel
/// does not tell.
pub fn own() -> Vec<IpAddr> {
    let text = |file: &str| std::fs::read_to_string(file).unwrap_or_default();
    let mut found: Vec<IpAddr> = v4(&text("/proc/net/fib_trie")).into_iter().map(IpAddr::V4).collect();
    found.extend(v6(&text("/proc/net/if_inet6")).into_iter().map(IpAddr::V6));
    found
}

/// The local addresses in a listing of `/proc/net/fib_trie`: those whose next line says `host LOCAL`.
fn v4(listing: &str) -> Vec<Ipv4Addr> {
    let mut found = Vec::new();
    let mut last = None;
    for line in listing.lines().map(str::trim) {
        if let Some(address) = line.strip_prefix("|-- ") {
            last = address.parse::<Ipv4Addr>().ok();
        } else if line.ends_with("host LOCAL") {
            found.extend(last.take().filter(|it| !it.is_loopback() && !it.is_link_local()));
        }
    }
    found.sort();
    found.dedup();
    found
}

/// The global addresses in a listing of `/proc/net/if_inet6`: address, interface, bits, scope, flags, name.
fn v6(listing: &str) -> Vec<Ipv6Addr> {
    let global = |line: &str| {
        let mut words = line.split_whitespace();
        let address = u128::from_str_radix(words.next()?, 16).ok()?;
        (words.nth(2)? == "00").then(|| Ipv6Addr::from_bits(address))
    };
    listing.lines().filter_map(global).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_listings_are_read() {
        let v4_listing = "Main:\n  +-- 0.0.0.0/0 3 0 5\n     |-- 0.0.0.0\n        /0 universe UNICAST\n     \
                          |-- 10.1.0.7\n        /32 host LOCAL\n     |-- 127.0.0.1\n        /32 host LOCAL\n     \
                          |-- 10.1.0.255\n        /32 link BROADCAST\nLocal:\n     |-- 10.1.0.7\n        /32 host LOCAL\n";
        assert_eq!(v4(v4_listing), [Ipv4Addr::new(10, 1, 0, 7)]);
        let v6_listing = "00000000000000000000000000000001 01 80 10 80       lo\n\
                          20010db8000000000000000000000007 02 40 00 80     eth0\n\
                          fe80000000000000021122fffe334455 02 40 20 80     eth0\n";
        assert_eq!(v6(v6_listing), ["2001:db8::7".parse::<Ipv6Addr>().unwrap()]);
    }
}
