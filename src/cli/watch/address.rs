//! An address at which a program listens.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// Where to listen: an address with a port, or a port of this machine alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli) struct Address(SocketAddr);

impl Address {
    /// The address and port.
    pub(in crate::cli) fn socket(self) -> SocketAddr {
        self.0
    }
}

impl std::str::FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(port) = text.parse() {
            return Ok(Self(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port)));
        }
        let text_of_address = text.replace("localhost:", "127.0.0.1:");
        let address = text_of_address.parse();
        address.map(Self).map_err(|_| {
            format!("'{text}' is no address; give a port (9464) or an address with one (127.0.0.1:9464)")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_may_be_a_port_of_this_machine() {
        for (text, expected) in [
            ("9464", "127.0.0.1:9464"),
            ("localhost:9464", "127.0.0.1:9464"),
            ("127.0.0.1:0", "127.0.0.1:0"),
            ("[::1]:80", "[::1]:80"),
            ("0.0.0.0:9464", "0.0.0.0:9464"),
        ] {
            assert_eq!(text.parse::<Address>().unwrap().0, expected.parse().unwrap(), "{text}");
        }
        for text in ["", "65536", "-1", "example.org:80", "127.0.0.1", ":9464", "http://127.0.0.1:9464"] {
            let refused = text.parse::<Address>().unwrap_err();
            assert!(refused.contains(&format!("'{text}'")) && refused.contains("9464"), "{refused}");
        }
    }
}
