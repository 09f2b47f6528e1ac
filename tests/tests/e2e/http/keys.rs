//! The key of a request: where it may stand, and every way in which it is refused.

use super::*;

/// Proves that every way of having no usable key is 401 with the JSON-RPC body, the request's id and a challenge, and that
/// the text tells which header to set, and never repeats the key.
#[test]
fn a_missing_or_wrong_key_is_401() {
    let stage = stage();
    let unknown = unknown_key(fluxbase_credential::Kind::Client);
    let mut mistyped = stage.a.plain.clone();
    mistyped.replace_range(30..31, if &mistyped[30..31] == "x" { "y" } else { "x" });
    let bearer = |value: &str| ("Authorization", format!("Bearer {value}"));
    let cases: Vec<Vec<(&str, String)>> = vec![
        vec![],
        vec![("X-Client-Key", String::new())],
        vec![("X-Client-Key", "your-client-key".to_owned())],
        vec![("X-Client-Key", mistyped.clone())],
        vec![("X-Client-Key", stage.a.plain[..71].to_owned())],
        vec![("X-Client-Key", format!("{}0", stage.a.plain))],
        vec![("X-Client-Key", stage.a.plain.to_uppercase())],
        vec![("X-Client-Key", unknown.plain.clone())],
        vec![("X-Client-Key", stage.service.plain.clone())],
        vec![("X-Service-Key", stage.a.plain.clone())],
        vec![("X-Service-Key", unknown_key(fluxbase_credential::Kind::Service).plain)],
        vec![bearer("")],
        vec![bearer(&unknown.plain)],
        vec![("Authorization", format!("Basic {}", stage.a.plain))],
        vec![("Authorization", stage.a.plain.clone())],
        vec![("Cookie", format!("X-Client-Key={}", stage.a.plain))],
    ];
    for case in cases {
        let headers: Vec<(&str, &str)> = case.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let response = list_with(&headers);
        is_error(&response, 401, -32005, json!(1));
        let challenge = response.header("www-authenticate").expect("a challenge");
        assert!(challenge.starts_with("Bearer"), "{challenge}");
        let message = response.message();
        assert!(
            message.contains("X-Client-Key")
                || message.contains("X-Service-Key")
                || message.contains("Bearer"),
            "{message}"
        );
        for (_, value) in headers.iter().filter(|(_, value)| value.len() > 20) {
            assert!(!response.text().contains(value), "the key is not repeated");
        }
    }
}

/// Proves that a key in a query string is no key.
#[test]
fn a_key_in_the_url_is_not_read() {
    let mut http = connect();
    let line = format!("POST /mcp?X-Client-Key={}", stage().a.plain);
    http.send_request(&line, &[JSON], LIST).expect("sent");
    is_error(&http.receive(), 401, -32005, json!(1));
}

/// Proves that a revoked key and an expired key are refused like an unknown one: nothing tells them apart.
#[test]
fn revoked_and_expired_keys_are_refused_alike() {
    let stage = stage();
    let revoked = stage.database.client_key(&["--name", "to revoke", "--scopes", "read:tables"]);
    let expiring =
        stage.database.client_key(&["--name", "to expire", "--scopes", "read:tables", "--expires", "2s"]);
    assert_eq!(list_with(&[revoked.pair()]).status, 200);
    assert_eq!(list_with(&[expiring.pair()]).status, 200);
    let done =
        fluxbase_tests::keys::cli_output(&stage.database.admin_url, &["clientkeys", "revoke", &revoked.id]);
    assert!(done.status.success());
    let refused = list_with(&[revoked.pair()]);
    is_error(&refused, 401, -32005, json!(1));
    let expired = eventually(Duration::from_secs(5), "the key expires", || {
        Some(list_with(&[expiring.pair()])).filter(|response| response.status != 200)
    });
    let unknown = list_with(&[unknown_key(fluxbase_credential::Kind::Client).pair()]);
    assert_eq!(expired.text(), refused.text());
    assert_eq!(unknown.text(), refused.text());
}

/// Proves that both kinds of keys may come as `Authorization: Bearer`, with any case of the scheme, and that another scheme
/// beside a key header, as a proxy may send, does no harm.
#[test]
fn bearer_takes_both_kinds() {
    let stage = stage();
    for key in [&stage.a, &stage.service] {
        for scheme in ["Bearer", "bearer", "BEARER"] {
            assert_eq!(
                list_with(&[("Authorization", &format!("{scheme} {}", key.plain))]).status,
                200,
                "{scheme}"
            );
        }
        assert_eq!(list_with(&[key.pair(), ("Authorization", "Basic dTpw")]).status, 200);
        assert_eq!(
            list_with(&[(&key.header.to_uppercase(), &key.plain)]).status,
            200,
            "names of headers have no case"
        );
    }
}

/// Proves that two keys in one request are refused, whichever they are, even if both are right.
#[test]
fn two_keys_are_refused() {
    let stage = stage();
    let bearer = ("Authorization", format!("Bearer {}", stage.a.plain));
    let bearer = (bearer.0, bearer.1.as_str());
    for headers in [
        [stage.a.pair(), stage.a.pair()],
        [stage.a.pair(), stage.b.pair()],
        [stage.a.pair(), stage.service.pair()],
        [stage.service.pair(), stage.service.pair()],
        [stage.a.pair(), bearer],
        [bearer, bearer],
        [stage.service.pair(), bearer],
    ] {
        let response = list_with(&headers);
        is_error(&response, 400, -32005, json!(1));
        assert!(response.message().contains("more than one key"), "{}", response.message());
    }
}
