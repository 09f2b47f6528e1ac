//! The rules of the listener that are HTTP's and not MCP's: what is refused, with which status, header and body.

use std::time::Duration;

use fluxbase_tests::{Cluster, Database, Http, Key, Listener, Response, TENANT_A, eventually, stage};
use serde_json::{Value, json};

const LIST: &[u8] = br#"{"jsonrpc":"2.0","method":"tools/list","id":1}"#;
const JSON: (&str, &str) = ("Content-Type", "application/json");

fn connect() -> Http {
    Http::connect(stage().listener.address)
}

/// A POST of `tools/list` with these headers beside the content type, on a connection of its own.
fn list_with(headers: &[(&str, &str)]) -> Response {
    let mut all = vec![JSON];
    all.extend(headers);
    connect().post(&all, LIST)
}

/// Checks an error that is a JSON-RPC body: status, code, and that the connection can still be used afterwards.
fn is_error(response: &Response, status: u16, code: i64, id: Value) {
    assert_eq!((response.status, response.code()), (status, code), "{}", response.text());
    let body = response.json();
    assert_eq!(body["jsonrpc"], json!("2.0"));
    assert_eq!(body["id"], id, "{body}");
    assert_eq!(body.as_object().expect("an object").len(), 3, "{body}");
    assert!(
        body["error"]["message"].as_str().expect("a message").len() > 20,
        "the message says something: {body}"
    );
    assert_eq!(response.header("content-type"), Some("application/json"));
}

/// A key of the right form that nobody made.
fn unknown_key(kind: fluxbase_credential::Kind) -> Key {
    Key::of(&fluxbase_credential::Key::generate(kind).expect("randomness").reveal())
}

// ---- keys ----------------------------------------------------------------------------------------------------------

/// Proves that every way of having no usable key is 401 with the JSON-RPC body, the request's id and a challenge, and that
/// the text tells which header to set, and never repeats the key.
#[test]
fn a_missing_or_wrong_key_is_401() {
    let stage = stage();
    let unknown = unknown_key(fluxbase_credential::Kind::Client);
    let mut mistyped = stage.a.plain.clone();
    mistyped.replace_range(30..31, if &mistyped[30..31] == "x" { "y" } else { "x" });
    let bearer = |value: &str| ("Authorization", format!("Bearer {value}"));
    let cases: Vec<Vec<(&str, String)>> = vec![
        vec![],
        vec![("X-Client-Key", String::new())],
        vec![("X-Client-Key", "your-client-key".to_owned())],
        vec![("X-Client-Key", mistyped.clone())],
        vec![("X-Client-Key", stage.a.plain[..71].to_owned())],
        vec![("X-Client-Key", format!("{}0", stage.a.plain))],
        vec![("X-Client-Key", stage.a.plain.to_uppercase())],
        vec![("X-Client-Key", unknown.plain.clone())],
        vec![("X-Client-Key", stage.service.plain.clone())],
        vec![("X-Service-Key", stage.a.plain.clone())],
        vec![("X-Service-Key", unknown_key(fluxbase_credential::Kind::Service).plain)],
        vec![bearer("")],
        vec![bearer(&unknown.plain)],
        vec![("Authorization", format!("Basic {}", stage.a.plain))],
        vec![("Authorization", stage.a.plain.clone())],
        vec![("Cookie", format!("X-Client-Key={}", stage.a.plain))],
    ];
    for case in cases {
        let headers: Vec<(&str, &str)> = case.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let response = list_with(&headers);
        is_error(&response, 401, -32005, json!(1));
        let challenge = response.header("www-authenticate").expect("a challenge");
        assert!(challenge.starts_with("Bearer"), "{challenge}");
        let message = response.message();
        assert!(
            message.contains("X-Client-Key")
                || message.contains("X-Service-Key")
                || message.contains("Bearer"),
            "{message}"
        );
        for (_, value) in headers.iter().filter(|(_, value)| value.len() > 20) {
            assert!(!response.text().contains(value), "the key is not repeated");
        }
    }
}

/// Proves that a key in a query string is no key.
#[test]
fn a_key_in_the_url_is_not_read() {
    let mut http = connect();
    let line = format!("POST /mcp?X-Client-Key={}", stage().a.plain);
    http.send_request(&line, &[JSON], LIST).expect("sent");
    is_error(&http.receive(), 401, -32005, json!(1));
}

