//! The list of brokers, and which one is next.
//!
//! ```text
//!   mqtts://scada-1:8883 ──fault──► mqtts://scada-2:8883 ──fault──► back to the first …
//! ```
//!
//! All servers of a cluster stand in the list, in the order of preference; the walk goes round. Names are resolved
//! anew at each attempt.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// Ports that are meant where none is given.
const PLAIN_PORT: u16 = 1883;
const TLS_PORT: u16 = 8883;

/// Where a broker is: `mqtt://host:port` in the clear, `mqtts://host:port` within TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokerAddress {
    /// Name or address; an IPv6 address without its brackets.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Within TLS.
    pub tls: bool,
}

/// Why a text is no broker's address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum BrokerAddressError {
    /// Neither scheme.
    #[error("\"mqtts://host:8883\" within TLS, or \"mqtt://host:1883\" in the clear")]
    Scheme,
    /// Nothing usable between scheme and port.
    #[error(
        "a host's name or address after \"://\", an IPv6 address in brackets, and nothing behind the port"
    )]
    Host,
    /// Not a number, or zero.
    #[error("a port between 1 and 65535 after the host")]
    Port,
}

impl FromStr for BrokerAddress {
    type Err = BrokerAddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (tls, rest) = match text.split_once("://") {
            Some(("mqtts", rest)) => (true, rest),
            Some(("mqtt", rest)) => (false, rest),
            Some(_) | None => return Err(BrokerAddressError::Scheme),
        };
        let (host, port) = match rest.strip_prefix('[') {
            Some(bracketed) => {
                let (host, port) = bracketed.split_once(']').ok_or(BrokerAddressError::Host)?;
                host.parse::<std::net::Ipv6Addr>().map_err(|_| BrokerAddressError::Host)?;
                let port = match port.strip_prefix(':') {
                    Some(port) => Some(port),
                    None if port.is_empty() => None,
                    None => return Err(BrokerAddressError::Host),
                };
                (host, port)
            }
            None => rest.split_once(':').map_or((rest, None), |(host, port)| (host, Some(port))),
        };
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':');
        if host.is_empty() || !host.chars().all(plain) {
            return Err(BrokerAddressError::Host);
        }
        let port = match port {
            Some(port) => port.parse().ok().filter(|port| *port > 0).ok_or(BrokerAddressError::Port)?,
            None if tls => TLS_PORT,
            None => PLAIN_PORT,
        };
        Ok(Self { host: host.to_owned(), port, tls })
    }
}

impl fmt::Display for BrokerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port, tls } = self;
        let scheme = if *tls { "mqtts" } else { "mqtt" };
        if host.contains(':') {
            write!(f, "{scheme}://[{host}]:{port}")
        } else {
            write!(f, "{scheme}://{host}:{port}")
        }
    }
}

/// The brokers, and whose turn it is.
#[derive(Clone, Debug)]
pub(crate) struct Brokers {
    all: Vec<BrokerAddress>,
    at: usize,
}

impl Brokers {
    /// The first of the list is next; none if the list is empty.
    pub(crate) fn new(all: Vec<BrokerAddress>) -> Option<Self> {
        (!all.is_empty()).then_some(Self { all, at: 0 })
    }

    /// Whose turn it is.
    pub(super) fn current(&self) -> Option<&BrokerAddress> {
        self.all.get(self.at)
    }

    /// The next one's turn.
    pub(super) fn walk(&mut self) {
        self.at = (self.at + 1).checked_rem(self.all.len()).unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_address_is_a_scheme_a_host_and_a_port() {
        for (text, host, port, tls) in [
            ("mqtt://scada-1:1884", "scada-1", 1884, false),
            ("mqtts://10.0.0.7", "10.0.0.7", 8883, true),
            ("mqtt://b", "b", 1883, false),
            ("mqtts://[2001:db8::1]:8884", "2001:db8::1", 8884, true),
            ("mqtt://[::1]", "::1", 1883, false),
        ] {
            assert_eq!(text.parse(), Ok(BrokerAddress { host: host.into(), port, tls }));
        }
    }

    #[test]
    fn what_is_no_address_says_what_it_must_be() {
        use BrokerAddressError::{Host, Port, Scheme};
        for (text, error) in [
            ("10.0.0.7:1883", Scheme),
            ("http://b", Scheme),
            ("", Scheme),
            ("mqtt://", Host),
            ("mqtt://:1883", Host),
            ("mqtt://a b", Host),
            ("mqtt://b/x", Host),
            ("mqtt://[::1", Host),
            ("mqtt://[b]:1", Host),
            ("mqtt://[::1]x", Host),
            ("mqtt://b:0", Port),
            ("mqtt://b:65536", Port),
            ("mqtt://b:", Port),
        ] {
            assert_eq!(text.parse::<BrokerAddress>(), Err(error), "{text}");
        }
    }

    #[test]
    fn the_walk_goes_round() {
        let list = ["mqtt://a", "mqtt://b"].map(|text| text.parse().unwrap());
        let mut brokers = Brokers::new(list.into()).unwrap();
        let mut hosts = Vec::new();
        for _ in 0..3 {
            hosts.push(brokers.current().unwrap().host.clone());
            brokers.walk();
        }
        assert_eq!(hosts, ["a", "b", "a"]);
        assert!(Brokers::new(Vec::new()).is_none());
    }

    proptest! {
        #[test]
        fn what_it_shows_is_what_it_reads(text in "mqtts?://([a-z0-9.-]{1,20}|\\[::[0-9a-f]{1,4}\\]):[1-9][0-9]{0,3}") {
            if let Ok(address) = text.parse::<BrokerAddress>() {
                prop_assert_eq!(address.to_string().parse(), Ok(address));
            }
        }
    }
}
