//! Calls over the socket to a real HTTP server, and what must not be possible.

mod support;

use std::sync::atomic::Ordering;
use std::time::Duration;

use fluxbase_delegate::client::{Broken, Said};
use fluxbase_delegate::failure::Ran;
use fluxbase_delegate::frame::{self, Kind};
use fluxbase_delegate::{Call, Failure, Limits, Policy, Request};
use support::{BOMB, PATIENCE, Web, Worker, get, receive};
use tokio::io::AsyncWriteExt;
use tokio::net::UnixStream;

async fn both() -> (Web, Worker) {
    let web = Web::start().await;
    let worker = Worker::start(&web.url("/"), "", Limits::default());
    (web, worker)
}

#[tokio::test]
async fn a_call_arrives_as_it_was_asked_for() {
    let (web, worker) = both().await;
    let call = Call {
        method: "PUT".into(),
        headers: vec![("Content-Type".into(), "application/json".into()), ("x-two".into(), "a b".into())],
        ..get(web.url("/echo?a=1%20b"))
    };
    let reply = worker.call(call, br#"{"a":1}"#).await.unwrap();
    assert_eq!(reply.http().unwrap().status, 200);
    let text = String::from_utf8(reply.body).unwrap();
    let agent = concat!("fluxbase_mcp_ext/", env!("CARGO_PKG_VERSION"));
    let expected = format!(
        "PUT /echo?a=1%20b\naccept: */*\ncontent-length: 7\ncontent-type: application/json\nhost: {}\nuser-agent: {agent}\nx-two: a b\n\n{{\"a\":1}}",
        web.address
    );
    assert_eq!(text, expected, "nothing is added: no accept-encoding, no cookie, no referer");
    let reply = worker.call(get(web.url("/status/503")), &[]).await.unwrap();
    assert_eq!((reply.http().unwrap().status, reply.body.len()), (503, 0), "a status is a reply");
    worker.until_idle().await;
    let status = worker.status().await;
    assert_eq!((status.begun, status.failed, status.refused), (2, 0, 0));
}

#[tokio::test]
async fn a_large_body_goes_through_in_both_directions() {
    let (web, worker) = both().await;
    let body = vec![b'y'; 3 << 20];
    let reply = worker.call(Call { method: "POST".into(), ..get(web.url("/echo")) }, &body).await.unwrap();
    assert!(reply.body.ends_with(&body));
    for path in ["/bytes/10485760", "/unsized/10485760"] {
        assert_eq!(worker.call(get(web.url(path)), &[]).await.unwrap().body.len(), 10 << 20, "{path}");
    }
    worker.until_idle().await;
}

#[tokio::test]
async fn a_redirect_is_a_reply_and_is_not_followed() {
    let (web, worker) = both().await;
    let reply = worker.call(get(web.url("/redirect")), &[]).await.unwrap();
    assert_eq!(reply.http().unwrap().status, 302);
    assert!(reply.http().unwrap().headers.contains(&("location".into(), "/echo".into())));
    assert_eq!(web.requests(), 1);
}

#[tokio::test]
async fn nothing_is_decompressed() {
    let (web, worker) = both().await;
    let reply = worker.call(get(web.url("/bomb")), &[]).await.unwrap();
    assert_eq!(reply.body, BOMB);
}

#[tokio::test]
async fn a_reply_that_is_too_large_ends_there() {
    let (web, worker) = both().await;
    for path in ["/bytes/1001", "/unsized/1001", "/dribble/1001", "/unsized/1000000000000", "/stall/2000"] {
        let failure =
            worker.call(Call { max_response: 1000, ..get(web.url(path)) }, &[]).await.expect_err(path);
        assert!(matches!(failure, Failure::TooLarge { limit: 1000, .. }), "{path}: {failure}");
        assert_eq!(failure.ran(), Ran::Yes);
    }
    let reply = worker.call(Call { max_response: 1000, ..get(web.url("/unsized/1000")) }, &[]).await;
    assert_eq!(reply.unwrap().body.len(), 1000);
    let failure = worker.call(get(web.url("/headers/70000")), &[]).await.unwrap_err();
    assert!(matches!(failure, Failure::TooLarge { .. }), "{failure}");
    web.until_open(0).await;
    worker.until_idle().await;
}

#[tokio::test]
async fn time_is_bounded_before_and_within_a_reply() {
    let (web, worker) = both().await;
    for path in ["/hang", "/stall/10"] {
        let failure = worker.call(Call { timeout_ms: 100, ..get(web.url(path)) }, &[]).await.expect_err(path);
        let text = failure.to_string();
        assert!(text.contains("127.0.0.1 gave no complete reply within 0.1 s"), "{text}");
        assert_eq!(failure.ran(), Ran::Maybe);
        web.until_open(0).await;
    }
    worker.until_idle().await;
    assert_eq!(worker.status().await.failed, 2);
}

#[tokio::test]
async fn closing_the_socket_cancels_the_call() {
    let (web, worker) = both().await;
    for path in ["/hang", "/stall/10"] {
        // Its own time is longer than the test waits.
        let call = Call { timeout_ms: 10 * PATIENCE.as_millis() as u64, ..get(web.url(path)) };
        let stream = worker.send(&Request::Call { work: call.into() }, &[]).await;
        web.until_open(1).await;
        drop(stream);
        web.until_open(0).await;
        worker.until_idle().await;
    }
}

#[tokio::test]
async fn what_is_not_allowed_is_not_sent() {
    let (web, worker) = both().await;
    let port = web.address.port();
    for (url, wanted) in [
        (format!("http://localhost:{port}/echo"), "the host localhost:"),
        (format!("http://[::ffff:127.0.0.1]:{port}/echo"), "the host [::ffff:7f00:1]:"),
        (format!("https://127.0.0.1:{port}/echo"), "the host 127.0.0.1:"),
        ("http://169.254.169.254/latest/".to_owned(), "the host 169.254.169.254 may"),
        (format!("ftp://127.0.0.1:{port}/echo"), "scheme is \"ftp\""),
        ("file:///etc/passwd".to_owned(), "scheme is \"file\""),
        (format!("http://user:secret@127.0.0.1:{port}/echo"), "a user or a password"),
        ("not a url".to_owned(), "not valid"),
    ] {
        let failure = worker.call(get(&url), &[]).await.expect_err(&url);
        assert!(failure.to_string().contains(wanted), "{url}: {failure}");
        assert!(!failure.to_string().contains("secret"));
        assert_eq!(failure.ran(), Ran::No, "{url}");
    }
    for (name, value, wanted) in [
        ("Host", "evil.example", "the header host cannot be set"),
        ("Content-Length", "1", "cannot be set"),
        ("Transfer-Encoding", "chunked", "cannot be set"),
        ("a b", "x", "no name of a header"),
        ("x-secret", "top\r\nx: y", "x-secret holds a character"),
    ] {
        let call = Call { headers: vec![(name.into(), value.into())], ..get(web.url("/echo")) };
        let failure = worker.call(call, &[]).await.expect_err(name);
        assert!(failure.to_string().contains(wanted), "{name}: {failure}");
        assert!(!failure.to_string().contains("top"), "values may be secret");
    }
    for method in ["CONNECT", "TRACE", "GET /x HTTP/1.1", ""] {
        let call = Call { method: method.into(), ..get(web.url("/echo")) };
        assert!(matches!(worker.call(call, &[]).await, Err(Failure::Malformed { .. })), "{method:?}");
    }
    assert_eq!(web.requests(), 0);
}

#[tokio::test]
async fn a_listed_host_must_not_stand_for_a_private_address() {
    let web = Web::start().await;
    let port = web.address.port();
    let hosts = format!(
        "rebind.example:{port}, mapped.example:{port}, [::1]:{port}, 127.0.0.1:{port}, nowhere.example"
    );
    let worker = Worker::start("", &hosts, Limits::default());
    // A name that a first look would find harmless; what counts is the lookup of the connection.
    worker.names.add("rebind.example", &[&["127.0.0.1"]]);
    worker.names.add("mapped.example", &[&["::ffff:127.0.0.1", "10.0.0.1"]]);
    worker.names.add("nowhere.example", &[&[]]);
    for host in ["rebind.example", "mapped.example", "[::1]", "127.0.0.1"] {
        let url = format!("http://{host}:{port}/echo");
        let failure = worker.call(get(&url), &[]).await.expect_err(&url);
        assert!(matches!(failure, Failure::Address { .. }), "{url}: {failure}");
        assert_eq!(failure.ran(), Ran::No);
    }
    assert_eq!(
        worker.names.asked.load(Ordering::SeqCst),
        2,
        "one lookup for each connection, none for an address"
    );
    let failure = worker.call(get("http://nowhere.example/"), &[]).await.unwrap_err();
    assert!(matches!(failure, Failure::Name { .. }), "{failure}");
    assert_eq!(web.requests(), 0);
    // The same name as the runtime is what the administrator chose.
    worker
        .server
        .set(Policy::new(&format!("http://rebind.example:{port}/"), &hosts).unwrap(), Limits::default());
    assert!(worker.call(get(format!("http://rebind.example:{port}/echo")), &[]).await.is_ok());
    // And its connection, which is still open, is of no use to anybody else.
    worker.server.set(Policy::new("", &hosts).unwrap(), Limits::default());
    let failure = worker.call(get(format!("http://rebind.example:{port}/echo")), &[]).await.unwrap_err();
    assert!(matches!(failure, Failure::Address { .. }), "{failure}");
    assert_eq!(web.requests(), 1);
}

#[tokio::test]
async fn a_server_that_is_away_was_not_called() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let worker = Worker::start(&format!("http://{closed}/"), "", Limits::default());
    let failure = worker.call(get(format!("http://{closed}/x")), &[]).await.unwrap_err();
    assert!(matches!(&failure, Failure::Unreachable { .. }), "{failure:?}");
    assert!(failure.to_string().contains("refused"), "{failure}");
    assert_eq!(failure.ran(), Ran::No);
}