/// Proves that a revoked key and an expired key are refused like an unknown one: nothing tells them apart.
#[test]
fn revoked_and_expired_keys_are_refused_alike() {
    let stage = stage();
    let revoked = stage.database.client_key(&["--name", "to revoke", "--scopes", "read:tables"]);
    let expiring =
        stage.database.client_key(&["--name", "to expire", "--scopes", "read:tables", "--expires", "2s"]);
    assert_eq!(list_with(&[revoked.pair()]).status, 200);
    assert_eq!(list_with(&[expiring.pair()]).status, 200);
    let done =
        fluxbase_tests::keys::cli_output(&stage.database.admin_url, &["clientkeys", "revoke", &revoked.id]);
    assert!(done.status.success());
    let refused = list_with(&[revoked.pair()]);
    is_error(&refused, 401, -32005, json!(1));
    let expired = eventually(Duration::from_secs(5), "the key expires", || {
        Some(list_with(&[expiring.pair()])).filter(|response| response.status != 200)
    });
    let unknown = list_with(&[unknown_key(fluxbase_credential::Kind::Client).pair()]);
    assert_eq!(expired.text(), refused.text());
    assert_eq!(unknown.text(), refused.text());
}

/// Proves that both kinds of keys may come as `Authorization: Bearer`, with any case of the scheme, and that another scheme
/// beside a key header, as a proxy may send, does no harm.
#[test]
fn bearer_takes_both_kinds() {
    let stage = stage();
    for key in [&stage.a, &stage.service] {
        for scheme in ["Bearer", "bearer", "BEARER"] {
            assert_eq!(
                list_with(&[("Authorization", &format!("{scheme} {}", key.plain))]).status,
                200,
                "{scheme}"
            );
        }
        assert_eq!(list_with(&[key.pair(), ("Authorization", "Basic dTpw")]).status, 200);
        assert_eq!(
            list_with(&[(&key.header.to_uppercase(), &key.plain)]).status,
            200,
            "names of headers have no case"
        );
    }
}

/// Proves that two keys in one request are refused, whichever they are, even if both are right.
#[test]
fn two_keys_are_refused() {
    let stage = stage();
    let bearer = ("Authorization", format!("Bearer {}", stage.a.plain));
    let bearer = (bearer.0, bearer.1.as_str());
    for headers in [
        [stage.a.pair(), stage.a.pair()],
        [stage.a.pair(), stage.b.pair()],
        [stage.a.pair(), stage.service.pair()],
        [stage.service.pair(), stage.service.pair()],
        [stage.a.pair(), bearer],
        [bearer, bearer],
        [stage.service.pair(), bearer],
    ] {
        let response = list_with(&headers);
        is_error(&response, 400, -32005, json!(1));
        assert!(response.message().contains("more than one key"), "{}", response.message());
    }
}

// ---- paths and methods ---------------------------------------------------------------------------------------------

/// Proves that a GET, DELETE, … of the endpoint is 405 with `Allow: POST`, also for a right key, and without CORS headers.
#[test]
fn other_methods_are_405() {
    for method in ["GET", "DELETE", "PUT", "HEAD", "OPTIONS", "PATCH", "TRACE", "BREW"] {
        for headers in [vec![], vec![stage().a.pair(), ("Origin", "http://evil.example")]] {
            let response = connect().get(&format!("{method} /mcp"), &headers);
            assert_eq!(response.status, 405, "{method}");
            assert_eq!(response.header("allow"), Some("POST"), "{method}");
            assert!(
                !response.headers.iter().any(|(name, _)| name.to_lowercase().starts_with("access-control"))
            );
        }
    }
    let response = connect().get("POST /mcp/health", &[]);
    assert_eq!((response.status, response.header("allow")), (405, Some("GET, HEAD")));
    assert_eq!(connect().get("HEAD /mcp/health", &[]).status, 200);
}

/// Proves what a person reads when a host looks for OAuth: 404 everywhere, never HTML, with the header to set.
#[test]
fn hosts_that_look_for_oauth_learn_which_header_to_set() {
    for path in [
        "/.well-known/oauth-protected-resource/mcp",
        "/.well-known/oauth-protected-resource",
        "/.well-known/oauth-authorization-server",
        "/.well-known/oauth-authorization-server/mcp",
        "/.well-known/openid-configuration",
        "/mcp/.well-known/openid-configuration",
    ] {
        let response = connect().get(&format!("GET {path}"), &[]);
        assert_eq!(response.status, 404, "{path}");
        let text = response.text();
        assert!(!text.to_lowercase().contains("<html"), "{text}");
        if path.starts_with("/.well-known/") {
            assert_eq!(response.header("content-type"), Some("application/json"), "{path}");
            response.json();
            assert!(text.contains("X-Client-Key"), "{text}");
        }
    }
    let mut http = connect();
    http.send_request("POST /register", &[JSON], b"{\"redirect_uris\":[]}").expect("sent");
    let response = http.receive();
    assert_eq!(response.status, 404);
    assert!(response.text().contains("X-Client-Key") && response.text().len() < 400, "{}", response.text());
}

