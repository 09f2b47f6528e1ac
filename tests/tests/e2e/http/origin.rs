//! `Host` and `Origin`: the defence against DNS rebinding.

use super::*;

/// Proves the defence against DNS rebinding: over loopback only loopback names, and pages of other origins never, even with
/// a right key.
#[test]
fn strange_hosts_and_origins_are_refused() {
    let key = stage().a.pair();
    for (header, value) in [
        ("Host", "evil.example"),
        ("Host", "evil.example:8080"),
        ("Host", "localhost.evil.example"),
        ("Host", "127.0.0.1.evil.example"),
        ("Host", ""),
        ("Origin", "http://evil.example"),
        ("Origin", "https://evil.example:8080"),
        ("Origin", "null"),
        ("Origin", "http://localhost.evil.example"),
        ("Origin", "file://"),
    ] {
        let response = connect().post(&[JSON, key, (header, value)], LIST);
        assert_eq!(response.status, 403, "{header}: {value}");
        assert!(response.json()["error"]["code"].is_i64());
    }
    for (header, value) in [
        ("Host", "localhost:8080"),
        ("Host", "127.0.0.1"),
        ("Host", "[::1]:8080"),
        ("Origin", "http://localhost:6274"),
        ("Origin", "http://127.0.0.1"),
    ] {
        assert_eq!(connect().post(&[JSON, key, (header, value)], LIST).status, 200, "{header}: {value}");
    }
    // Twice, and not at all.
    let mut http = connect();
    let head = |hosts: &str| {
        format!(
            "POST /mcp HTTP/1.1\r\n{hosts}Content-Type: application/json\r\nX-Client-Key: {}\r\nContent-Length: {}\r\n\r\n",
            key.1,
            LIST.len()
        )
    };
    http.send(head("Host: localhost\r\nHost: evil.example\r\n").as_bytes()).expect("sent");
    http.send(LIST).expect("sent");
    assert!((400..500).contains(&http.receive().status));
    let mut http = connect();
    http.send(head("").as_bytes()).expect("sent");
    http.send(LIST).expect("sent");
    assert!((400..500).contains(&http.receive().status));
}

/// Proves that `allowed_hosts` and `allowed_origins` open exactly what they name.
#[test]
fn hosts_and_origins_can_be_allowed() {
    let stage = stage();
    let listener = Listener::start(
        &stage.cluster,
        &stage.database.listener_url,
        &[
            ("FLUXBASE_LISTENER_ALLOWED_HOSTS", "mcp.example"),
            ("FLUXBASE_LISTENER_ALLOWED_ORIGINS", "https://app.example"),
        ],
    );
    let status = |host: &str, origin: &str| {
        let headers = [JSON, stage.a.pair(), ("Host", host), ("Origin", origin)];
        Http::connect(listener.address).post(&headers, LIST).status
    };
    assert_eq!(status("mcp.example", "https://app.example"), 200);
    assert_eq!(status("mcp.example:443", "https://app.example"), 200);
    assert_eq!(status("other.example", "https://app.example"), 403);
    assert_eq!(status("mcp.example", "http://app.example"), 403);
}
