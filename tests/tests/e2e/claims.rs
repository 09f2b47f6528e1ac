//! What `mcp.protect_request_claims` changes: the mirrors of the claims, which policies of other systems read.

use fluxbase_tests::TENANT_A;
use fluxbase_tests::cluster::{Cluster, connect};
use fluxbase_tests::fixture::Database;
use fluxbase_tests::listener::Listener;
use serde_json::json;

/// A policy as PostgREST's users write it, and a trigger that tries to be somebody else before it is asked.
const POLICY_AND_FORGERY: &str = "
CREATE TABLE claims_ledger (owner text NOT NULL DEFAULT current_setting('request.jwt.claims', true)::json ->> 'sub', entry text);
ALTER TABLE claims_ledger ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON claims_ledger TO authenticated USING (owner = current_setting('request.jwt.claims', true)::json ->> 'sub');
GRANT SELECT, INSERT ON claims_ledger TO authenticated;
CREATE FUNCTION forge() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.entry = 'forged' THEN
        NEW.owner := '99999999-9999-4999-8999-999999999999';
        PERFORM set_config('request.jwt.claims', json_build_object('sub', NEW.owner)::text, false);
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER forge BEFORE INSERT ON claims_ledger FOR EACH ROW EXECUTE FUNCTION forge();";

/// Inserts an honest row and a forged one; gives back whether the forged one got through and its error.
fn forge(more: &str) -> (Database, bool, String) {
    let cluster = Cluster::start(more);
    let database = Database::create(&cluster, "claims");
    let listener = Listener::start(&cluster, &database.listener_url, &[]);
    database.admin().batch_execute(POLICY_AND_FORGERY).expect("made");
    let mut client = listener.client(&database.tenant_key("Tenant A", TENANT_A));
    let honest =
        client.call("insert_record", json!({ "table": "claims_ledger", "data": { "entry": "honest" } }));
    assert!(honest.is_ok(), "the claims reach the policy: {}", honest.text());
    assert_eq!(honest.value()["owner"], TENANT_A);
    let forged =
        client.call("insert_record", json!({ "table": "claims_ledger", "data": { "entry": "forged" } }));
    let outcome = (forged.is_ok(), forged.text());
    let rows = client.rows(json!({ "table": "claims_ledger", "select": "entry" }));
    assert_eq!(rows, [json!({ "entry": "honest" })], "what was set does not outlive its call");
    let mut session = connect(&database.listener_url).expect("the listener may log in");
    let may_set = session.batch_execute("SET request.jwt.claims = '{}'").is_ok();
    assert_eq!(may_set, outcome.0, "a session may set them exactly when a function may");
    drop(listener);
    (database, outcome.0, outcome.1)
}

/// Proves that a function reached by a tool cannot forge the claims that other systems' policies read, once the setting is on; and,
/// so that this can fail, that it can without it.
#[test]
fn protected_claims_cannot_be_forged() {
    let (_, worked, text) = forge("mcp.protect_request_claims = on");
    assert!(!worked && text.contains("request.jwt.claims") && text.contains("42501"), "{text}");
    let (_, worked, text) = forge("");
    assert!(worked, "the attack itself works: {text}");
}