/// Proves that other paths are 404 and say where the endpoint is, and that a path is compared, not guessed.
#[test]
fn other_paths_are_404() {
    for path in
        ["/", "/mcpx", "/mcp/x", "/MCP", "//mcp", "/mcp//", "/mcp/../mcp", "/%6dcp", "/health", "/mcp%00"]
    {
        let mut http = connect();
        http.send_request(&format!("POST {path}"), &[JSON, stage().a.pair()], LIST).expect("sent");
        let response = http.receive();
        assert_eq!(response.status, 404, "{path}");
        assert!(response.text().contains("/mcp"), "{path}: {}", response.text());
    }
    for path in ["/mcp", "/mcp/", "/mcp?x=1"] {
        let mut http = connect();
        http.send_request(&format!("POST {path}"), &[JSON, stage().a.pair()], LIST).expect("sent");
        assert_eq!(http.receive().status, 200, "{path}");
    }
}

// ---- bodies --------------------------------------------------------------------------------------------------------

/// Proves that anything but one `application/json` is 415, parameters allowed.
#[test]
fn other_content_types_are_415() {
    let key = stage().a.pair();
    for types in [
        &[][..],
        &[("Content-Type", "text/plain")],
        &[("Content-Type", "application/x-www-form-urlencoded")],
        &[("Content-Type", "application/jsonx")],
        &[("Content-Type", "")],
        &[("Content-Type", "multipart/form-data; boundary=application/json")],
        &[JSON, JSON],
        &[JSON, ("Content-Type", "text/plain")],
    ] {
        let mut headers = vec![key];
        headers.extend(types);
        let response = connect().post(&headers, LIST);
        assert_eq!((response.status, response.code()), (415, -32600), "{types:?} {}", response.text());
    }
    for mime in ["application/json; charset=utf-8", "APPLICATION/JSON", "application/json;x=y"] {
        assert_eq!(connect().post(&[key, ("Content-Type", mime)], LIST).status, 200, "{mime}");
    }
}

/// Proves that a body that is not text is −32700 before anything else looks at it.
#[test]
fn bodies_that_are_no_text_are_refused() {
    let key = stage().a.pair();
    for body in [
        &b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"\xff\"}"[..],
        b"\xc0\x80",
        b"{\"a\":\"\x00\"}",
        b"\x00",
        b"\xed\xa0\x80",
    ] {
        let response = connect().post(&[JSON, key], body);
        is_error(&response, 400, -32700, Value::Null);
    }
}

