//! TLS on the listener's own port.

use std::fs;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::Arc;

use fluxbase_tests::http::{Wire, connect_tcp, fresh_address, request_bytes};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned, SupportedProtocolVersion};

use super::*;

/// A certificate for localhost with its key, in two files that can be written anew.
struct Files {
    certificate: PathBuf,
    key: PathBuf,
}

impl Files {
    /// `name` tells the files of one test from those of another.
    fn new(name: &str) -> Files {
        let folder = stage().cluster.folder();
        let files = Files {
            certificate: folder.join(format!("{name}-cert.pem")),
            key: folder.join(format!("{name}-key.pem")),
        };
        files.renew();
        files
    }

    /// Another certificate with another key.
    fn renew(&self) {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("a certificate");
        fs::write(&self.certificate, made.cert.pem()).expect("written");
        fs::write(&self.key, made.signing_key.serialize_pem()).expect("written");
        fs::set_permissions(&self.key, fs::Permissions::from_mode(0o600)).expect("ours");
    }

    fn trusted(&self) -> CertificateDer<'static> {
        CertificateDer::from_pem_file(&self.certificate).expect("a certificate")
    }

    fn listen(&self, more: &[(&str, &str)]) -> Listener {
        let stage = stage();
        let (certificate, key) = (self.certificate.display().to_string(), self.key.display().to_string());
        let mut all =
            vec![("FLUXBASE_LISTENER_TLS_CERTIFICATE", &*certificate), ("FLUXBASE_LISTENER_TLS_KEY", &*key)];
        all.extend(more);
        Listener::start_anyway(&stage.cluster, &stage.database.listener_url, &all)
    }
}

#[derive(Debug)]
struct Secure(StreamOwned<ClientConnection, TcpStream>);

impl Read for Secure {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.0.read(bytes)
    }
}

impl Write for Secure {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl Wire for Secure {
    fn socket(&self) -> socket2::SockRef<'_> {
        (&self.0.sock).into()
    }
}

/// What a client asks for in its handshake.
struct Wants<'a> {
    trusted: CertificateDer<'static>,
    alpn: &'a [&'a str],
    version: &'static SupportedProtocolVersion,
}

impl Wants<'_> {
    fn usual(files: &Files) -> Wants<'static> {
        Wants { trusted: files.trusted(), alpn: &["h2", "http/1.1"], version: &rustls::version::TLS13 }
    }

    /// The handshake, until its end.
    fn shake(&self, listener: &Listener) -> io::Result<Secure> {
        let mut roots = RootCertStore::empty();
        roots.add(self.trusted.clone()).expect("a root");
        let mut config =
            ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
                .with_protocol_versions(&[self.version])
                .expect("the version is known")
                .with_root_certificates(roots)
                .with_no_client_auth();
        config.alpn_protocols = self.alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        let name = ServerName::try_from("localhost").expect("a name");
        let client = ClientConnection::new(Arc::new(config), name).expect("a client");
        let socket = connect_tcp(fresh_address(), listener.address)?;
        socket.set_read_timeout(Some(Duration::from_secs(20)))?;
        let mut stream = StreamOwned::new(client, socket);
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock)?;
        }
        Ok(Secure(stream))
    }

    fn connect(&self, listener: &Listener) -> Http {
        Http::over(self.shake(listener).expect("the handshake succeeds")).expect("a connection")
    }
}

fn list(http: &mut Http) -> u16 {
    http.post(&[JSON, stage().a.pair()], LIST).status
}

