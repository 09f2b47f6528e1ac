//! What the third argument of `mcp._serve` says about a request: JSON text, of which all but headers and address is made once.

use std::fmt::Write as _;
use std::net::IpAddr;

use hyper::header::{HeaderMap, HeaderName};
use serde_json::Value;

use crate::config::Mcp;

/// The headers that `mcp._serve` compares with the message.
static ROUTING: [HeaderName; 3] = [
    HeaderName::from_static("mcp-method"),
    HeaderName::from_static("mcp-name"),
    HeaderName::from_static("mcp-protocol-version"),
];

/// The beginning of the text: the members that are the same for every request.
pub(crate) struct Transport(String);

impl Transport {
    pub(crate) fn new(config: &Mcp, read_only: bool) -> Transport {
        Transport::begin(config, read_only, true)
    }

    /// The same for standard input and output, where there are neither headers nor addresses.
    pub(crate) fn without_http(config: &Mcp, read_only: bool) -> Transport {
        Transport::begin(config, read_only, false)
    }

    fn begin(config: &Mcp, read_only: bool, http: bool) -> Transport {
        let mut transport = format!(r#"{{"http":{http}"#);
        if read_only {
            transport.push_str(r#","read_only":true"#);
        }
        let lists =
            [("allowed_tools", &config.allowed_tools), ("allowed_resources", &config.allowed_resources)];
        for (name, list) in lists.into_iter().filter(|(_, list)| !list.is_empty()) {
            transport.push_str(&format!(r#","{name}":{}"#, Value::from(list.clone())));
        }
        transport.push_str(&format!(r#","rate_limit_per_min":{}"#, config.rate_limit_per_min));
        // At least a second: a state that is old when it is made would ask for ever.
        let seconds = u32::try_from(config.session_timeout.as_secs()).unwrap_or(u32::MAX).max(1);
        transport.push_str(&format!(r#","session_timeout":{seconds}"#));
        Transport(transport)
    }

    /// What `mcp._serve` is told about a message that came without HTTP: only the revision that `initialize` negotiated
    /// before, if it did.
    pub(crate) fn after(&self, negotiated: Option<&str>) -> String {
        match negotiated {
            Some(version) => format!(r#"{},"protocol_version":{}}}"#, self.0, Value::from(version)),
            None => format!("{}}}", self.0),
        }
    }

    /// What `mcp._serve` is told about the request.
    pub(crate) fn of(&self, headers: &HeaderMap, client: IpAddr) -> String {
        let mut text = String::with_capacity(self.0.len() + 128);
        text.push_str(&self.0);
        let mut next = r#","headers":{""#;
        for name in &ROUTING {
            let mut values = headers.get_all(name).iter().peekable();
            if values.peek().is_none() {
                continue;
            }
            text.push_str(next);
            next = r#"],""#;
            text.push_str(name.as_str());
            for (at, value) in values.enumerate() {
                text.push_str(if at == 0 { r#"":["# } else { "," });
                push_json(&mut text, value.as_bytes());
            }
        }
        text.push_str(if next.starts_with(']') { r#"]},"address":""# } else { r#","address":""# });
        push_address(&mut text, client.to_canonical());
        text.push_str("\"}");
        text
    }
}

/// The same for a stream that has seen `seen`.
pub(crate) fn watching(transport: &str, seen: &str) -> String {
    let begin = transport.strip_suffix('}').unwrap_or(transport);
    format!(r#"{begin},"watch":{}}}"#, Value::from(seen))
}

/// An address, which has no characters to escape.
fn push_address(text: &mut String, address: IpAddr) {
    let IpAddr::V4(address) = address else {
        // Writing to a String does not fail.
        let _ = write!(text, "{address}");
        return;
    };
    for (at, byte) in address.octets().into_iter().enumerate() {
        if at > 0 {
            text.push('.');
        }
        let digits = [byte / 100, byte / 10 % 10, byte % 10].map(|digit| char::from(b'0' + digit));
        text.extend(
            &digits[if byte > 99 {
                0
            } else if byte > 9 {
                1
            } else {
                2
            }..],
        );
    }
}

/// A header's value as JSON text.
fn push_json(text: &mut String, value: &[u8]) {
    match std::str::from_utf8(value) {
        // What versions, methods and most names consist of.
        Ok(plain)
            if plain.bytes().all(|byte| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\')) =>
        {
            text.push('"');
            text.push_str(plain);
            text.push('"');
        }
        _ => text.push_str(&Value::from(String::from_utf8_lossy(value)).to_string()),
    }
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;
    use crate::Config;

    fn transport(yaml: &str) -> Transport {
        let config = Config::from_parts(Some((std::path::Path::new("test.yaml"), yaml)), &|_| None);
        let config = config.expect("the test's settings");
        Transport::new(&config.mcp, config.listener.read_only)
    }

    #[test]
    fn it_is_the_agreed_one() {
        let client = "::ffff:127.0.0.1".parse().unwrap();
        let mut headers = HeaderMap::new();
        assert_eq!(
            transport("").of(&headers, client),
            r#"{"http":true,"rate_limit_per_min":100,"session_timeout":3600,"address":"127.0.0.1"}"#
        );
        headers.append("mcp-method", "tools/call".parse().unwrap());
        headers.append("mcp-name", "a".parse().unwrap());
        headers.append("mcp-name", "b\"\\".parse().unwrap());
        headers.append("mcp-name", HeaderValue::from_bytes(b"c\td\xe9\xc3\xa9").unwrap());
        headers.append("mcp-other", "x".parse().unwrap());
        let transport =
            transport("mcp: {allowed_tools: [query_table], rate_limit_per_min: 0, session_timeout: 250ms}");
        let transport = transport.of(&headers, client);
        assert_eq!(
            transport,
            r#"{"http":true,"allowed_tools":["query_table"],"rate_limit_per_min":0,"session_timeout":1,"headers":{"mcp-method":["tools/call"],"mcp-name":["a","b\"\\","c\td?é"]},"address":"127.0.0.1"}"#
                .replace('?', "\u{fffd}")
        );
        assert!(serde_json::from_str::<Value>(&transport).is_ok());
        let read_only = self::transport("listener: {read_only: true}").of(&HeaderMap::new(), client);
        assert!(read_only.starts_with(r#"{"http":true,"read_only":true,"rate"#), "{read_only}");
    }

    #[test]
    fn a_stream_tells_what_it_has_seen() {
        let transport = transport("").of(&HeaderMap::new(), "127.0.0.1".parse().unwrap());
        let value: Value = serde_json::from_str(&watching(&transport, "a \"b\"")).unwrap();
        assert_eq!((&value["watch"], &value["address"]), (&"a \"b\"".into(), &"127.0.0.1".into()));
    }

    #[test]
    fn without_http_there_is_only_the_negotiated_revision() {
        let config = Config::from_parts(None, &|_| None).expect("defaults");
        let transport = Transport::without_http(&config.mcp, false);
        assert_eq!(
            transport.after(None),
            r#"{"http":false,"rate_limit_per_min":100,"session_timeout":3600}"#
        );
        assert_eq!(
            transport.after(Some("2025-11-25")),
            r#"{"http":false,"rate_limit_per_min":100,"session_timeout":3600,"protocol_version":"2025-11-25"}"#
        );
    }

    #[test]
    fn addresses_are_written_as_usual() {
        for address in ["0.9.10.99", "100.109.200.255", "2001:db8::1"] {
            let mut text = String::new();
            push_address(&mut text, address.parse().unwrap());
            assert_eq!(text, address);
        }
    }
}
