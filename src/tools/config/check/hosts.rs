//! Whether hosts are hosts and addresses are addresses.

use std::net::IpAddr;

use crate::tools::config::finding::Finding;
use crate::tools::config::given::Given;

/// Settings that hold a host alone, and the one that holds its port.
const HOSTS: [(&str, &str); 3] = [
    ("RABBITMQ_HOST", "RABBITMQ_PORT"),
    ("REDIS_HOST", "REDIS_PORT"),
    ("REDDIS_HOST", "REDIS_PORT"),
];
/// The setting that holds a host and a port.
const EMULATOR: &str = "FIRESTORE_EMULATOR_HOST";

pub(super) fn malformed(given: &Given) -> Vec<Finding> {
    let text = |name: &str| {
        given
            .text(name)
            .map(|text| text.to_string_lossy().trim().to_owned())
    };
    let hosts = HOSTS.iter().filter_map(|(name, port)| {
        let host = text(name).filter(|host| !is_host(host))?;
        Some(Finding::error(
            &[name],
            format!("{name} is {host:?}, which is no host; the port goes into {port}"),
        ))
    });
    let emulator = text(EMULATOR).filter(|address| !is_address(address));
    let emulator = emulator.map(|address| {
        Finding::error(
            &[EMULATOR],
            format!("{EMULATOR} is {address:?}, and must be as 127.0.0.1:8080"),
        )
    });
    hosts.chain(emulator).collect()
}

/// A name of the DNS, or an address.
fn is_host(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    text.parse::<IpAddr>().is_ok() || (!text.is_empty() && text.bytes().all(fits))
}

fn is_address(text: &str) -> bool {
    let Some((host, port)) = text.rsplit_once(':') else {
        return false;
    };
    let host = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .unwrap_or(host);
    is_host(host) && port.parse::<u16>().is_ok_and(|port| port > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_has_neither_scheme_nor_port_and_an_address_has_a_port() {
        assert!(
            ["redis", "redis.segue.svc", "10.0.0.1", "::1"]
                .iter()
                .all(|host| is_host(host))
        );
        assert!(
            ["redis:6379", "redis://views", "a b", "a/b"]
                .iter()
                .all(|host| !is_host(host))
        );
        assert!(
            ["127.0.0.1:8080", "[::1]:8080", "emulator:1"]
                .iter()
                .all(|address| is_address(address))
        );
        assert!(
            ["emulator", "http://emulator:1", "emulator:0", "emulator:x"]
                .iter()
                .all(|address| !is_address(address))
        );
    }
}