/// Proves the size bound three ways: announced, announced with a client that waits for `100 Continue`, and in chunks; and
/// that the announced one is refused before the key is looked at and before a byte of the body was sent.
#[test]
fn bodies_above_the_bound_are_413() {
    let stage = stage();
    let listener = Listener::start(
        &stage.cluster,
        &stage.database.listener_url,
        &[("FLUXBASE_MCP_MAX_MESSAGE_SIZE", "2000")],
    );
    let head = |more: &str| {
        format!(
            "POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nX-Client-Key: {}\r\n{more}\r\n",
            stage.a.plain
        )
    };
    for (more, body) in [
        ("Content-Length: 2001\r\n", String::new()),
        ("Content-Length: 2001\r\nExpect: 100-continue\r\n", String::new()),
        ("Content-Length: 9223372036854775807\r\n", String::new()),
        (
            "Transfer-Encoding: chunked\r\n",
            format!("3E8\r\n{0}\r\n3E8\r\n{0}\r\n1\r\n \r\n0\r\n\r\n", " ".repeat(1000)),
        ),
    ] {
        let mut http = Http::connect(listener.address);
        http.send(head(more).as_bytes()).expect("sent");
        http.send(body.as_bytes()).expect("sent");
        let response = http.receive();
        assert_eq!((response.status, response.code()), (413, -32600), "{more}");
        assert!(response.message().contains("2000"), "the bound is told: {}", response.message());
    }
    // Without a key the size still comes first.
    let mut http = Http::connect(listener.address);
    http.send(b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 2001\r\n\r\n").expect("sent");
    assert_eq!(http.receive().status, 413);
    // Exactly the bound passes, in both forms.
    let body = format!("{}{}", String::from_utf8_lossy(LIST), " ".repeat(2000 - LIST.len()));
    assert_eq!(Http::connect(listener.address).post(&[JSON, stage.a.pair()], body.as_bytes()).status, 200);
    let mut http = Http::connect(listener.address);
    http.send(head("Transfer-Encoding: chunked\r\n").as_bytes()).expect("sent");
    http.send(format!("7D0\r\n{body}\r\n0\r\n\r\n").as_bytes()).expect("sent");
    assert_eq!(http.receive().status, 200);
}

/// Proves that a body of the default bound (10 MB) is read and answered, and that one byte more is refused.
#[test]
fn the_default_bound_is_ten_megabytes() {
    let (key, most) = (stage().a.pair(), 10 * 1024 * 1024);
    let mut body = LIST.to_vec();
    body.resize(most, b' ');
    assert_eq!(connect().post(&[JSON, key], &body).status, 200);
    body.push(b' ');
    assert_eq!(connect().post(&[JSON, key], &body).status, 413);
}

/// Proves that `Expect: 100-continue` is answered, so that curl with a large body does not wait a second.
#[test]
fn expect_continue_is_answered() {
    let mut http = connect();
    let head = format!(
        "POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nX-Client-Key: {}\r\nExpect: \
         100-continue\r\nContent-Length: {}\r\n\r\n",
        stage().a.plain,
        LIST.len()
    );
    http.send(head.as_bytes()).expect("sent");
    std::thread::sleep(Duration::from_millis(200));
    http.send(LIST).expect("sent");
    assert_eq!(http.receive().status, 200);
}

/// Proves that notifications are taken with 202 and an empty body, on a connection that goes on.
#[test]
fn notifications_are_202_without_a_body() {
    let mut http = connect();
    for body in [
        r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}"#,
        r#"{"jsonrpc":"2.0","result":{},"id":5}"#,
    ] {
        let response =
            http.post(&[JSON, stage().a.pair(), ("MCP-Protocol-Version", "2025-06-18")], body.as_bytes());
        assert_eq!((response.status, response.body.len()), (202, 0), "{body}: {}", response.text());
    }
    assert_eq!(http.post(&[JSON, stage().a.pair()], LIST).status, 200);
}

// ---- Host and Origin -----------------------------------------------------------------------------------------------

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

// ---- limits --------------------------------------------------------------------------------------------------------

/// Proves the rate limit of a key: 429, −32007, the id, `Retry-After` in seconds, the same number inside; other keys go on;
/// the limit holds over all connections.
#[test]
fn the_rate_limit_is_429() {
    let stage = stage();
    let key =
        stage.database.client_key(&["--name", "limited", "--scopes", "read:tables", "--rate-limit", "5"]);
    let mut served = 0;
    let refused = loop {
        let response = list_with(&[key.pair()]);
        match response.status {
            200 => served += 1,
            _ => break response,
        }
        assert!(served <= 5, "the sixth request of a minute is refused");
    };
    assert_eq!(served, 5);
    is_error(&refused, 429, -32007, json!(1));
    let seconds: u64 = refused.header("retry-after").expect("Retry-After").parse().expect("seconds");
    assert!((1..=120).contains(&seconds), "{seconds}");
    assert_eq!(refused.json()["error"]["data"]["retryAfter"], json!(seconds));
    assert_eq!(list_with(&[stage.a.pair()]).status, 200);
}

/// Proves that the documented default of 100 requests a minute for each key holds when nothing is set, and that two
/// listeners of one database share it.
#[test]
fn the_default_rate_limit_is_shared_by_listeners() {
    let stage = stage();
    let start = || {
        Listener::start(
            &stage.cluster,
            &stage.database.listener_url,
            &[("FLUXBASE_MCP_RATE_LIMIT_PER_MIN", "100")],
        )
    };
    let (one, two) = (start(), start());
    let key = stage.database.client_key(&["--name", "busy", "--scopes", "read:tables"]);
    let (mut one, mut two) = (one.client(&key), two.client(&key));
    let mut served = 0;
    for n in 0..130 {
        let client = if n % 2 == 0 { &mut one } else { &mut two };
        match client.request("ping", json!({})).status {
            200 => served += 1,
            429 => {}
            other => panic!("status {other}"),
        }
    }
    // The window slides: while the requests run, a little of it may become free.
    assert!((100..=104).contains(&served), "{served} of 130 were served");
}

