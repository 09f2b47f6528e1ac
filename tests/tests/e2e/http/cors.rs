//! CORS: pages of configured origins.

use super::*;

const PAGE: &str = "https://app.example";

fn headers(response: &Response) -> Vec<&str> {
    let cors = |name: &str| name.to_lowercase().starts_with("access-control-");
    response.headers.iter().filter(|(name, _)| cors(name)).map(|(name, _)| name.as_str()).collect()
}

/// Proves that a page of a configured origin may ask and call, that it may read the answer whatever its status, and that
/// any other origin, and any listener without the option, answers without a word of CORS.
#[test]
fn pages_of_configured_origins_may_call() {
    let stage = stage();
    let listener = Listener::start(
        &stage.cluster,
        &stage.database.listener_url,
        &[("FLUXBASE_LISTENER_CORS_ORIGINS", PAGE)],
    );
    let ask = |listener: &Listener, path: &str, more: &[(&str, &str)]| {
        let mut all = vec![("Access-Control-Request-Method", "POST")];
        all.extend(more);
        Http::connect(listener.address).get(&format!("OPTIONS {path}"), &all)
    };
    let wanted = ("Access-Control-Request-Headers", "content-type,mcp-param-region,x-client-key,x-strange");
    let told = ask(&listener, "/mcp", &[("Origin", PAGE), wanted]);
    assert_eq!((told.status, told.body.len()), (204, 0));
    assert_eq!(told.header("access-control-allow-origin"), Some(PAGE));
    assert_eq!(told.header("access-control-allow-methods"), Some("POST"));
    assert!(told.header("vary").expect("Vary").eq_ignore_ascii_case("origin"));
    assert_eq!(told.header("access-control-allow-credentials"), None);
    let allowed: Vec<&str> =
        told.header("access-control-allow-headers").expect("a list").split(", ").collect();
    for name in
        ["content-type", "authorization", "x-client-key", "x-service-key", "mcp-name", "mcp-param-region"]
    {
        assert!(allowed.contains(&name), "{name}: {allowed:?}");
    }
    assert!(!allowed.contains(&"x-strange") && !allowed.contains(&"*"), "{allowed:?}");
    let seconds: u32 = told.header("access-control-max-age").expect("a time").parse().expect("seconds");
    assert!(seconds > 0);

    // The call itself, and what is refused: the page shall be able to read why.
    for (more, status) in [(vec![stage.a.pair()], 200), (vec![], 401), (vec![("X-Client-Key", "fbk_x")], 401)]
    {
        let mut all = vec![JSON, ("Origin", PAGE)];
        all.extend(more);
        let response = Http::connect(listener.address).post(&all, LIST);
        assert_eq!(response.status, status);
        assert_eq!(response.header("access-control-allow-origin"), Some(PAGE));
        let exposed = response.header("access-control-expose-headers").expect("some are exposed");
        assert!(
            ["x-request-id", "retry-after", "www-authenticate"].iter().all(|name| exposed.contains(name))
        );
    }

    for origin in ["https://evil.example", "http://app.example", "https://app.example.evil.example", "null"] {
        let told = ask(&listener, "/mcp", &[("Origin", origin), wanted]);
        assert_eq!((told.status, headers(&told)), (405, vec![]), "{origin}");
        let response =
            Http::connect(listener.address).post(&[JSON, stage.a.pair(), ("Origin", origin)], LIST);
        assert_eq!((response.status, headers(&response)), (403, vec![]), "{origin}");
    }
    assert_eq!(headers(&ask(&listener, "/mcp", &[])), Vec::<&str>::new(), "no origin, no CORS");
    let rebound = ask(&listener, "/mcp", &[("Origin", PAGE), ("Host", "evil.example")]);
    assert_eq!(rebound.status, 403);
    assert_eq!(ask(&listener, "/else", &[("Origin", PAGE)]).status, 404);
    let local = Http::connect(listener.address)
        .post(&[JSON, stage.a.pair(), ("Origin", "http://localhost:3000")], LIST);
    assert_eq!((local.status, headers(&local)), (200, vec![]), "allowed, but its pages may not read");

    let told = ask(&stage.listener, "/mcp", &[("Origin", PAGE)]);
    assert_eq!((told.status, headers(&told), told.header("vary")), (405, vec![], None));
}