/// Proves that TLS 1.3 and 1.2 are spoken with ALPN http/1.1, that clients who only take HTTP/2 are refused in the handshake,
/// that what is sent in plain text is not answered, and that everything else is as without TLS.
#[test]
fn tls_is_spoken() {
    let files = Files::new("spoken");
    let listener = files.listen(&[]);
    for version in [&rustls::version::TLS13, &rustls::version::TLS12] {
        let wants = Wants { version, ..Wants::usual(&files) };
        let secure = wants.shake(&listener).expect("the handshake succeeds");
        assert_eq!(secure.0.conn.alpn_protocol(), Some(&b"http/1.1"[..]));
        let mut http = Http::over(secure).expect("a connection");
        for _ in 0..3 {
            assert_eq!(list(&mut http), 200, "{version:?}");
        }
        assert_eq!(http.post(&[JSON], LIST).status, 401);
        assert_eq!(http.post(&[JSON, stage().a.pair(), ("Host", "evil.example")], LIST).status, 403);
    }
    let without = Wants { alpn: &[], ..Wants::usual(&files) };
    assert_eq!(list(&mut without.connect(&listener)), 200);
    let only_2 = Wants { alpn: &["h2"], ..Wants::usual(&files) };
    let refused = only_2.shake(&listener).expect_err("there is no HTTP/2").to_string();
    assert!(refused.contains("NoApplicationProtocol"), "{refused}");
    let stranger = Wants { trusted: Files::new("stranger").trusted(), ..Wants::usual(&files) };
    assert!(stranger.shake(&listener).is_err(), "the certificate is the one that was set");
    let mut plain = Http::connect(listener.address);
    plain.send(&request_bytes("POST /mcp", &[JSON, stage().a.pair()], LIST)).expect("sent");
    assert!(plain.closed_within(Duration::from_secs(5)).is_some());
    assert!(!plain.left_over().contains("HTTP/1.1 200"), "{}", plain.left_over());
    assert!(listener.log().contains("serving MCP at https://127.0.0.1:"), "{}", listener.log());
}

/// Proves that SIGHUP takes new files into use for new connections while open ones go on, and that bad files change nothing and are
/// told: a key that does not fit, no certificate at all.
#[test]
fn sighup_reads_the_certificate_anew() {
    let files = Files::new("renewed");
    let listener = files.listen(&[]);
    let first = Wants::usual(&files);
    let mut kept = first.connect(&listener);
    assert_eq!(list(&mut kept), 200);

    let told = |what: &str, count: usize| {
        eventually(Duration::from_secs(5), what, || {
            (listener.log().matches(what).count() == count).then_some(())
        });
    };
    let old_certificate = fs::read(&files.certificate).expect("read");
    let old_key = fs::read(&files.key).expect("read");
    files.renew();
    let second = Wants::usual(&files);
    assert!(second.shake(&listener).is_err(), "nothing changes by itself");
    listener.signal("HUP");
    told("the certificate was read anew", 1);
    assert_eq!(list(&mut second.connect(&listener)), 200);
    assert!(first.shake(&listener).is_err(), "new connections get the new one");
    assert_eq!(list(&mut kept), 200, "the open one goes on");

    fs::write(&files.certificate, &old_certificate).expect("written");
    listener.signal("HUP");
    told("is not the key of the certificate", 1);
    fs::write(&files.certificate, "nonsense").expect("written");
    listener.signal("HUP");
    told("it holds no certificate", 1);
    fs::remove_file(&files.certificate).expect("removed");
    listener.signal("HUP");
    told("the certificate in use stays", 3);
    assert_eq!(list(&mut second.connect(&listener)), 200, "the last good one is still used");
    assert_eq!(list(&mut kept), 200);

    fs::write(&files.certificate, &old_certificate).expect("written");
    fs::write(&files.key, &old_key).expect("written");
    listener.signal("HUP");
    told("the certificate was read anew", 2);
    assert_eq!(list(&mut first.connect(&listener)), 200);
    let log = listener.log();
    assert!(!log.contains("PRIVATE KEY"), "no key is in the log");
}

