//! Limits: of a key, of an address that guesses, of time, of connections.

use super::*;

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

/// Proves that the number of connections is bounded and that idle ones give their place up: with two places taken by silent
/// clients, the third client is served once their time is over.
#[test]
fn silent_connections_give_their_place_up() {
    let stage = stage();
    let listener = Listener::start(
        &stage.cluster,
        &stage.database.listener_url,
        &[("FLUXBASE_LISTENER_MAX_CONNECTIONS", "2"), ("FLUXBASE_LISTENER_HEADER_TIMEOUT", "1s")],
    );
    // The harness's own health checks must be gone first.
    std::thread::sleep(Duration::from_millis(200));
    let silent: Vec<Http> = (0..4).map(|_| Http::connect(listener.address)).collect();
    let begun = Instant::now();
    assert_eq!(Http::connect(listener.address).post(&[JSON, stage.a.pair()], LIST).status, 200);
    assert!(begun.elapsed() > Duration::from_millis(500), "the places were taken");
    assert!(begun.elapsed() < Duration::from_secs(6), "{:?}", begun.elapsed());
    drop(silent);
}
