//! What `make faults` and `make soak` put on a server: callers that survive its failures and remember what they were told, and a runtime of edge
//! functions that remembers what it was asked.

use std::collections::HashMap;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::http::{Http, Response, fresh_address};
use crate::keys::Key;

/// What a caller knows after a call.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// The server acknowledged it: the JSON of the tool's answer.
    Done(Value),
    /// The server said that nothing was done, or could not be reached.
    Nothing(String),
    /// The server said that it may have been done, or gave no answer.
    Unknown(String),
    /// The server said that it was done, and has no answer to give.
    Ran(String),
    /// An answer that says nothing about it: a fault of the server's.
    Unclear(String),
}

impl Outcome {
    /// Reads it out of an answer to `tools/call`.
    pub fn of(response: &Response) -> Outcome {
        let body: Value = serde_json::from_slice(&response.body).unwrap_or_default();
        let text = body["result"]["content"][0]["text"].as_str().or(body["error"]["message"].as_str());
        let text = text.unwrap_or_default();
        if response.status == 200 && body["result"]["isError"] == json!(false) {
            return Outcome::Done(serde_json::from_str(text).unwrap_or_default());
        }
        let told = format!("{} {text}", response.status);
        let says = |words: &[&str]| words.iter().any(|word| text.contains(word));
        if says(&["may or may not", "not known"]) {
            Outcome::Unknown(told)
        } else if says(&["It has run"]) {
            Outcome::Ran(told)
        } else if says(&["Nothing was", "othing is changed"]) {
            Outcome::Nothing(told)
        } else {
            Outcome::Unclear(told)
        }
    }

    /// What was told instead of an answer.
    pub fn text(&self) -> Option<&str> {
        match self {
            Outcome::Done(_) => None,
            Outcome::Nothing(text) | Outcome::Unknown(text) | Outcome::Ran(text) | Outcome::Unclear(text) => {
                Some(text)
            }
        }
    }
}

/// A client with one kept connection, which is opened anew when it broke.
#[derive(Debug)]
pub struct Caller {
    server: SocketAddr,
    key: Key,
    http: Option<Http>,
    next: u64,
}

impl Caller {
    /// A client of `server`.
    pub fn new(server: SocketAddr, key: &Key) -> Caller {
        Caller { server, key: key.clone(), http: None, next: 1 }
    }

    /// Calls a tool. Nothing is tried again.
    pub fn call(&mut self, tool: &str, arguments: &Value) -> Outcome {
        let mut http = match self.http.take() {
            Some(http) => http,
            None => match Http::connect_from(fresh_address(), self.server) {
                Ok(http) => http,
                Err(error) => return Outcome::Nothing(format!("no connection: {}", error.kind())),
            },
        };
        let message = json!({ "jsonrpc": "2.0", "id": self.next, "method": "tools/call",
            "params": { "name": tool, "arguments": arguments } });
        self.next += 1;
        let headers = [("Content-Type", "application/json"), self.key.pair()];
        let sent = http.send_request("POST /mcp", &headers, message.to_string().as_bytes());
        match sent.and_then(|()| http.try_receive()) {
            Ok(Some(response)) => {
                if response.header("connection") != Some("close") {
                    self.http = Some(http);
                }
                Outcome::of(&response)
            }
            Ok(None) => Outcome::Unknown("the connection was closed without an answer".to_owned()),
            Err(error) => Outcome::Unknown(format!("the connection broke: {}", error.kind())),
        }
    }
}

/// A runtime of edge functions: answers each request with its body, and counts the bodies. Its threads end with the process.
#[derive(Debug, Clone)]
pub struct Counting {
    address: SocketAddr,
    seen: Arc<Mutex<HashMap<String, u32>>>,
    hangs: Arc<AtomicBool>,
}

impl Counting {
    /// Starts it.
    pub fn start() -> Counting {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has ports");
        let address = listener.local_addr().expect("it is bound");
        let runtime = Counting { address, seen: Arc::default(), hangs: Arc::default() };
        let all = runtime.clone();
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let runtime = all.clone();
                thread::spawn(move || runtime.serve(&stream));
            }
        });
        runtime
    }

    /// Where functions are.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// From now on nothing is answered, or all is again. What came while it hung is never answered.
    pub fn hang(&self, hangs: bool) {
        self.hangs.store(hangs, Ordering::SeqCst);
    }

    /// How often it was sent a request with this body.
    pub fn seen(&self, body: &str) -> u32 {
        self.all().get(body).copied().unwrap_or(0)
    }

    /// Forgets what it was sent.
    pub fn forget(&self) {
        self.all().clear();
    }

    fn all(&self) -> MutexGuard<'_, HashMap<String, u32>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn serve(&self, stream: &TcpStream) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let (mut reader, mut writer) = (BufReader::new(stream), stream);
        while let Some(body) = body(&mut reader)? {
            *self.all().entry(body.clone()).or_default() += 1;
            if self.hangs.load(Ordering::SeqCst) {
                while self.hangs.load(Ordering::SeqCst) {
                    thread::sleep(Duration::from_millis(20));
                }
                return Ok(());
            }
            let body = if body.is_empty() { "null" } else { &body };
            write!(
                writer,
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            )?;
        }
        Ok(())
    }
}

/// The body of the next request; `None` at the end of the connection.
fn body(reader: &mut impl BufRead) -> io::Result<Option<String>> {
    let (mut line, mut length, mut begun) = (String::new(), 0, false);
    loop {
        line.clear();
        if reader.read_line(&mut line)? == 0 {
            return if begun { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(None) };
        }
        begun = true;
        if line.trim_end().is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().map_err(io::Error::other)?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok(Some(String::from_utf8_lossy(&body).into_owned()))
}
