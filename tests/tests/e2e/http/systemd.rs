//! What systemd gives and is told: sockets that outlive a process, readiness, reloads, signs of life.

use std::io::ErrorKind;
use std::net::TcpListener;
use std::os::unix::net::UnixDatagram;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use super::sockets::Folder;
use super::*;

/// Proves that a restart with a socket that systemd holds refuses no connection and loses no request: under load an old process is
/// ended and a new one started, three times; each write is answered with 200 and is in the table exactly once. Some clients open a
/// connection for each request, others keep theirs until the listener says that it closes it.
#[test]
fn a_restart_refuses_nobody() {
    let stage = stage();
    let socket = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = socket.local_addr().expect("bound");
    let start = || {
        let more = [("FLUXBASE_LISTENER_POOL_SIZE", "2")];
        Listener::start_with_sockets(&stage.cluster, &stage.database.listener_url, &more, &[&socket])
    };
    let mut running = start();
    assert_eq!(running.address, address, "it serves on the socket that it was given");
    let key = stage.database.tenant_key("restarts", "00000000-0000-4000-8000-0000000000ee");
    let (done, sent, processes) = (AtomicBool::new(false), AtomicU32::new(0), AtomicU32::new(0));
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..6)
            .map(|client| {
                let (key, done, sent) = (&key, &done, &sent);
                scope.spawn(move || {
                    let mut kept: Option<Http> = None;
                    while !done.load(Ordering::Relaxed) {
                        let n = sent.fetch_add(1, Ordering::Relaxed);
                        let params = json!({ "name": "insert_record",
                            "arguments": { "table": "notes", "data": { "title": format!("restart {n}") } } });
                        let body =
                            json!({ "jsonrpc": "2.0", "id": n, "method": "tools/call", "params": params })
                                .to_string();
                        let mut http = kept.take().unwrap_or_else(|| Http::connect(address));
                        let mut headers = vec![JSON, key.pair()];
                        if client % 2 == 0 {
                            headers.push(("Connection", "close"));
                        }
                        let response = http.post(&headers, body.as_bytes());
                        assert_eq!(response.status, 200, "{}", response.text());
                        assert_eq!(response.json()["result"]["isError"], json!(false), "{}", response.text());
                        if response.header("connection") != Some("close") && client % 2 == 1 {
                            kept = Some(http);
                        }
                        if client > 2 {
                            // Most of the time without a request: the end mostly finds it so.
                            std::thread::sleep(Duration::from_millis(30));
                        }
                    }
                })
            })
            .collect();
        let ended = Ended(&done);
        for _ in 0..3 {
            std::thread::sleep(Duration::from_millis(400));
            // As systemctl restart does it: the end first, then the beginning. Clients wait in the kernel's queue.
            running.terminate();
            let status = running.wait(Duration::from_secs(15)).expect("it ends");
            assert_eq!(status.code(), Some(0));
            running = start();
            processes.fetch_add(1, Ordering::Relaxed);
        }
        std::thread::sleep(Duration::from_millis(400));
        drop(ended);
        for client in clients {
            client.join().expect("no request of this client failed");
        }
    });
    let sql = "SELECT count(*), count(DISTINCT title) FROM public.notes WHERE title LIKE 'restart %'";
    let row = stage.database.admin().query_one(sql, &[]).expect("counted");
    let sent = i64::from(sent.load(Ordering::Relaxed));
    assert_eq!((row.get::<_, i64>(0), row.get::<_, i64>(1)), (sent, sent), "each write once");
    assert!(sent > 20 && processes.load(Ordering::Relaxed) == 3, "there was load: {sent}");
    stage
        .database
        .admin()
        .execute("DELETE FROM public.notes WHERE title LIKE 'restart %'", &[])
        .expect("gone");
}

