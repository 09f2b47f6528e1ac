//! The real PostgREST as a process, and a client for it.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use fluxbase_tests::random::secret;
use fluxbase_tests::settings::path;
use fluxbase_tests::{Cluster, eventually, watchdog};
use serde_json::Value;

use crate::stage::ROLE;

/// Signs [`TOKEN`].
const JWT_SECRET: &str = "the differential tests sign with this";
/// `{"role":"authenticated","sub":TENANT_A}`, signed with HS256. It never expires.
const TOKEN: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJyb2xlIjoiYXV0aGVudGljYXRlZCIsInN1YiI6IjAwMDAwMDAwLTAwMDAtNDAwMC04MDAwLTAwMDAwMDAwMDAwYSJ9.7PgQKdTisV5BsbpseOXHK5DcUPYFRNS6m5g5DJRkejk";

/// A running PostgREST.
#[derive(Debug)]
pub struct Postgrest {
    child: Child,
    address: SocketAddr,
}

/// A response.
#[derive(Debug)]
pub struct Response {
    /// The status.
    pub status: u16,
    head: String,
    /// The body, which may be empty.
    pub body: String,
}

impl Postgrest {
    /// Starts it for the schema `public` of a database. It reads the catalog now: everything must be there.
    pub fn start(cluster: &Cluster, database: &str, admin: &mut postgres::Client) -> Postgrest {
        let program = std::env::var("FLUXBASE_POSTGREST").unwrap_or_else(|_| {
            panic!("FLUXBASE_POSTGREST is not set. Run this with: make test-differential")
        });
        let password = secret();
        admin
            .batch_execute(&format!(
                "CREATE ROLE authenticator LOGIN NOINHERIT PASSWORD '{password}';
                 GRANT {ROLE} TO authenticator;
                 GRANT CONNECT ON DATABASE {database} TO authenticator;
                 ALTER ROLE authenticator SET timezone = 'UTC'"
            ))
            .expect("PostgREST's login role");
        let port =
            TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a port").port();
        let log = cluster.folder().join("postgrest.log");
        let file = File::create(&log).expect("the log can be written");
        let child = Command::new(&program)
            .env_clear()
            .env("PATH", path())
            .env("LC_ALL", "C.UTF-8")
            .env("PGRST_DB_URI", cluster.url("authenticator", &password, database))
            .env("PGRST_DB_SCHEMAS", "public")
            .env("PGRST_DB_ANON_ROLE", ROLE)
            .env("PGRST_DB_AGGREGATES_ENABLED", "true")
            .env("PGRST_DB_TX_END", "commit-allow-override")
            .env("PGRST_DB_CHANNEL_ENABLED", "false")
            .env("PGRST_DB_CONFIG", "false")
            .env("PGRST_DB_POOL", "4")
            .env("PGRST_JWT_SECRET", JWT_SECRET)
            .env("PGRST_SERVER_HOST", "127.0.0.1")
            .env("PGRST_SERVER_PORT", port.to_string())
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(file.try_clone().expect("a second handle"))
            .stderr(file)
            .spawn()
            .unwrap_or_else(|error| panic!("{program}: {error}"));
        watchdog::process_started(child.id());
        let mut this = Postgrest { child, address: SocketAddr::from(([127, 0, 0, 1], port)) };
        eventually(Duration::from_secs(20), "PostgREST answers", || {
            if let Ok(Some(status)) = this.child.try_wait() {
                panic!(
                    "PostgREST ended with {status}: {}",
                    std::fs::read_to_string(&log).unwrap_or_default()
                );
            }
            let response = this.exchange("GET", "/films?limit=0", &[], "").ok()?;
            (response.status == 200).then_some(())
        });
        this
    }

    /// Asks. `target` is path and query as a person writes them; [`encode`] makes them fit for HTTP.
    pub fn ask(&self, method: &str, target: &str, headers: &[(&str, &str)], body: &str) -> Response {
        self.ask_encoded(method, &encode(target), headers, body)
    }

    /// The same with a target that is encoded already.
    pub fn ask_encoded(&self, method: &str, target: &str, headers: &[(&str, &str)], body: &str) -> Response {
        self.exchange(method, &format!("/{target}"), headers, body)
            .unwrap_or_else(|error| panic!("PostgREST does not answer: {error}"))
    }

    /// One request, one connection. HTTP/1.0 has no chunks.
    fn exchange(
        &self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> std::io::Result<Response> {
        let mut stream = TcpStream::connect(self.address)?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        let mut request =
            format!("{method} {target} HTTP/1.0\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\n");
        for (name, value) in headers {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        if !body.is_empty() {
            request
                .push_str(&format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len()));
        }
        stream.write_all(format!("{request}\r\n{body}").as_bytes())?;
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes)?;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let (head, body) = text.split_once("\r\n\r\n").ok_or(std::io::ErrorKind::UnexpectedEof)?;
        let status = head.split(' ').nth(1).and_then(|word| word.parse().ok()).unwrap_or(0);
        Ok(Response { status, head: head.to_owned(), body: body.to_owned() })
    }
}

impl Drop for Postgrest {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        watchdog::process_ended(self.child.id());
    }
}

impl Response {
    /// The rows of the body; an error's text otherwise.
    pub fn rows(&self) -> Result<Vec<Value>, String> {
        match serde_json::from_str(&self.body) {
            Ok(Value::Array(rows)) if self.status < 300 => Ok(rows),
            _ if self.status < 300 && self.body.is_empty() => Ok(Vec::new()),
            _ => Err(format!("{} {}", self.status, self.body)),
        }
    }

    /// The number after the slash of `Content-Range`.
    pub fn total(&self) -> Option<u64> {
        let line = self.head.lines().find(|line| line.to_ascii_lowercase().starts_with("content-range:"))?;
        line.rsplit('/').next()?.trim().parse().ok()
    }
}

/// Percent-encodes what a URL does not allow as it is. What gives a query its form stays. `%` is a wildcard of patterns; only `%26`, an
/// ampersand in a value, is taken as encoded already.
pub fn encode(text: &str) -> String {
    escape(text, |byte| byte.is_ascii_alphanumeric() || b"-._~!$'()*,=:@/?&".contains(&byte))
        .replace("%2526", "%26")
}

/// Percent-encodes one name or one value.
pub fn encode_part(text: &str) -> String {
    escape(text, |byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte))
}

fn escape(text: &str, keep: impl Fn(u8) -> bool) -> String {
    text.bytes()
        .map(|byte| if keep(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}
