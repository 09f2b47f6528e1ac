//! An MCP client that can be any client: the era of its messages is a choice.

use std::net::SocketAddr;

use serde_json::{Value, json};

use crate::http::{Http, Response};
use crate::keys::Key;

/// How a message names its protocol version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Era {
    /// Not at all, as the user's curl lines.
    Plain,
    /// By the header, after a handshake.
    Legacy(&'static str),
    /// By header and `_meta`: 2026-07-28.
    Modern,
}

/// The newest revision.
pub const LATEST: &str = "2026-07-28";

/// Where a request declares what its client can do.
pub const CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";

/// One client with one kept connection.
#[derive(Debug)]
pub struct Client {
    server: SocketAddr,
    http: Option<Http>,
    key: Key,
    era: Era,
    next: u64,
}

/// An answer to `tools/call`.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The HTTP response.
    pub response: Response,
}

impl Client {
    /// A client of `server` that sends `key` in the header of its kind.
    pub fn new(server: SocketAddr, key: &Key) -> Client {
        Client { server, http: None, key: key.clone(), era: Era::Plain, next: 1 }
    }

    /// The same in another era.
    pub fn era(mut self, era: Era) -> Client {
        self.era = era;
        self
    }

    /// The connection, opened now if there is none.
    pub fn http(&mut self) -> &mut Http {
        let server = self.server;
        self.http.get_or_insert_with(|| Http::connect(server))
    }

    /// Sends a request and reads the answer.
    pub fn request(&mut self, method: &str, params: Value) -> Response {
        self.send(method, params);
        self.http().receive()
    }

    /// Sends a request and leaves the answer unread.
    pub fn send(&mut self, method: &str, params: Value) {
        let id = self.next;
        self.next += 1;
        let (headers, body) = message(self.era, id, method, params);
        let key = self.key.clone();
        let mut all = vec![("Content-Type", "application/json"), (key.header, key.plain.as_str())];
        all.extend(headers.iter().map(|(name, value)| (*name, value.as_str())));
        self.http().send_request("POST /mcp", &all, body.as_bytes()).expect("the request can be sent");
    }

    /// Sends `tools/call` and reads the answer.
    pub fn call(&mut self, tool: &str, arguments: Value) -> Answer {
        Answer { response: self.request("tools/call", json!({ "name": tool, "arguments": arguments })) }
    }

    /// The rows of `query_table`.
    pub fn rows(&mut self, arguments: Value) -> Vec<Value> {
        match self.call("query_table", arguments).value() {
            Value::Array(rows) => rows,
            other => panic!("rows are an array, not {other}"),
        }
    }
}

/// The headers and the body of a request in an era.
pub fn message(era: Era, id: u64, method: &str, mut params: Value) -> (Vec<(&'static str, String)>, String) {
    let mut headers = Vec::new();
    match era {
        Era::Plain => {}
        Era::Legacy(version) => headers.push(("MCP-Protocol-Version", version.to_owned())),
        Era::Modern => {
            headers.push(("MCP-Protocol-Version", LATEST.to_owned()));
            headers.push(("Mcp-Method", method.to_owned()));
            if let Some(name) =
                params["name"].as_str().or(params["uri"].as_str()).or(params["taskId"].as_str())
            {
                headers.push(("Mcp-Name", name.to_owned()));
            }
            // What a test declares is kept.
            let declared = params["_meta"][CAPABILITIES].take();
            params["_meta"] = meta(LATEST);
            if !declared.is_null() {
                params["_meta"][CAPABILITIES] = declared;
            }
        }
    }
    (headers, json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }).to_string())
}

/// The `_meta` that every modern request has.
pub fn meta(version: &str) -> Value {
    json!({
        "io.modelcontextprotocol/protocolVersion": version,
        "io.modelcontextprotocol/clientCapabilities": {},
        "io.modelcontextprotocol/clientInfo": { "name": "fluxbase_tests", "version": "0" },
    })
}

impl Answer {
    /// The HTTP status.
    pub fn status(&self) -> u16 {
        self.response.status
    }

    /// Whether the tool answered without an error.
    pub fn is_ok(&self) -> bool {
        self.status() == 200 && self.response.json()["result"]["isError"] == json!(false)
    }

    /// The first text of the content.
    pub fn text(&self) -> String {
        let body = self.response.json();
        body["result"]["content"][0]["text"]
            .as_str()
            .unwrap_or_else(|| panic!("no content: {} {body}", self.status()))
            .to_owned()
    }

    /// The text as JSON, of an answer that must not be an error.
    pub fn value(&self) -> Value {
        assert!(self.is_ok(), "{} {}", self.status(), self.response.text());
        serde_json::from_str(&self.text()).expect("the text is JSON")
    }

    /// The text of an answer that must be a tool's error.
    pub fn error(&self) -> String {
        assert_eq!(self.status(), 200, "{}", self.response.text());
        assert_eq!(self.response.json()["result"]["isError"], json!(true), "{}", self.response.text());
        self.text()
    }
}