/// Proves that a socket named `metrics` is for metrics, that Unix sockets are taken, too, and stay when the process ends, and that
/// sockets meant for another process are left alone.
#[test]
fn sockets_are_taken_by_their_names() {
    let stage = stage();
    let folder = Folder::new("given");
    let metrics = folder.0.join("metrics.sock");
    let mcp = TcpListener::bind("127.0.0.1:0").expect("a port");
    let unix = std::os::unix::net::UnixListener::bind(&metrics).expect("a socket");
    let mut listener =
        Listener::start_with_sockets(&stage.cluster, &stage.database.listener_url, &[], &[&mcp, &unix]);
    assert_eq!(listener.address, mcp.local_addr().expect("bound"));
    let text = Http::connect_unix(&metrics).expect("it answers").get("GET /metrics", &[]).text();
    assert!(text.contains("fluxbase_build_info"), "{text}");
    assert_eq!(Http::connect(listener.address).post(&[JSON, stage.a.pair()], LIST).status, 200);
    listener.terminate();
    listener.wait(Duration::from_secs(5)).expect("it ends");
    assert!(metrics.exists(), "the file is systemd's");

    let mut command =
        fluxbase_tests::keys::cli(&stage.database.listener_url, &["serve", "--listen", "unix:/nowhere/x"]);
    command.envs([("FLUXBASE_MCP_ENABLED", "true"), ("LISTEN_FDS", "1"), ("LISTEN_PID", "1")]);
    let (code, told) = ends(command);
    assert!(code == Some(1) && told.contains("cannot listen on unix:/nowhere/x"), "{told}");
}

/// Proves what systemd is told, in its order: READY only once the listener answers, RELOADING with the time and READY again at SIGHUP,
/// STOPPING at the end, and WATCHDOG meanwhile, but not by a process that was not asked for it.
#[test]
fn systemd_is_told() {
    let stage = stage();
    let folder = Folder::new("notify");
    let path = folder.0.join("notify");
    let socket = UnixDatagram::bind(&path).expect("a socket");
    socket.set_read_timeout(Some(Duration::from_secs(10))).expect("not zero");
    let next = || {
        let mut bytes = [0; 1024];
        match socket.recv(&mut bytes) {
            Ok(length) => Some(String::from_utf8_lossy(&bytes[..length]).into_owned()),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => None,
            Err(error) => panic!("{error}"),
        }
    };
    let until = |what: &str| {
        for _ in 0..1000 {
            let message = next().unwrap_or_else(|| panic!("{what} does not come"));
            if message != "WATCHDOG=1\n" {
                assert!(message.starts_with(what), "{message:?} instead of {what}");
                return message;
            }
        }
        panic!("{what} does not come");
    };
    let notify = path.display().to_string();
    let more = [("NOTIFY_SOCKET", &*notify), ("WATCHDOG_USEC", "200000")];
    let mut listener = Listener::start_anyway(&stage.cluster, &stage.database.listener_url, &more);
    let ready = until("READY=1\n");
    assert!(ready.contains("STATUS=serving MCP at http://127.0.0.1:"), "{ready}");
    assert_eq!(Http::connect(listener.address).post(&[JSON, stage.a.pair()], LIST).status, 200);
    for _ in 0..3 {
        assert_eq!(next().as_deref(), Some("WATCHDOG=1\n"));
    }
    listener.signal("HUP");
    let reloading = until("RELOADING=1\n");
    let (_, since) = reloading.split_once("MONOTONIC_USEC=").expect("the time");
    assert!(since.trim().parse::<u64>().expect("a number") > 0);
    until("READY=1\n");
    assert!(listener.is_running());
    listener.terminate();
    until("STOPPING=1\n");
    assert_eq!(listener.wait(Duration::from_secs(5)).expect("it ends").code(), Some(0));

    let other = [("NOTIFY_SOCKET", &*notify), ("WATCHDOG_USEC", "50000"), ("WATCHDOG_PID", "1")];
    while socket.set_nonblocking(true).is_ok() && next().is_some() {}
    socket.set_nonblocking(false).expect("as before");
    let _listener = Listener::start_anyway(&stage.cluster, &stage.database.listener_url, &other);
    until("READY=1\n");
    socket.set_read_timeout(Some(Duration::from_millis(500))).expect("not zero");
    assert_eq!(next(), None, "the watchdog waits for another process");

    // One that cannot bind is never ready.
    let taken = stage.listener.address.to_string();
    let mut command = fluxbase_tests::keys::cli(&stage.database.listener_url, &["serve", "--listen", &taken]);
    command.envs([("FLUXBASE_MCP_ENABLED", "true"), ("NOTIFY_SOCKET", &notify)]);
    let (code, told) = ends(command);
    assert_eq!(code, Some(1), "{told}");
    assert_eq!(next(), None);
}
