//! Starts a whole server, writes one line of JSON that says how to reach it, and runs until its standard input closes.
//!
//! For the real clients in `tests/clients`: `{"url", "tenant_a": {"user", "key"}, "tenant_b": {…}, "service_key", "rpc_key", "stdio":
//! {"program", "database_url"}}`. The key `rpc_key` sees `query_table`, `list_tables`, `describe_table` and the registered tool `count_up`, which
//! tells its progress three times.

use std::io::Read;

use fluxbase_tests::settings::settings;
use fluxbase_tests::{Stage, TENANT_A, TENANT_B};
use serde_json::json;

const COUNT_UP: &str = "
    CREATE FUNCTION public.count_up() RETURNS text LANGUAGE plpgsql AS $$
    BEGIN
        FOR n IN 1..3 LOOP PERFORM mcp.progress(n, 3, 'step ' || n); END LOOP;
        -- The TypeScript clients forget who is to be told when progress and answer come in one read.
        PERFORM pg_sleep(0.5);
        RETURN 'counted to 3';
    END $$;
    REVOKE EXECUTE ON FUNCTION public.count_up() FROM PUBLIC;
    GRANT EXECUTE ON FUNCTION public.count_up() TO authenticated;
    SELECT mcp.register_tool('count_up', 'public.count_up()', 'Count to three.');
";

fn main() {
    let stage = Stage::start();
    let database = &stage.database;
    database.admin().batch_execute(COUNT_UP).expect("a tool is registered");
    let rpc = database.client_key(&[
        "--name",
        "Registered tools",
        "--user",
        TENANT_A,
        "--scopes",
        "read:tables,read:schema,execute:rpc",
    ]);
    println!(
        "{}",
        json!({
            "url": format!("http://{}/mcp", stage.listener.address),
            "tenant_a": { "user": TENANT_A, "key": stage.a.plain },
            "tenant_b": { "user": TENANT_B, "key": stage.b.plain },
            "service_key": stage.service.plain,
            "rpc_key": rpc.plain,
            "stdio": { "program": settings().fluxbase, "database_url": database.listener_url },
        })
    );
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
}