#[tokio::test]
async fn a_reply_that_breaks_off_is_no_reply() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf").await.unwrap();
        }
    });
    let worker = Worker::start(&format!("http://{address}/"), "", Limits::default());
    let failure = worker.call(get(format!("http://{address}/x")), &[]).await.unwrap_err();
    assert!(matches!(&failure, Failure::Broken { .. }), "{failure:?}");
    assert_eq!(failure.ran(), Ran::Maybe);
}

#[tokio::test]
async fn a_process_of_another_user_is_not_listened_to() {
    let worker = Worker::start("", "", Limits::default());
    let bound = fluxbase_delegate::socket::bind(&worker.path).unwrap();
    let server = worker.server.clone();
    tokio::spawn(async move { server.serve(bound.listener, bound.owner + 1).await });
    let said = worker.ask(&Request::Status, &[]).await;
    assert!(matches!(said, Err(Broken::Closed)), "{said:?}");
}

#[tokio::test]
async fn calls_are_bounded_by_number() {
    let web = Web::start().await;
    let limits = Limits { max_calls: 3, ..Limits::default() };
    let worker = Worker::start(&web.url("/"), "", limits);
    let mut held = Vec::new();
    for _ in 0..3 {
        held.push(worker.send(&Request::Call { work: get(web.url("/hang")).into() }, &[]).await);
    }
    web.until_open(3).await;
    let failure = worker.call(get(web.url("/echo")), &[]).await.unwrap_err();
    assert_eq!(failure, Failure::Busy { limit: 3 });
    assert_eq!(failure.ran(), Ran::No);
    drop(held);
    worker.until_idle().await;
    assert!(worker.call(get(web.url("/echo")), &[]).await.is_ok());
    assert_eq!(worker.status().await.refused, 1);
}

