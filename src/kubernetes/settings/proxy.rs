//! Which hosts `NO_PROXY` keeps from the proxy of the environment, as Go's `http.ProxyFromEnvironment` reads it.

use std::net::IpAddr;

/// Whether requests to `host` go around the proxy.
pub(super) fn is_exempt(no_proxy: &str, host: &str, port: u16) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
    let address: Option<IpAddr> = host.parse().ok();
    if host == "localhost" || address.is_some_and(|address| address.is_loopback()) {
        return true;
    }
    no_proxy.split(',').map(str::trim).filter(|rule| !rule.is_empty()).any(|rule| matches(rule, &host, address, port))
}

fn matches(rule: &str, host: &str, address: Option<IpAddr>, port: u16) -> bool {
    if rule == "*" {
        return true;
    }
    if let Some((network, bits)) = rule.split_once('/') {
        return match (network.parse(), bits.parse(), address) {
            (Ok(network), Ok(bits), Some(address)) => contains(network, bits, address),
            _ => false,
        };
    }
    let (name, wanted_port) = match rule.rsplit_once(':') {
        // An IPv6 address has colons and no port.
        Some((name, digits)) if !name.contains(':') => (name, digits.parse::<u16>().ok()),
        _ => (rule, None),
    };
    if wanted_port.is_some_and(|wanted| wanted != port) {
        return false;
    }
    let name = name.to_ascii_lowercase();
    match (name.parse::<IpAddr>(), address) {
        (Ok(exempt), Some(address)) => exempt == address,
        (Ok(_), None) | (Err(_), Some(_)) => false,
        (Err(_), None) => {
            let suffix = name.trim_start_matches('*');
            let bare = suffix.trim_start_matches('.');
            let below = host.strip_suffix(bare).is_some_and(|front| front.ends_with('.'));
            // A leading dot means the names below alone.
            below || (host == bare && !suffix.starts_with('.'))
        }
    }
}

fn contains(network: IpAddr, bits: u32, address: IpAddr) -> bool {
    let (network, address, width) = match (network, address) {
        (IpAddr::V4(network), IpAddr::V4(address)) => {
            (u128::from(network.to_bits()), u128::from(address.to_bits()), 32)
        }
        (IpAddr::V6(network), IpAddr::V6(address)) => (network.to_bits(), address.to_bits(), 128),
        _ => return false,
    };
    bits <= width && (bits == 0 || network >> (width - bits) == address >> (width - bits))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exemptions_are_read_as_go_reads_them() {
        for (rules, host, exempt) in [
            ("", "10.0.0.1", false),
            ("", "127.0.0.1", true),
            ("", "localhost", true),
            ("*", "api.example", true),
            ("10.0.0.0/8", "10.1.2.3", true),
            ("10.0.0.0/8", "11.1.2.3", false),
            ("0.0.0.0/0", "11.1.2.3", true),
            ("fd00::/8", "[fd00::1]", true),
            ("10.0.0.1", "10.0.0.1", true),
            ("a.example, b.example", "b.example", true),
            ("example", "api.example", true),
            ("example", "notexample", false),
            (".example", "api.example", true),
            (".example", "example", false),
            ("*.example", "api.example", true),
            ("api.example:6443", "api.example", true),
            ("api.example:443", "api.example", false),
        ] {
            assert_eq!(is_exempt(rules, host, 6443), exempt, "{rules} for {host}");
        }
    }
}