/// Proves that an address that guesses keys is stopped after twenty, for malformed and for unknown keys alike, that others
/// are not, and that a key that works passes even from there.
#[test]
fn whoever_guesses_keys_is_stopped() {
    let stage = stage();
    let listener = Listener::start(&stage.cluster, &stage.database.listener_url, &[]);
    let here = fluxbase_tests::http::fresh_address();
    let mut http = Http::connect_from(here, listener.address).expect("connected");
    assert_eq!(http.post(&[JSON, stage.a.pair()], LIST).status, 200);
    let mut wrong = 0;
    let refused = loop {
        let guess = unknown_key(fluxbase_credential::Kind::Client);
        let value = if wrong % 2 == 0 { guess.plain.as_str() } else { "fbk_guess" };
        let response = http.post(&[JSON, ("X-Client-Key", value)], LIST);
        if response.status != 401 {
            break response;
        }
        wrong += 1;
        assert!(wrong <= 20, "twenty are enough");
    };
    assert_eq!((refused.status, refused.code(), wrong), (429, -32007, 20));
    assert!(refused.header("retry-after").is_some());
    let mut second = Http::connect_from(here, listener.address).expect("connected");
    assert_eq!(
        second.post(&[JSON, ("X-Client-Key", "fbk_guess")], LIST).status,
        429,
        "on any connection of the address"
    );
    assert_eq!(second.post(&[JSON, stage.a.pair()], LIST).status, 200, "a key that worked lately passes");
    assert_eq!(
        Http::connect(listener.address).post(&[JSON, ("X-Client-Key", "fbk_guess")], LIST).status,
        401
    );
}

/// Proves that a client that sends its head a byte at a time is cut off, and so is one that never finishes its body, and
/// that neither keeps others from being served.
#[test]
fn slow_clients_are_cut_off() {
    let stage = stage();
    let listener = Listener::start(
        &stage.cluster,
        &stage.database.listener_url,
        &[("FLUXBASE_LISTENER_HEADER_TIMEOUT", "1s"), ("FLUXBASE_LISTENER_BODY_TIMEOUT", "1s")],
    );
    let mut silent = Http::connect(listener.address);
    let mut dripping = Http::connect(listener.address);
    let mut unfinished = Http::connect(listener.address);
    let mut chunked = Http::connect(listener.address);
    let head = |more: &str| {
        format!(
            "POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nX-Client-Key: {}\r\n{more}\r\n",
            stage.a.plain
        )
    };
    unfinished.send(head("Content-Length: 10\r\n").as_bytes()).expect("sent");
    chunked.send(head("Transfer-Encoding: chunked\r\n").as_bytes()).expect("sent");
    chunked.send(b"5\r\nab").expect("sent");
    let mut fed = 0;
    for byte in b"POST /mcp HTTP/1.1\r\nX-Slow: 1234567890" {
        if dripping.send(&[*byte]).is_err() {
            break;
        }
        fed += 1;
        std::thread::sleep(Duration::from_millis(60));
    }
    assert!(
        fed < 38 || dripping.closed_within(Duration::from_secs(1)).is_some(),
        "dripping bytes buy no time"
    );
    assert!(silent.closed_within(Duration::from_secs(3)).is_some(), "a silent connection is closed");
    for http in [&mut unfinished, &mut chunked] {
        let response = http.receive();
        assert_eq!((response.status, response.code()), (408, -32600));
        assert!(http.closed_within(Duration::from_secs(2)).is_some());
    }
    assert_eq!(Http::connect(listener.address).post(&[JSON, stage.a.pair()], LIST).status, 200);
}

/// Proves that heads are bounded: one that is too long is refused and not stored.
#[test]
fn heads_are_bounded() {
    let long = "x".repeat(40_000);
    let mut http = connect();
    // It may hang up while we still send.
    let _ = http.send_request("POST /mcp", &[JSON, ("X-Long", &long)], LIST);
    if let Ok(Some(response)) = http.try_receive() {
        assert!([431, 400].contains(&response.status), "{}", response.status);
    }
    let many: Vec<(String, String)> = (0..300).map(|n| (format!("X-{n}"), "v".to_owned())).collect();
    let mut headers: Vec<(&str, &str)> =
        many.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    headers.extend([JSON, stage().a.pair()]);
    let mut http = connect();
    let _ = http.send_request("POST /mcp", &headers, LIST);
    if let Ok(Some(response)) = http.try_receive() {
        assert!([431, 400].contains(&response.status), "{}", response.status);
    }
}

// ---- connections ---------------------------------------------------------------------------------------------------