#[tokio::test]
async fn a_request_is_bounded_by_size() {
    let web = Web::start().await;
    let worker = Worker::start(&web.url("/"), "", Limits { max_request: 1000, ..Limits::default() });
    let failure = worker.call(get(web.url("/echo")), &[0; 1001]).await.unwrap_err();
    assert_eq!(failure, Failure::TooMuch { size: 1001, limit: 1000 });
    // One that says less than it sends, and one that says more.
    let call = Call { body_length: 10, ..get(web.url("/echo")) };
    let text = serde_json::to_vec(&Request::Call { work: call.into() }).unwrap();
    let mut stream = UnixStream::connect(&worker.path).await.unwrap();
    stream.write_all(&frame::encode(Kind::Request, &text)).await.unwrap();
    stream.write_all(&frame::encode(Kind::Body, &[0; 11])).await.unwrap();
    let said = tokio::time::timeout(PATIENCE, receive(&mut stream)).await.unwrap();
    assert!(matches!(said, Ok(Said::Failed(Failure::Protocol { .. }))), "{said:?}");
    let mut stream = UnixStream::connect(&worker.path).await.unwrap();
    stream.write_all(&frame::encode(Kind::Request, &text)).await.unwrap();
    stream.shutdown().await.unwrap();
    assert!(tokio::time::timeout(PATIENCE, receive(&mut stream)).await.unwrap().is_err());
    assert_eq!(web.requests(), 0);
}

