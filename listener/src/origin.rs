//! `Host` and `Origin`: keeps web pages from reaching a listener on the reader's own machine (DNS rebinding).
//!
//! Over loopback, `Host` must be a loopback name or one of `allowed_hosts`. On other addresses it is checked only if
//! `allowed_hosts` is set. An `Origin`, which only browsers send, must be loopback, the host itself, or one of
//! `allowed_origins`.

use std::net::IpAddr;

use hyper::header::{HOST, HeaderMap, HeaderName, ORIGIN};
use hyper::http::uri::Authority;

/// The two lists of the configuration.
#[derive(Debug, Clone, Default)]
pub(crate) struct Allowed {
    pub(crate) hosts: Vec<String>,
    pub(crate) origins: Vec<String>,
}

impl Allowed {
    /// `loopback`: the request came to a loopback address. The error says what is wrong and which option to set.
    pub(crate) fn check(&self, headers: &HeaderMap, loopback: bool) -> Result<(), String> {
        let host = one(headers, &HOST)?;
        if loopback || !self.hosts.is_empty() {
            let Some(host) = host else {
                return Err("The request has no Host header. Nothing was done.".to_owned());
            };
            if !self.host_is_allowed(host) {
                return Err(format!(
                    "The Host header is {}, which this server does not answer to. Use localhost, or add the name to \
                     listener.allowed_hosts. Nothing was done.",
                    shown(host)
                ));
            }
        }
        let Some(origin) = one(headers, &ORIGIN)? else { return Ok(()) };
        if self.origin_is_allowed(origin, host) {
            return Ok(());
        }
        Err(format!(
            "Pages of {} may not call this server. Add that origin to listener.allowed_origins to allow it. Nothing was \
             done.",
            shown(origin)
        ))
    }

    fn host_is_allowed(&self, host: &str) -> bool {
        let Ok(authority) = host.parse::<Authority>() else { return false };
        is_loopback(authority.host())
            || self.hosts.iter().any(|allowed| {
                allowed == "*"
                    || allowed.eq_ignore_ascii_case(host)
                    || allowed.eq_ignore_ascii_case(authority.host())
            })
    }

    fn origin_is_allowed(&self, origin: &str, host: Option<&str>) -> bool {
        if self.origins.iter().any(|allowed| allowed.trim_end_matches('/').eq_ignore_ascii_case(origin)) {
            return true;
        }
        let Some(rest) = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://")) else {
            return false;
        };
        host.is_some_and(|host| host.eq_ignore_ascii_case(rest))
            || rest.parse::<Authority>().is_ok_and(|authority| is_loopback(authority.host()))
    }
}

/// The only value of a header. Two of them are an attack or a mistake.
fn one<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Result<Option<&'h str>, String> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => match value.to_str() {
            Ok(text) => Ok(Some(text)),
            Err(_) => Err(format!("The {name} header is not plain text. Nothing was done.")),
        },
        (Some(_), Some(_)) => Err(format!("The {name} header stands there twice. Nothing was done.")),
    }
}

fn is_loopback(host: &str) -> bool {
    let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
    host.eq_ignore_ascii_case("localhost")
        || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// A header value of a stranger inside a message: short.
fn shown(value: &str) -> String {
    value.chars().take(100).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(allowed: &Allowed, headers: &[(&'static str, &'static str)], loopback: bool) -> bool {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().unwrap());
        }
        allowed.check(&map, loopback).is_ok()
    }

    #[test]
    fn loopback_answers_to_loopback_names_only() {
        let none = Allowed::default();
        for host in ["localhost", "localhost:8080", "LOCALHOST:1", "127.0.0.1:8080", "[::1]:8080", "[::1]"] {
            assert!(check(&none, &[("host", host)], true), "{host}");
        }
        for host in
            ["evil.example", "evil.example:8080", "localhost.evil.example", "127.0.0.1.evil.example", ""]
        {
            assert!(!check(&none, &[("host", host)], true), "{host}");
        }
        assert!(!check(&none, &[], true));
        assert!(!check(&none, &[("host", "localhost"), ("host", "localhost")], true));
        assert!(check(&none, &[("host", "db.example")], false), "a public address has public names");
    }

    #[test]
    fn allowed_hosts_extend_loopback_and_restrict_the_rest() {
        let list = Allowed { hosts: vec!["mcp.example".into(), "x.example:81".into()], origins: vec![] };
        assert!(check(&list, &[("host", "mcp.example:9")], true));
        assert!(check(&list, &[("host", "x.example:81")], false));
        assert!(!check(&list, &[("host", "x.example:82")], false));
        assert!(!check(&list, &[("host", "evil.example")], false));
        assert!(check(
            &Allowed { hosts: vec!["*".into()], origins: vec![] },
            &[("host", "any.example")],
            true
        ));
    }

    #[test]
    fn origins() {
        let list = Allowed { hosts: vec![], origins: vec!["https://app.example/".into()] };
        for origin in [
            "http://localhost:3000",
            "https://127.0.0.1",
            "http://[::1]:6274",
            "https://app.example",
            "http://h:8080",
        ] {
            assert!(check(&list, &[("host", "h:8080"), ("origin", origin)], false), "{origin}");
        }
        for origin in
            ["http://evil.example", "null", "http://h:9090", "file://", "http://localhost.evil.example", ""]
        {
            assert!(!check(&list, &[("host", "h:8080"), ("origin", origin)], false), "{origin}");
        }
        assert!(check(&list, &[("host", "h:8080")], false));
    }
}
