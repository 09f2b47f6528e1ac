//! Kept connections, pipelines, smuggled requests, other protocols.

use super::*;

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
    let hidden = r#"{"jsonrpc":"2.0","method":"ping","id":"hidden"}"#;
    let hidden = format!(
        "POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nX-Client-Key: {}\r\nContent-Length: {}\r\n\r\n{hidden}",
        stage().a.plain,
        hidden.len()
    );
    let body = String::from_utf8_lossy(LIST).into_owned();
    let length = body.len();
    // Behind a request that nobody can misread it is served, so it would be seen.
    let mut http = connect();
    let seen = format!(
        "POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nX-Client-Key: {}\r\nContent-Length: {length}\r\n\r\n{body}{hidden}",
        stage().a.plain
    );
    http.send(seen.as_bytes()).expect("sent");
    assert_eq!(http.receive().status, 200);
    assert!(http.receive().text().contains("hidden"));
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
            "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n".to_owned(),
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
