//! A plain HTTP/1.1 client that sends exactly the bytes it is told to, and reads whole responses.
//!
//! No library is used, since most of them mend or refuse what these tests want to send.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;
use socket2::{Domain, Socket, Type};

/// How long a response may take before a test fails.
const PATIENCE: Duration = Duration::from_secs(40);

/// What a connection is made of.
pub trait Wire: Read + Write + Send + std::fmt::Debug {
    /// The socket at the bottom.
    fn socket(&self) -> socket2::SockRef<'_>;
}

impl Wire for TcpStream {
    fn socket(&self) -> socket2::SockRef<'_> {
        self.into()
    }
}

impl Wire for UnixStream {
    fn socket(&self) -> socket2::SockRef<'_> {
        self.into()
    }
}

/// One connection.
#[derive(Debug)]
pub struct Http {
    stream: Box<dyn Wire>,
    buffer: Vec<u8>,
}

/// A whole response.
#[derive(Debug, Clone)]
pub struct Response {
    /// The status.
    pub status: u16,
    /// Names as they came, in order.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

/// A loopback address that no other caller gets: wrong keys are counted for each address, so tests must not share one.
pub fn fresh_address() -> Ipv4Addr {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    Ipv4Addr::from(0x7F4D_0000 | (number % 0xFFFF + 1))
}

/// A connection from `client`, before anything is sent on it.
pub fn connect_tcp(client: Ipv4Addr, server: SocketAddr) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.bind(&SocketAddr::from((client, 0)).into())?;
    socket.connect(&server.into())?;
    let stream: TcpStream = socket.into();
    stream.set_nodelay(true)?;
    Ok(stream)
}

impl Http {
    /// Connects from an address of its own.
    pub fn connect(server: SocketAddr) -> Http {
        Http::connect_from(fresh_address(), server).expect("the listener accepts connections")
    }

    /// Connects to a Unix socket.
    pub fn connect_unix(path: &Path) -> io::Result<Http> {
        Http::over(UnixStream::connect(path)?)
    }

    /// Connects from `client`.
    pub fn connect_from(client: Ipv4Addr, server: SocketAddr) -> io::Result<Http> {
        Http::over(connect_tcp(client, server)?)
    }

    /// On a connection that is there, for example an encrypted one.
    pub fn over(stream: impl Wire + 'static) -> io::Result<Http> {
        stream.socket().set_read_timeout(Some(PATIENCE))?;
        stream.socket().set_write_timeout(Some(PATIENCE))?;
        Ok(Http { stream: Box::new(stream), buffer: Vec::new() })
    }

    /// Sends bytes as they are.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// Sends a request: request line, `headers`, the length, the body. `Host` is added unless it is there.
    pub fn send_request(&mut self, line: &str, headers: &[(&str, &str)], body: &[u8]) -> io::Result<()> {
        self.send(&request_bytes(line, headers, body))
    }

    /// Sends `POST /mcp` and reads the response.
    pub fn post(&mut self, headers: &[(&str, &str)], body: &[u8]) -> Response {
        self.send_request("POST /mcp", headers, body).expect("the request can be sent");
        self.receive()
    }

    /// Sends a request without a body and reads the response.
    pub fn get(&mut self, line: &str, headers: &[(&str, &str)]) -> Response {
        self.send_request(line, headers, b"").expect("the request can be sent");
        if line.starts_with("HEAD") { self.receive_head() } else { self.receive() }
    }

    /// The next response.
    ///
    /// # Panics
    /// When there is none.
    pub fn receive(&mut self) -> Response {
        match self.try_receive() {
            Ok(Some(response)) => response,
            Ok(None) => panic!("the listener closed the connection without an answer"),
            Err(error) => panic!("no answer: {error}"),
        }
    }

    /// The next response; `None` when the listener closed the connection instead.
    pub fn try_receive(&mut self) -> io::Result<Option<Response>> {
        loop {
            let Some(mut response) = self.head()? else { return Ok(None) };
            if response.status == 100 {
                continue;
            }
            let length: usize =
                response.header("content-length").and_then(|text| text.parse().ok()).unwrap_or(0);
            assert!(response.header("transfer-encoding").is_none(), "answers have a length");
            while self.buffer.len() < length {
                if self.fill()? == 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
            }
            response.body = self.buffer.drain(..length).collect();
            return Ok(Some(response));
        }
    }