#[tokio::test]
async fn what_is_no_request_is_told_so() {
    let (_web, worker) = both().await;
    for bytes in [
        frame::encode(Kind::Request, b"{}"),
        frame::encode(Kind::Request, b"\xff"),
        frame::encode(Kind::Request, br#"{"ask":"shutdown"}"#),
        frame::encode(Kind::Body, b"x"),
        b"GET / HTTP/1.1\r\n\r\n".to_vec(),
        vec![1, 0xff, 0xff, 0xff, 0xff],
    ] {
        let mut stream = UnixStream::connect(&worker.path).await.unwrap();
        stream.write_all(&bytes).await.unwrap();
        let said = tokio::time::timeout(PATIENCE, receive(&mut stream)).await.unwrap();
        assert!(matches!(said, Ok(Said::Failed(Failure::Protocol { .. }))), "{bytes:?}: {said:?}");
    }
    // Whoever goes on talking is not waited for.
    let web = Web::start().await;
    worker.server.set(Policy::new(&web.url("/"), "").unwrap(), Limits::default());
    let mut stream = worker.send(&Request::Call { work: get(web.url("/hang")).into() }, &[]).await;
    web.until_open(1).await;
    stream.write_all(b"x").await.unwrap();
    assert!(tokio::time::timeout(PATIENCE, receive(&mut stream)).await.unwrap().is_err());
    web.until_open(0).await;
}

#[tokio::test]
async fn a_reader_that_does_not_read_holds_little_and_not_for_ever() {
    let web = Web::start().await;
    let limits = Limits { max_bytes: 1 << 20, ..Limits::default() };
    let worker = Worker::start(&web.url("/"), "", limits);
    let mut held = Vec::new();
    for _ in 0..20 {
        held.push(worker.send(&Request::Call { work: get(web.url("/bytes/10485760")).into() }, &[]).await);
    }
    web.until_open(20).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    let status = worker.status().await;
    assert!(status.bytes > 0 && status.bytes <= status.max_bytes, "{status:?}");
    drop(held);
    worker.until_idle().await;
    assert!(worker.call(get(web.url("/bytes/10485760")), &[]).await.is_ok());
}