/// Proves that a connection serves many requests, also when they are sent before the answers are read, in their order, and
/// that a refused one in between does not end it.
#[test]
fn connections_are_kept_and_pipelines_answered_in_order() {
    let mut http = connect();
    let key = stage().a.pair();
    let mut ids = Vec::new();
    for n in 0..20 {
        let body = format!(r#"{{"jsonrpc":"2.0","method":"ping","id":{n}}}"#);
        let headers = if n == 7 { vec![JSON] } else { vec![JSON, key] };
        http.send_request("POST /mcp", &headers, body.as_bytes()).expect("sent");
        ids.push(json!(n));
    }
    let answers: Vec<Response> = (0..20).map(|_| http.receive()).collect();
    assert_eq!(answers.iter().map(|answer| answer.json()["id"].clone()).collect::<Vec<_>>(), ids);
    assert_eq!(answers[7].status, 401);
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 19);
    let requests: Vec<&str> = answers.iter().filter_map(|answer| answer.header("x-request-id")).collect();
    let mut unique = requests.clone();
    unique.sort_unstable();
    unique.dedup();
    assert_eq!((requests.len(), unique.len()), (20, 20), "every answer has an id of its own");
    let response = http.post(&[JSON, key, ("Connection", "close")], LIST);
    assert_eq!(response.status, 200);
    assert!(http.closed_within(Duration::from_secs(2)).is_some(), "it is closed when asked");
}

/// Proves that no request can hide in another: whatever two readers could understand differently is refused, or at least
/// nothing after it on the connection is executed.
#[test]
fn smuggled_requests_are_not_answered() {
    let hidden = format!(
        "POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nX-Client-Key: {}\r\nContent-Length: \
         45\r\n\r\n{{\"jsonrpc\":\"2.0\",\"method\":\"ping\",\"id\":\"hidden\"}}",
        stage().a.plain
    );
    let body = String::from_utf8_lossy(LIST).into_owned();
    let length = body.len();
    for (framing, sent) in [
        // Two lengths.
        (format!("Content-Length: {length}\r\nContent-Length: {}\r\n", length + 5), body.clone()),
        (format!("Content-Length: 0\r\nContent-Length: {length}\r\n"), body.clone()),
        (format!("Content-Length: {length}, {}\r\n", length + 1), body.clone()),
        // Lengths that are none.
        (format!("Content-Length: +{length}\r\n"), body.clone()),
        (format!("Content-Length: -{length}\r\n"), body.clone()),
        ("Content-Length: 0x2e\r\n".to_owned(), body.clone()),
        ("Content-Length:\r\n".to_owned(), body.clone()),
        ("Content-Length: 99999999999999999999999\r\n".to_owned(), body.clone()),
        // Space before the colon, folded lines, bare line ends.
        (format!("Content-Length : {length}\r\n"), body.clone()),
        (format!("X-A: b\r\n Content-Length: 1\r\nContent-Length: {length}\r\n"), body.clone()),
        (format!("X-A: b\rContent-Length: 1\r\nContent-Length: {length}\r\n"), body.clone()),
        // Transfer codings that are not chunked, or not last.
        ("Transfer-Encoding: identity\r\n".to_owned(), body.clone()),
        ("Transfer-Encoding: chunked, identity\r\n".to_owned(), format!("{length:x}\r\n{body}\r\n0\r\n\r\n")),
        ("Transfer-Encoding: xchunked\r\n".to_owned(), format!("{length:x}\r\n{body}\r\n0\r\n\r\n")),
        // Broken chunks.
        ("Transfer-Encoding: chunked\r\n".to_owned(), format!("{length:x}\r\n{body}0\r\n\r\n")),
        ("Transfer-Encoding: chunked\r\n".to_owned(), format!("0x{length:x}\r\n{body}\r\n0\r\n\r\n")),
        ("Transfer-Encoding: chunked\r\n".to_owned(), format!("-1\r\n{body}\r\n0\r\n\r\n")),
        ("Transfer-Encoding: chunked\r\n".to_owned(), format!("fffffffffffffffff\r\n{body}\r\n0\r\n\r\n")),
        // Both. RFC 9112, 6.1: if it is served at all, the connection must be closed afterwards.
        (
            format!("Transfer-Encoding: chunked\r\nContent-Length: {length}\r\n"),
            format!("{length:x}\r\n{body}\r\n0\r\n\r\n"),
        ),
        (
            format!("Content-Length: 4\r\nTransfer-Encoding: chunked\r\n"),
            format!("{length:x}\r\n{body}\r\n0\r\n\r\n"),
        ),
    ] {
        let mut http = connect();
        let head = format!(
            "POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nX-Client-Key: {}\r\n{framing}\r\n",
            stage().a.plain
        );
        http.send(format!("{head}{sent}{hidden}").as_bytes()).expect("sent");
        let mut answers = Vec::new();
        while answers.len() < 4 {
            match http.try_receive() {
                Ok(Some(response)) => answers.push(response),
                _ => break,
            }
        }
        let told: Vec<(u16, String)> = answers.iter().map(|answer| (answer.status, answer.text())).collect();
        assert!(
            !told.iter().any(|(_, body)| body.contains("hidden")),
            "{framing:?} let a hidden request through: {told:?}"
        );
        let both = framing.contains("Transfer-Encoding: chunked\r\n") && framing.contains("Content-Length");
        let served = told.iter().filter(|(status, _)| *status == 200).count();
        assert!(served == 0 || (both && served == 1), "{framing:?} was served: {told:?}");
    }
}