    /// The next response to a HEAD request: its length is told, its body does not come.
    pub fn receive_head(&mut self) -> Response {
        self.head().expect("an answer").expect("an answer")
    }

    fn head(&mut self) -> io::Result<Option<Response>> {
        let end = loop {
            if let Some(end) = find(&self.buffer, b"\r\n\r\n") {
                break end;
            }
            if self.fill()? == 0 {
                return if self.buffer.is_empty() {
                    Ok(None)
                } else {
                    Err(io::ErrorKind::UnexpectedEof.into())
                };
            }
        };
        let head: Vec<u8> = self.buffer.drain(..end + 4).collect();
        let head = String::from_utf8_lossy(&head[..end]).into_owned();
        let mut lines = head.split("\r\n");
        let status = lines.next().unwrap_or_default();
        assert!(status.starts_with("HTTP/1.1 "), "no status line: {status:?}");
        Ok(Some(Response {
            status: status[9..12].parse().expect("a status has three digits"),
            headers: lines
                .filter_map(|line| line.split_once(": "))
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
            body: Vec::new(),
        }))
    }

    fn fill(&mut self) -> io::Result<usize> {
        let mut bytes = [0; 16 * 1024];
        let count = self.stream.read(&mut bytes)?;
        self.buffer.extend_from_slice(&bytes[..count]);
        Ok(count)
    }

    /// How long the listener keeps the connection open from now on, at most `within`; `None` when it still is then.
    /// What arrives meanwhile is read.
    pub fn closed_within(&mut self, within: Duration) -> Option<Duration> {
        let start = Instant::now();
        loop {
            let left = within.checked_sub(start.elapsed()).filter(|left| !left.is_zero())?;
            self.stream.socket().set_read_timeout(Some(left)).expect("not zero");
            match self.fill() {
                // A reset is an end, too.
                Ok(0) => return Some(start.elapsed()),
                Ok(_) => {}
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                }
                Err(_) => return Some(start.elapsed()),
            }
        }
    }

    /// The message of the next event of a stream; `None` when none comes within this time, or the stream has ended.
    pub fn next_event(&mut self, within: Duration) -> Option<Value> {
        let start = Instant::now();
        loop {
            if let Some(at) = find(&self.buffer, b"data: ")
                && let Some(length) = find(&self.buffer[at..], b"\n\n")
            {
                let event: Vec<u8> = self.buffer.drain(..at + length + 2).skip(at + 6).collect();
                let text = String::from_utf8(event).expect("UTF-8").replace("\ndata: ", "\n");
                return Some(serde_json::from_str(&text).expect("JSON in each event"));
            }
            let left = within.checked_sub(start.elapsed()).filter(|left| !left.is_zero())?;
            self.stream.socket().set_read_timeout(Some(left)).expect("not zero");
            match self.fill() {
                Ok(0) => return None,
                Ok(_) => {}
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                }
                Err(_) => return None,
            }
        }
    }

    /// What has arrived and was not taken yet.
    pub fn left_over(&self) -> String {
        String::from_utf8_lossy(&self.buffer).into_owned()
    }

    /// Hangs up.
    pub fn hang_up(self) {
        let _ = self.stream.socket().shutdown(Shutdown::Both);
    }
}

/// A request as bytes.
pub fn request_bytes(line: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut text = format!("{line} HTTP/1.1\r\n");
    if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
        text.push_str("Host: localhost\r\n");
    }
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    if !body.is_empty() || line.starts_with("POST") {
        text.push_str(&format!("Content-Length: {}\r\n", body.len()));
    }
    text.push_str("\r\n");
    let mut bytes = text.into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

impl Response {
    /// The value of a header, if it is there; names without regard to case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8(self.body.clone()).expect("bodies are UTF-8")
    }

    /// The body as JSON.
    ///
    /// # Panics
    /// When it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| {
            panic!("the body is no JSON: {error}: {}", String::from_utf8_lossy(&self.body))
        })
    }

    /// The code of a JSON-RPC error; 0 when there is none.
    pub fn code(&self) -> i64 {
        serde_json::from_slice::<Value>(&self.body)
            .ok()
            .and_then(|body| body["error"]["code"].as_i64())
            .unwrap_or(0)
    }

    /// The message of a JSON-RPC error.
    pub fn message(&self) -> String {
        self.json()["error"]["message"].as_str().unwrap_or_default().to_owned()
    }
}