/// Proves that clients that do not finish their handshake are cut off after the time of a head, keep nobody from being served
/// meanwhile, and that the bound on the head holds inside TLS, too.
#[test]
fn slow_handshakes_and_slow_heads_are_cut_off() {
    let files = Files::new("slow");
    let listener = files.listen(&[("FLUXBASE_LISTENER_HEADER_TIMEOUT", "1s")]);
    let mut silent: Vec<Http> = (0..20).map(|_| Http::connect(listener.address)).collect();
    for (at, http) in silent.iter_mut().enumerate() {
        // A part of a ClientHello, of several lengths.
        let hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";
        http.send(&hello[..at % hello.len()]).expect("sent");
    }
    assert_eq!(list(&mut Wants::usual(&files).connect(&listener)), 200, "others are served at once");
    for http in &mut silent {
        assert!(http.closed_within(Duration::from_secs(5)).is_some(), "a handshake has its time");
    }
    let mut dripping = Wants::usual(&files).connect(&listener);
    let mut fed = 0;
    for byte in b"POST /mcp HTTP/1.1\r\nX-Slow: 1234567890" {
        if dripping.send(&[*byte]).is_err() {
            break;
        }
        fed += 1;
        std::thread::sleep(Duration::from_millis(60));
    }
    assert!(
        fed < 38 || dripping.closed_within(Duration::from_secs(3)).is_some(),
        "dripping bytes buy no time"
    );
    assert_eq!(list(&mut Wants::usual(&files).connect(&listener)), 200);
}

/// Proves that a client that hangs up has its statement cancelled over TLS, too, whether it says goodbye or not.
#[test]
fn a_client_that_hangs_up_over_tls_stops_its_statement() {
    let files = Files::new("hangup");
    let listener = files.listen(&[]);
    let sleeping = || {
        let sql =
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = $1 AND wait_event = 'PgSleep'";
        let row = stage().database.admin().query_one(sql, &[&listener.application()]).expect("counted");
        row.get::<_, i64>(0)
    };
    let slow = json!({ "name": "query_table", "arguments": { "table": "slow", "filter": { "id": 30 } } });
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": slow }).to_string();
    let request = request_bytes("POST /mcp", &[JSON, stage().a.pair()], body.as_bytes());
    for (goodbye, sent) in [(true, request.clone()), (false, [request.clone(), request.clone()].concat())] {
        let mut secure = Wants::usual(&files).shake(&listener).expect("the handshake succeeds");
        secure.write_all(&sent).expect("sent");
        secure.flush().expect("sent");
        eventually(Duration::from_secs(10), "the slow statement runs", || (sleeping() == 1).then_some(()));
        if goodbye {
            secure.0.conn.send_close_notify();
            secure.flush().expect("sent");
        }
        drop(secure);
        eventually(Duration::from_secs(3), "the statement is cancelled", || (sleeping() == 0).then_some(()));
    }
}

/// Proves that a listener with unusable files does not start, says which file is wrong and why, and that a key that everybody can
/// read is warned about.
#[test]
fn unusable_files_are_told_at_the_start() {
    let (files, other) = (Files::new("told"), Files::new("told-other"));
    let start = |certificate: &str, key: &str| {
        let mut command =
            fluxbase_tests::keys::cli(&stage().database.listener_url, &["serve", "--listen", "127.0.0.1:0"]);
        command.env("FLUXBASE_MCP_ENABLED", "true");
        for (name, value) in [("CERTIFICATE", certificate), ("KEY", key)] {
            if !value.is_empty() {
                command.env(format!("FLUXBASE_LISTENER_TLS_{name}"), value);
            }
        }
        ends(command)
    };
    let (good, key) = (files.certificate.display().to_string(), files.key.display().to_string());
    for (certificate, key, part) in [
        (&*good, "", "tls_key"),
        ("", &*key, "tls_certificate"),
        (&*good, "/nowhere/key.pem", "tls_key /nowhere/key.pem"),
        (&*good, &*good, "no private key"),
        (&*key, &*key, "no certificate"),
        (&*good, &*other.key.display().to_string(), "is not the key of"),
    ] {
        let (code, told) = start(certificate, key);
        assert_eq!(code, Some(1), "{told}");
        assert!(told.contains(part) && !told.contains("PRIVATE"), "{part}: {told}");
    }
    fs::set_permissions(&files.key, fs::Permissions::from_mode(0o644)).expect("ours");
    let listener = files.listen(&[]);
    assert!(listener.log().contains("chmod o="), "{}", listener.log());
    assert_eq!(list(&mut Wants::usual(&files).connect(&listener)), 200);
}
