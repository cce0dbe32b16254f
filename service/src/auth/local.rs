//! Requests from this machine. One that comes from a page of some web site in a browser on this machine comes
//! from this machine, too; it gives itself away by the host or the origin that it names.

use std::net::{IpAddr, SocketAddr};

use axum::http::header::{HOST, ORIGIN};
use axum::http::{HeaderMap, HeaderName};

/// Whether a request comes from this machine, and means it.
pub fn is_local(peer: SocketAddr, headers: &HeaderMap) -> bool {
    let named = |name: HeaderName| {
        let mut values = headers.get_all(name).iter();
        (values.next(), values.next())
    };
    let host = match named(HOST) {
        (Some(host), None) => host.to_str().is_ok_and(is_this_machine),
        _ => false,
    };
    let origin = match named(ORIGIN) {
        (None, _) => true,
        (Some(origin), None) => origin.to_str().is_ok_and(|origin| {
            let host = origin.split_once("://").map(|(_, host)| host);
            host.is_some_and(is_this_machine)
        }),
        _ => false,
    };
    peer.ip().to_canonical().is_loopback() && host && origin
}

/// Whether `HOST` or `HOST:PORT` is this machine.
pub(super) fn is_this_machine(authority: &str) -> bool {
    let host = match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    let address = host.parse::<IpAddr>();
    host.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_of_others_are_not_local() {
        let local = |peer: &str, host: &str, origin: Option<&str>| {
            let mut headers = HeaderMap::new();
            headers.insert(HOST, host.parse().unwrap());
            if let Some(origin) = origin {
                headers.insert(ORIGIN, origin.parse().unwrap());
            }
            is_local(peer.parse().unwrap(), &headers)
        };
        assert!(local("127.0.0.1:5", "127.0.0.1:8080", None));
        assert!(local(
            "[::1]:5",
            "[::1]:8080",
            Some("http://localhost:3000")
        ));
        assert!(local("[::ffff:127.0.0.1]:5", "localhost", None));
        assert!(!local("192.0.2.1:5", "localhost", None));
        assert!(!local("127.0.0.1:5", "rebound.example:8080", None));
        assert!(!local(
            "127.0.0.1:5",
            "localhost",
            Some("https://news.example")
        ));
        assert!(!local("127.0.0.1:5", "localhost", Some("null")));
        assert!(!local("127.0.0.1:5", "localhost.example", None));
    }
}
