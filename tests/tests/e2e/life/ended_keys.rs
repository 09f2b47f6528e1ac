//! Keys that end while they are used.

use super::*;

/// What a key is called, its role, and how it ends.
type Ending<'a> = (&'a str, &'a str, &'a dyn Fn(&Key));

/// Proves that a revoked key is refused by the very next request on every kept connection, on every backend and on two
/// listeners, and a rotated one, and one whose role is no longer allowed.
#[test]
fn a_revoked_key_is_refused_everywhere_at_once() {
    let stage = stage();
    let second = start(&[]);
    let cli = |arguments: &[&str]| {
        let output = fluxbase_tests::keys::cli_output(&stage.database.admin_url, arguments);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    };
    stage
        .database
        .admin()
        .batch_execute("CREATE ROLE short_lived NOLOGIN; SELECT mcp.allow_role('short_lived')")
        .expect("made");
    let end: [Ending<'_>; 3] = [
        ("revoked", "authenticated", &|key| drop(cli(&["clientkeys", "revoke", &key.id]))),
        ("rotated", "authenticated", &|key| {
            let told: Value =
                serde_json::from_slice(&cli(&["clientkeys", "rotate", &key.id, "--json"])).expect("JSON");
            let new = Key::of(told["key"].as_str().expect("a key"));
            assert_eq!(
                stage.listener.client(&new).request("ping", json!({})).status,
                200,
                "the new key works"
            );
        }),
        ("disallowed", "short_lived", &|_| {
            stage
                .database
                .admin()
                .batch_execute("SELECT mcp.disallow_role('short_lived')")
                .expect("disallowed");
        }),
    ];
    for (name, role, end) in end {
        let key = stage.database.client_key(&["--name", name, "--scopes", "read:tables", "--role", role]);
        let mut clients: Vec<Client> =
            (0..6).flat_map(|_| [stage.listener.client(&key), second.client(&key)]).collect();
        for client in &mut clients {
            assert_eq!(client.request("tools/list", json!({})).status, 200, "{name}");
        }
        end(&key);
        for client in &mut clients {
            let response = client.request("tools/list", json!({}));
            assert_eq!((response.status, response.code()), (401, -32005), "{name}: {}", response.text());
        }
    }
}

/// Proves the grace period of a rotation: both keys work, then only the new one does.
#[test]
fn a_rotated_key_has_its_grace() {
    let stage = stage();
    let old =
        stage.database.client_key(&["--name", "graceful", "--scopes", "read:tables", "--user", TENANT_A]);
    let output = fluxbase_tests::keys::cli_output(
        &stage.database.admin_url,
        &["clientkeys", "rotate", "graceful", "--grace", "2s", "--json"],
    );
    let told: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let new = Key::of(told["key"].as_str().expect("a key"));
    let (mut old, mut new) = (stage.listener.client(&old), stage.listener.client(&new));
    assert_eq!(old.request("ping", json!({})).status, 200);
    let rows = new.rows(json!({ "table": "notes", "select": "user_id", "limit": 1 }));
    assert_eq!(rows, [json!({ "user_id": TENANT_A })], "it has the rights of the old one");
    eventually(Duration::from_secs(5), "the grace period ends", || {
        (old.request("ping", json!({})).status == 401).then_some(())
    });
    assert_eq!(new.request("ping", json!({})).status, 200);
}
