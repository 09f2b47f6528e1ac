//! A runtime of edge functions that does what its path says, and tells what it saw.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::eventually;

/// One request.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// Method and path.
    pub line: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: String,
}

impl Request {
    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// The server. Its threads end with the process.
#[derive(Debug)]
pub struct Web {
    address: SocketAddr,
    seen: Arc<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    requests: Mutex<Vec<Request>>,
    /// Requests whose answer is not complete and whose sender is there.
    open: AtomicUsize,
    /// What `embeddings` answers instead of vectors.
    instead: Mutex<Option<String>>,
}

impl Web {
    /// Starts it. The last word of the path decides: `echo`, `text`, `bytes`, `fails` (status 500), `large` (a text of 100,000 characters),
    /// `embeddings` (vectors of three numbers, by words in the text), `huge` (11 MB), `redirect`, `sleeps` (a second), `hangs` (until its sender goes away).
    pub fn start() -> Web {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has ports");
        let address = listener.local_addr().expect("it is bound");
        let seen = Arc::new(Seen::default());
        let all = Arc::clone(&seen);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let seen = Arc::clone(&all);
                std::thread::spawn(move || serve(&stream, &seen));
            }
        });
        Web { address, seen }
    }

    /// Where functions are.
    pub fn url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// Every request so far.
    pub fn requests(&self) -> Vec<Request> {
        self.seen.requests.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// From now on `embeddings` answers with this status line and these headers, or with vectors again.
    pub fn answer_instead(&self, head: Option<&str>) {
        *self.seen.instead.lock().unwrap_or_else(PoisonError::into_inner) = head.map(str::to_owned);
    }

    /// Waits until as many requests are open.
    pub fn until_open(&self, number: usize) {
        eventually(Duration::from_secs(60), "as many open requests", || {
            (self.seen.open.load(Ordering::SeqCst) == number).then_some(())
        });
    }
}

fn serve(stream: &TcpStream, seen: &Seen) {
    let mut reader = BufReader::new(stream);
    while let Some(request) = read(&mut reader) {
        seen.requests.lock().unwrap_or_else(PoisonError::into_inner).push(request.clone());
        seen.open.fetch_add(1, Ordering::SeqCst);
        let instead = seen.instead.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let sent = answer(stream, &mut reader, &request, instead.as_deref());
        seen.open.fetch_sub(1, Ordering::SeqCst);
        if sent.is_none() {
            return;
        }
    }
}

fn read(reader: &mut impl BufRead) -> Option<Request> {
    let mut request = Request::default();
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|&read| read > 0)?;
    request.line = line.trim_end().trim_end_matches(" HTTP/1.1").to_owned();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        request.headers.push((name.to_ascii_lowercase(), value.to_owned()));
    }
    let length = request.header("content-length").map_or(0, |length| length.parse().expect("a number"));
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    request.body = String::from_utf8_lossy(&body).into_owned();
    Some(request)
}

/// `None` when the connection is of no more use.
fn answer(
    mut stream: &TcpStream,
    reader: &mut impl Read,
    request: &Request,
    instead: Option<&str>,
) -> Option<()> {
    let path = request.line.split(' ').nth(1).unwrap_or_default();
    let (status, kind, body): (&str, &str, Vec<u8>) = match path.rsplit('/').next().unwrap_or_default() {
        "text" => ("200 OK", "text/plain", "gr\u{fc}n \"0\"\n".into()),
        "bytes" => ("200 OK", "application/octet-stream", vec![0, 0xff, 1]),
        "fails" => ("500 Internal Server Error", "application/json", br#"{"error":"broken"}"#.to_vec()),
        "large" => ("200 OK", "text/plain", "\u{e4}".repeat(100_000).into()),
        "huge" => ("200 OK", "text/plain", vec![b'x'; 11 << 20]),
        "redirect" => ("302 Found\r\nlocation: /v1/echo", "text/plain", Vec::new()),
        "embeddings" if instead.is_some() => {
            (instead.unwrap_or_default(), "application/json", b"{}".to_vec())
        }
        "embeddings" if request.body.contains("poison") => {
            ("400 Bad Request", "application/json", br#"{"error":"poison"}"#.to_vec())
        }
        "embeddings" if request.body.contains("hangs") => {
            _ = reader.read(&mut [0; 1]);
            return None;
        }
        "embeddings" if request.body.contains("broken") => {
            ("503 Service Unavailable", "application/json", br#"{"error":"busy"}"#.to_vec())
        }
        "embeddings" if request.body.contains("nonsense") => {
            ("200 OK", "application/json", br#"{"data":[{"embedding":"base64"}]}"#.to_vec())
        }
        "embeddings" if request.body.contains("short") => {
            ("200 OK", "application/json", br#"{"data":[{"embedding":[1,0]}]}"#.to_vec())
        }
        "embeddings" => ("200 OK", "application/json", vectors(&request.body).into_bytes()),
        "sleeps" => {
            std::thread::sleep(Duration::from_secs(1));
            ("200 OK", "application/json", b"\"slept\"".to_vec())
        }
        "hangs" => {
            _ = reader.read(&mut [0; 1]);
            return None;
        }
        // Numbers that a double cannot hold come back with all their digits.
        _ => {
            let body = if request.body.is_empty() { "null" } else { &request.body };
            let text = format!(r#"{{"line":"{}","n":12345678901234567890,"body":{body}}}"#, request.line);
            ("200 OK", "application/json; charset=utf-8", text.into_bytes())
        }
    };
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: {kind}\r\nx-two: a\r\nx-two: b\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).ok()?;
    stream.write_all(&body).ok()
}

/// A vector for each text: one direction for cats and one for everything else. The model `wide` has the other way round, and a dimension more.
fn vectors(body: &str) -> String {
    let body: serde_json::Value = serde_json::from_str(body).expect("JSON");
    let wide = body["model"] == "wide";
    let texts = body["input"].as_array().expect("a list of texts");
    let items: Vec<_> = texts
        .iter()
        .enumerate()
        .map(|(index, text)| {
            let cat = text.as_str().is_some_and(|text| text.contains("cat")) != wide;
            let mut vector = if cat { vec![1.0, 0.0, 0.25] } else { vec![0.0, 1.0, 0.25] };
            vector.extend(wide.then_some(0.0));
            serde_json::json!({ "index": index, "embedding": vector })
        })
        .collect();
    serde_json::json!({ "object": "list", "data": items, "model": body["model"] }).to_string()
}
