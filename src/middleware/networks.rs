//! The network that an address belongs to, and the addresses that trusted proxies report.
//!
//! Must not know what is counted by address.

use http::HeaderMap;
use ipnet::IpNet;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

/// The header in which proxies report the addresses from which they received a request.
const FORWARDED_FOR: &str = "x-forwarded-for";
/// Number of leading bits of an IPv6 address that one host, or one home, usually owns.
const HOST_BITS: u32 = 64;
/// Number of leading bits of an IPv6 address that one site usually owns.
const SITE_BITS: u32 = 48;

/// The networks of the proxies whose reports are trusted; none by default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustedProxies(Vec<IpNet>);

impl TrustedProxies {
    /// Trusts the proxies of these networks.
    pub fn new(networks: Vec<IpNet>) -> Self {
        Self(networks)
    }

    /// Whether an address belongs to a trusted proxy.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }

    /// Returns the last address in `x-forwarded-for` that no trusted proxy has: the client of the outermost one.
    ///
    /// Each proxy appends the address from which it received the request, so everything before that address was
    /// written by the client itself. `None` if there is no such address, or if it cannot be read.
    pub fn client(&self, headers: &HeaderMap) -> Option<IpAddr> {
        let values = headers.get_all(FORWARDED_FOR).iter().rev();
        let mut reported = values.flat_map(|value| value.as_bytes().rsplit(|byte| *byte == b','));
        loop {
            let address = parse(std::str::from_utf8(reported.next()?).ok()?.trim())?;
            if !self.contains(address) {
                return Some(address);
            }
        }
    }
}

impl FromStr for TrustedProxies {
    type Err = String;

    /// Parses networks, or single addresses, separated by commas.
    fn from_str(text: &str) -> Result<Self, String> {
        let network = |text: &str| {
            let text = text.trim();
            let network = text.parse().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
            network.map_err(|_| format!("`{text}` is no network; write for example 10.0.0.0/8 or fd00::/8"))
        };
        text.split(',').map(network).collect::<Result<_, _>>().map(Self)
    }
}

/// Parses an address, with or without a port and brackets.
fn parse(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    bare.parse().ok().or_else(|| text.parse::<SocketAddr>().map(|address| address.ip()).ok())
}

/// Returns the network of an address: the /64 network of IPv6, and the address itself of IPv4.
///
/// The owner of one IPv6 address usually owns all 2^64 addresses of the network, and would otherwise count as many
/// callers.
pub(crate) fn host(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => leading(address, HOST_BITS).into(),
        address => address,
    }
}

/// Returns the /48 network of an IPv6 address; `None` for IPv4.
pub(crate) fn site(address: IpAddr) -> Option<IpAddr> {
    match address.to_canonical() {
        IpAddr::V6(address) => Some(leading(address, SITE_BITS).into()),
        IpAddr::V4(_) => None,
    }
}

fn leading(address: Ipv6Addr, bits: u32) -> Ipv6Addr {
    Ipv6Addr::from_bits(address.to_bits() & !(u128::MAX >> bits))
}

#[cfg(test)]
mod tests {
    use crate::middleware::networks::{TrustedProxies, host, site};
    use http::HeaderMap;

    fn client(trusted: &str, forwarded: &[&str]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append("x-forwarded-for", value.parse().unwrap());
        }
        trusted.parse::<TrustedProxies>().unwrap().client(&headers).map(|address| address.to_string())
    }

    #[test]
    fn the_client_is_the_last_address_that_is_no_proxy() {
        let proxies = "10.0.0.0/8, fd00::/8, 192.0.2.1";
        for (forwarded, expected) in [
            (&["203.0.113.7"][..], Some("203.0.113.7")),
            (&["198.51.100.1, 203.0.113.7"], Some("203.0.113.7")),
            (&["198.51.100.1, 203.0.113.7, 10.1.2.3"], Some("203.0.113.7")),
            (&["198.51.100.1", "203.0.113.7", "10.1.2.3,fd00::1"], Some("203.0.113.7")),
            (&["203.0.113.7:4321"], Some("203.0.113.7")),
            (&["[2001:db8::1]:4321"], Some("2001:db8::1")),
            (&["[2001:db8::1], ::ffff:10.0.0.1"], Some("2001:db8::1")),
            (&["2001:db8::1"], Some("2001:db8::1")),
            // The client wrote the part before the faulty entry, so nothing before it counts.
            (&["203.0.113.7, unknown"], None),
            (&["203.0.113.7,"], None),
            (&["10.0.0.1"], None),
            (&[], None),
        ] {
            assert_eq!(client(proxies, forwarded).as_deref(), expected, "{forwarded:?}");
        }
    }

    #[test]
    fn faulty_networks_are_named() {
        for faulty in ["10.0.0.0/33", "", "10.0.0.0/8,", "proxy.example", "10.0.0/8"] {
            let error = faulty.parse::<TrustedProxies>().unwrap_err();
            assert!(error.contains("is no network; write for example"), "{faulty}: {error}");
        }
    }

    #[test]
    fn addresses_belong_to_a_host_and_ipv6_addresses_to_a_site() {
        for (address, of_host, of_site) in [
            ("192.0.2.1", "192.0.2.1", None),
            ("::ffff:192.0.2.1", "192.0.2.1", None),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::", Some("2001:db8:1::")),
        ] {
            let address = address.parse().unwrap();
            assert_eq!(host(address).to_string(), of_host);
            assert_eq!(site(address).map(|site| site.to_string()).as_deref(), of_site);
        }
    }
}