/// Proves that HTTP/2 prior knowledge, TLS and plain nonsense do no more than end their connection.
#[test]
fn other_protocols_end_their_connection() {
    let stage = stage();
    let listener = Listener::start(
        &stage.cluster,
        &stage.database.listener_url,
        &[("FLUXBASE_LISTENER_HEADER_TIMEOUT", "1s")],
    );
    for bytes in [
        &b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..],
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"\0\0\0\x08\x04\xd2\x16\x2f",
        b"GET\r\n\r\n",
        b"\r\n\r\n\r\n\r\n",
    ] {
        let mut http = Http::connect(listener.address);
        http.send(bytes).expect("sent");
        http.send(b"\r\n\r\n").ok();
        if let Ok(Some(response)) = http.try_receive() {
            assert!((400..=505).contains(&response.status), "{}", response.status);
        }
        assert!(http.closed_within(Duration::from_secs(3)).is_some(), "{bytes:?} is not kept");
    }
    assert_eq!(Http::connect(listener.address).post(&[JSON, stage.a.pair()], LIST).status, 200);
}

// ---- health and configuration --------------------------------------------------------------------------------------

/// Proves the health check while Postgres is away and after it came back, with nobody touching the listener, and what a call
/// is told meanwhile: 503, `Retry-After`, and that nothing was changed.
#[test]
fn health_follows_postgres() {
    let cluster = Cluster::start("");
    let database = Database::create(&cluster, "app");
    let mut listener = Listener::start(&cluster, &database.listener_url, &[]);
    let key = database.tenant_key("Tenant A", TENANT_A);
    let mut client = listener.client(&key);
    assert_eq!(client.request("tools/list", json!({})).status, 200);
    cluster.stop("fast");
    let sick = eventually(Duration::from_secs(5), "the health check notices", || {
        Some(Http::connect(listener.address).get("GET /mcp/health", &[]))
            .filter(|health| health.status != 200)
    });
    assert_eq!(sick.status, 503);
    assert_eq!(sick.json()["status"], json!("unhealthy"));
    assert_eq!(sick.json()["reason"], json!("Postgres cannot be reached"));
    for (tool, arguments) in [
        ("query_table", json!({ "table": "notes" })),
        ("insert_record", json!({ "table": "notes", "data": { "title": "x" } })),
    ] {
        let answer = client.call(tool, arguments).response;
        assert_eq!((answer.status, answer.code()), (503, -32603), "{}", answer.text());
        assert!(answer.header("retry-after").is_some());
        assert!(answer.message().contains("Nothing was changed"), "{}", answer.message());
    }
    cluster.start_again();
    eventually(Duration::from_secs(10), "the health check recovers", || {
        (Http::connect(listener.address).get("GET /mcp/health", &[]).status == 200).then_some(())
    });
    assert_eq!(client.rows(json!({ "table": "notes" })).len(), 1, "and so do calls");
    assert!(listener.is_running());
}

/// Proves that the health check says what is missing when the database is not set up, and names no role or host.
#[test]
fn health_says_what_is_missing() {
    let stage = stage();
    stage.cluster.create_database("bare");
    stage
        .cluster
        .admin("bare")
        .batch_execute("GRANT CONNECT ON DATABASE bare TO fluxbase_listener")
        .expect("granted");
    let url = stage.cluster.url("fluxbase_listener", &stage.database.listener_password, "bare");
    let listener = Listener::start_anyway(&stage.cluster, &url, &[]);
    let health = Http::connect(listener.address).get("GET /mcp/health", &[]);
    assert_eq!(health.status, 503);
    assert!(health.text().contains("fluxbase init"), "{}", health.text());
    let wrong = stage.cluster.url("fluxbase_listener", "wrong", "bare");
    let listener = Listener::start_anyway(&stage.cluster, &wrong, &[]);
    let health = Http::connect(listener.address).get("GET /mcp/health", &[]);
    assert_eq!(health.status, 503);
    for secret in ["fluxbase_listener", "127.0.0.1", "bare"] {
        assert!(!health.text().contains(secret), "{}", health.text());
    }
}

