//! Bodies: their type, their size, their text, and notifications that have no answer.

use super::*;

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

/// Proves that nothing is decompressed: a megabyte of zeros in a kilobyte is refused as what it is, bytes that are no text, whatever the header says.
#[test]
fn compressed_bodies_are_not_opened() {
    let key = stage().a.pair();
    // gzip -9 of {"jsonrpc":"2.0","id":1,"method":"ping"}, in one stored block: the words are there to be read.
    let ping = br#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
    let length = u16::try_from(ping.len()).expect("short");
    let mut gzip = b"\x1f\x8b\x08\0\0\0\0\0\0\xff\x01".to_vec();
    gzip.extend(length.to_le_bytes());
    gzip.extend((!length).to_le_bytes());
    gzip.extend(ping);
    for encoding in ["gzip", "deflate", "br", "x-gzip, identity"] {
        let response = connect().post(&[JSON, key, ("Content-Encoding", encoding)], &gzip);
        assert_eq!((response.status, response.code()), (400, -32700), "{encoding}: {}", response.text());
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

/// Proves that nobody without a key makes the listener read much: the refusal comes before the body, however much of it was
/// announced.
#[test]
fn without_a_key_the_body_is_not_waited_for() {
    for key in [("X-Client-Key", "fbk_wrong"), ("X-Nothing", "x")] {
        let mut http = connect();
        let head = format!(
            "POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n{}: {}\r\nContent-Length: 5000000\r\n\r\n",
            key.0, key.1
        );
        http.send(head.as_bytes()).expect("sent");
        let response = http.receive();
        is_error(&response, 401, -32005, Value::Null);
    }
}

/// Proves that a write whose row is larger than one answer may be is done, told so, and not shown: a committed write is never
/// answered with an error.
#[test]
fn a_large_write_is_told_and_not_shown() {
    let stage = stage();
    let mut client =
        stage.listener.client(&stage.database.tenant_key("large", "00000000-0000-4000-8000-0000000000dd"));
    let body = "ä".repeat(2 * 1024 * 1024);
    let told = client
        .call("insert_record", json!({ "table": "notes", "data": { "title": "large", "body": body } }))
        .value();
    assert_eq!(told["inserted"], json!(1));
    assert!(told["truncated"]["why"].as_str().expect("a reason").contains("does not fit"), "{told}");
    let rows = client.rows(json!({ "table": "notes", "select": "title", "filter": { "title": "eq.large" } }));
    assert_eq!(rows, [json!({ "title": "large" })]);
    let refused = client.call("query_table", json!({ "table": "notes" })).error();
    assert!(refused.contains("select"), "the way on is told: {refused}");
}
