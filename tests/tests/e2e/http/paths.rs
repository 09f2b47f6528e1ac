//! Paths and methods, and what hosts that look for OAuth are told.

use super::*;

/// Proves that a GET, DELETE, … of the endpoint is 405 with `Allow: POST`, also for a right key, and without CORS headers.
#[test]
fn other_methods_are_405() {
    for method in ["GET", "DELETE", "PUT", "HEAD", "OPTIONS", "PATCH", "TRACE", "BREW"] {
        for headers in [vec![], vec![stage().a.pair(), ("Origin", "http://evil.example")]] {
            let response = connect().get(&format!("{method} /mcp"), &headers);
            assert_eq!(response.status, 405, "{method}");
            assert_eq!(response.header("allow"), Some("POST"), "{method}");
            assert!(
                !response.headers.iter().any(|(name, _)| name.to_lowercase().starts_with("access-control"))
            );
        }
    }
    let response = connect().get("POST /mcp/health", &[]);
    assert_eq!((response.status, response.header("allow")), (405, Some("GET, HEAD")));
    assert_eq!(connect().get("HEAD /mcp/health", &[]).status, 200);
}

/// Proves what a person reads when a host looks for OAuth: 404 everywhere, never HTML, with the header to set.
#[test]
fn hosts_that_look_for_oauth_learn_which_header_to_set() {
    for path in [
        "/.well-known/oauth-protected-resource/mcp",
        "/.well-known/oauth-protected-resource",
        "/.well-known/oauth-authorization-server",
        "/.well-known/oauth-authorization-server/mcp",
        "/.well-known/openid-configuration",
        "/mcp/.well-known/openid-configuration",
    ] {
        let response = connect().get(&format!("GET {path}"), &[]);
        assert_eq!(response.status, 404, "{path}");
        let text = response.text();
        assert!(!text.to_lowercase().contains("<html"), "{text}");
        if path.starts_with("/.well-known/") {
            assert_eq!(response.header("content-type"), Some("application/json"), "{path}");
            response.json();
            assert!(text.contains("X-Client-Key"), "{text}");
        }
    }
    let mut http = connect();
    http.send_request("POST /register", &[JSON], b"{\"redirect_uris\":[]}").expect("sent");
    let response = http.receive();
    assert_eq!(response.status, 404);
    assert!(response.text().contains("X-Client-Key") && response.text().len() < 400, "{}", response.text());
}

/// Proves that other paths are 404 and say where the endpoint is, and that a path is compared, not guessed.
#[test]
fn other_paths_are_404() {
    for path in
        ["/", "/mcpx", "/mcp/x", "/MCP", "//mcp", "/mcp//", "/mcp/../mcp", "/%6dcp", "/health", "/mcp%00"]
    {
        let mut http = connect();
        http.send_request(&format!("POST {path}"), &[JSON, stage().a.pair()], LIST).expect("sent");
        let response = http.receive();
        assert_eq!(response.status, 404, "{path}");
        assert!(response.text().contains("/mcp"), "{path}: {}", response.text());
    }
    for path in ["/mcp", "/mcp/", "/mcp?x=1"] {
        let mut http = connect();
        http.send_request(&format!("POST {path}"), &[JSON, stage().a.pair()], LIST).expect("sent");
        assert_eq!(http.receive().status, 200, "{path}");
    }
}