/// Proves the kill switch: `mcp.enabled = off` answers 503 and says who can mend it; the health check knows it, too.
#[test]
fn the_kill_switch_answers_503() {
    let stage = stage();
    stage.cluster.create_database("off");
    let mut admin = stage.cluster.admin("off");
    admin
        .batch_execute(
            "CREATE EXTENSION fluxbase_mcp_ext; SELECT mcp.setup_roles(); SELECT mcp.setup_listener(); \
             ALTER DATABASE off SET mcp.enabled = off",
        )
        .expect("set up");
    let url = stage.cluster.url("fluxbase_listener", &stage.database.listener_password, "off");
    let key = fluxbase_tests::keys::create_key(
        &stage.cluster.admin_url("off"),
        "clientkeys",
        &["--name", "k", "--scopes", "read:tables"],
    );
    let listener = Listener::start_anyway(&stage.cluster, &url, &[]);
    let response = listener.client(&key).request("tools/list", json!({}));
    assert_eq!(response.status, 503, "{}", response.text());
    assert!(response.message().contains("mcp.enabled"), "{}", response.message());
    let health = Http::connect(listener.address).get("GET /mcp/health", &[]);
    assert_eq!(health.status, 503);
    assert!(health.text().contains("mcp.enabled"), "{}", health.text());
}

/// Proves the options of the user's `fluxbase.yaml`: the documented file loads, `base_path` moves everything,
/// `allowed_tools` and `allowed_resources` narrow what is listed and called, the environment wins over the file, a whole
/// Fluxbase file is accepted, and a misspelt option is refused.
#[test]
fn the_yaml_file_configures_the_listener() {
    let stage = stage();
    let yaml = "database:\n  host: ignored\nmcp:\n  enabled: true\n  base_path: /api/mcp\n  session_timeout: 3600s\n  \
                max_message_size: 10485760  # 10MB\n  rate_limit_per_min: 100\n  allowed_tools: [query_table, \
                list_tables]\n  allowed_resources: [\"fluxbase://schema/tables/{schema}/{table}\"]\n";
    let file = stage.cluster.folder().join("fluxbase.yaml");
    std::fs::write(&file, yaml).expect("written");
    let listener = {
        // `serve --config` is a different line; the environment's defaults of the harness still hold.
        let path = file.display().to_string();
        Listener::start_with_file(&stage.cluster, &stage.database.listener_url, &path)
    };
    let post = |body: Value| {
        let mut http = Http::connect(listener.address);
        http.send_request("POST /api/mcp", &[JSON, stage.a.pair()], body.to_string().as_bytes())
            .expect("sent");
        http.receive()
    };
    let request = |method: &str, params: Value| {
        post(json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params }))
    };
    let list = request("tools/list", json!({})).json();
    let names: Vec<&Value> =
        list["result"]["tools"].as_array().expect("tools").iter().map(|tool| &tool["name"]).collect();
    assert_eq!(names, ["query_table", "list_tables"]);
    let refused = request(
        "tools/call",
        json!({ "name": "delete_record", "arguments": { "table": "notes", "filter": { "id": 1 } } }),
    );
    assert_eq!((refused.status, refused.code()), (200, -32602), "a tool that is not allowed does not exist");
    assert_eq!(request("resources/list", json!({})).json()["result"]["resources"], json!([]));
    let read = request("resources/read", json!({ "uri": "fluxbase://schema/tables/public/notes" }));
    assert!(read.text().contains("user_id"), "a template allows its instances: {}", read.text());
    assert_eq!(request("resources/read", json!({ "uri": "fluxbase://schema/tables" })).code(), -32002);
    assert_eq!(
        Http::connect(listener.address).post(&[JSON, stage.a.pair()], LIST).status,
        404,
        "the old path is gone"
    );
    assert_eq!(Http::connect(listener.address).get("GET /api/mcp/health", &[]).status, 200);
    assert!(listener.log().contains("session_timeout"), "the log says that it has no effect");
    std::fs::write(&file, "mcp:\n  enabled: true\n  allowed_tool: [query_table]\n").expect("written");
    let output = fluxbase_tests::keys::cli_output(
        &stage.database.listener_url,
        &["serve", "--config", &file.display().to_string()],
    );
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("allowed_tool ") && told.contains("allowed_tools"), "{told}");
    let output = fluxbase_tests::keys::cli_output(&stage.database.listener_url, &["serve"]);
    assert_eq!(output.status.code(), Some(1), "not enabled is not served");
    assert!(String::from_utf8_lossy(&output.stderr).contains("mcp.enabled"));
}
