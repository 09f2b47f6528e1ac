//! CORS: lets the pages of the configured origins call this server from a browser (Fetch Standard, section 3.2).
//!
//! An origin is compared byte for byte with the list, and is the only one that is ever named in an answer: never `*`. Cookies play
//! no part here, so credentials are not allowed; a page sends its key in a header. For any other origin nothing is added, and
//! the browser keeps the answer from the page.
//!
//! It does not refuse anything: which origins may call at all is decided in `origin.rs`, to which the list is given, too.

use hyper::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
    ACCESS_CONTROL_REQUEST_METHOD, HeaderMap, HeaderValue, ORIGIN, VARY,
};
use hyper::{Method, Request, StatusCode};

use crate::reply::{self, Reply};

/// What a page may always send.
const HEADERS: &str = "content-type, authorization, x-client-key, x-service-key, mcp-protocol-version, mcp-method, mcp-name, mcp-session-id";
/// What a page may read of an answer besides the few that it always may.
const EXPOSED: &str = "x-request-id, retry-after, www-authenticate";
/// How long a browser need not ask again, in seconds: as long as Firefox keeps it at most.
const MAX_AGE: &str = "86400";
/// Bound of further `mcp-…` names that one preflight may ask for.
const FURTHER: usize = 32;

/// The origins whose pages may read answers.
#[derive(Debug, Clone)]
pub(crate) struct Cors(Vec<HeaderValue>);

impl Cors {
    /// From `cors_origins`, which the configuration has checked.
    pub(crate) fn new(origins: &[String]) -> Cors {
        Cors(origins.iter().filter_map(|origin| origin.parse().ok()).collect())
    }

    /// The origin of the request, if it is one of ours.
    pub(crate) fn origin(&self, headers: &HeaderMap) -> Option<HeaderValue> {
        if self.0.is_empty() {
            return None;
        }
        let mut values = headers.get_all(ORIGIN).iter();
        let (origin, None) = (values.next()?, values.next()) else { return None };
        self.0.contains(origin).then(|| origin.clone())
    }

    /// Lets `origin` read the answer. Says in any case that answers depend on the origin.
    pub(crate) fn open(&self, reply: &mut Reply, origin: Option<HeaderValue>) {
        if self.0.is_empty() {
            return;
        }
        let headers = reply.headers_mut();
        headers.append(VARY, HeaderValue::from_static("origin"));
        let Some(origin) = origin else { return };
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED));
    }
}

/// Whether the request is a browser's question before the real one.
pub(crate) fn is_preflight<B>(request: &Request<B>) -> bool {
    request.method() == Method::OPTIONS && request.headers().contains_key(ACCESS_CONTROL_REQUEST_METHOD)
}

/// The answer to such a question of an origin that may call.
pub(crate) fn preflight(headers: &HeaderMap) -> Reply {
    let mut reply = reply::empty(StatusCode::NO_CONTENT);
    let allow = reply.headers_mut();
    allow.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("POST"));
    allow.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static(MAX_AGE));
    let mut names = HEADERS.to_owned();
    // The names of further headers of the protocol (Mcp-Param-…) hang on the tool, and no pattern can stand here.
    for name in further(headers).take(FURTHER) {
        names.push_str(", ");
        names.push_str(&name);
    }
    if let Ok(names) = names.parse() {
        allow.insert(ACCESS_CONTROL_ALLOW_HEADERS, names);
    }
    reply
}

/// The `mcp-…` names among those that the page wants to send.
fn further(headers: &HeaderMap) -> impl Iterator<Item = String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    let asked =
        headers.get_all(ACCESS_CONTROL_REQUEST_HEADERS).iter().filter_map(|value| value.to_str().ok());
    let names = asked.flat_map(|value| value.split(',')).map(|name| name.trim().to_ascii_lowercase());
    names.filter(move |name| {
        name.starts_with("mcp-") && name.chars().all(plain) && !HEADERS.contains(name.as_str())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(origins: &[&'static str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for origin in origins {
            headers.append(ORIGIN, HeaderValue::from_static(origin));
        }
        headers
    }

    #[test]
    fn only_the_exact_origin_is_named() {
        let cors = Cors::new(&["https://app.example".to_owned(), "http://localhost:5173".to_owned()]);
        for origin in ["https://app.example", "http://localhost:5173"] {
            assert_eq!(cors.origin(&request(&[origin])).unwrap(), origin);
        }
        for origin in [
            "https://app.example.evil.example",
            "https://evil.example",
            "http://app.example",
            "https://app.example:8443",
            "https://APP.example",
            "https://app.example/",
            "http://localhost:5174",
            "null",
            "*",
            "",
        ] {
            assert_eq!(cors.origin(&request(&[origin])), None, "{origin}");
        }
        assert_eq!(cors.origin(&request(&["https://app.example", "https://app.example"])), None);
        assert_eq!(cors.origin(&request(&[])), None);
        assert_eq!(Cors::new(&[]).origin(&request(&["https://app.example"])), None);
    }

    #[test]
    fn an_answer_depends_on_the_origin_only_where_there_is_a_list() {
        let answer = |origins: &[String], origin: &'static str| {
            let cors = Cors::new(origins);
            let mut reply = reply::empty(StatusCode::OK);
            cors.open(&mut reply, cors.origin(&request(&[origin])));
            reply.headers().clone()
        };
        let list = ["https://app.example".to_owned()];
        let (ours, other) = (answer(&list, "https://app.example"), answer(&list, "https://evil.example"));
        assert_eq!(ours[ACCESS_CONTROL_ALLOW_ORIGIN], "https://app.example");
        assert_eq!((&ours[VARY], &other[VARY], other.len()), (&ours[VARY], &ours[VARY], 1));
        assert!(answer(&[], "https://app.example").is_empty());
    }

    #[test]
    fn a_preflight_allows_the_headers_of_the_protocol_and_no_others() {
        let mut headers = request(&["https://app.example"]);
        let asked = "content-type, Mcp-Param-Region, mcp-evil\u{7f}, cookie, x-other,mcp-name";
        headers.append(
            ACCESS_CONTROL_REQUEST_HEADERS,
            HeaderValue::from_bytes(asked.replace('\u{7f}', "(").as_bytes()).unwrap(),
        );
        let reply = preflight(&headers);
        assert_eq!(
            (reply.status(), &reply.headers()[ACCESS_CONTROL_ALLOW_METHODS]),
            (StatusCode::NO_CONTENT, &HeaderValue::from_static("POST"))
        );
        assert_eq!(reply.headers()[ACCESS_CONTROL_ALLOW_HEADERS], format!("{HEADERS}, mcp-param-region"));
        let many: String = (0..1000).map(|n| format!("mcp-{n},")).collect();
        headers.insert(ACCESS_CONTROL_REQUEST_HEADERS, many.parse().unwrap());
        let allowed =
            preflight(&headers).headers()[ACCESS_CONTROL_ALLOW_HEADERS].to_str().unwrap().split(',').count();
        assert_eq!(allowed, HEADERS.split(',').count() + FURTHER);
    }
}
