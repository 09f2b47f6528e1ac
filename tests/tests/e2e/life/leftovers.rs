//! What a call may leave behind on its connection, kind by kind: the next call, of another key, finds nothing of it.
//!
//! One connection serves all. A registered function of the weakest kind, which runs any statement that it is given, stands for
//! whatever a DBA may register. Each look is first tried on a plain session, where it must see what was left: so it can see it.

use fluxbase_tests::TENANT_B;
use fluxbase_tests::mcp::Answer;

use super::*;

const TOOLS: &str = "
    CREATE FUNCTION public.attempt(statement text, fails boolean DEFAULT false) RETURNS text LANGUAGE plpgsql VOLATILE AS $$
    DECLARE
        told text := 'done';
    BEGIN
        IF statement ~* '^select ' THEN
            EXECUTE statement INTO told;
        ELSE
            EXECUTE statement;
        END IF;
        IF fails THEN
            RAISE EXCEPTION 'made to fail';
        END IF;
        RETURN coalesce(told, 'NULL');
    END $$;
    CREATE PROCEDURE public.commits() LANGUAGE plpgsql AS $$ BEGIN COMMIT; END $$;
    CREATE SEQUENCE public.numbers;
    GRANT ALL ON SEQUENCE public.numbers TO authenticated;
    CREATE TABLE public.held (id int);
    GRANT ALL ON public.held TO authenticated;
    CREATE EXTENSION dblink;
    GRANT TEMP ON DATABASE app TO authenticated;
    GRANT SET ON PARAMETER session_replication_role TO authenticated;
    SELECT mcp.register_tool('attempt', 'public.attempt(text, boolean)', 'Try a statement.');
    SELECT mcp.register_tool('attempt_reading', 'public.attempt(text, boolean)', 'Try a statement.', annotations => '{\"readOnlyHint\": true}');
";

/// A kind of leftover.
struct Kind {
    /// What tries to leave it.
    leave: String,
    /// What tells whether it is there.
    look: String,
    /// Whether a plain session keeps it after COMMIT, so that the look can be proved. The others end with the transaction, or
    /// are refused to ordinary roles anyway.
    stays: bool,
    /// Whether the connection is given up for it.
    spends: bool,
}

fn kinds(remote: &str, random: &str) -> Vec<Kind> {
    let kind = |leave: &str, look: &str, stays, spends| Kind {
        leave: leave.to_owned(),
        look: format!("SELECT {look}"),
        stays,
        spends,
    };
    let setting = |leave: &str, name: &str, stays| {
        kind(leave, &format!("nullif(current_setting('{name}', true), '')"), stays, false)
    };
    let stays = |leave: &str, look: &str| kind(leave, look, true, false);
    let ends = |leave: &str, look: &str| kind(leave, look, false, false);
    let spends = |leave: &str, look: &str| kind(leave, look, true, true);
    let locks = "count(*) FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'advisory'";
    let cursors = "string_agg(name, ',') FROM pg_cursors WHERE name ~ 'left'";
    let temporary = "count(*) FROM pg_class WHERE relnamespace = pg_my_temp_schema()";
    vec![
        // Settings.
        setting("SET work_mem = '9MB'", "work_mem", true),
        setting("SET LOCAL work_mem = '9MB'", "work_mem", false),
        setting("SELECT set_config('work_mem', '9MB', false)", "work_mem", true),
        setting("SET my.x = 'theirs'", "my.x", true),
        setting("SET LOCAL my.x = 'theirs'", "my.x", false),
        setting("SELECT set_config('my.y', 'theirs', false)", "my.y", true),
        setting("SET search_path = evil", "search_path", true),
        setting("SET statement_timeout = 12345", "statement_timeout", true),
        setting("SET idle_session_timeout = 12345", "idle_session_timeout", true),
        setting("SET row_security = off", "row_security", true),
        setting("SET DateStyle = German", "DateStyle", true),
        setting("SET TimeZone = 'Asia/Tokyo'", "TimeZone", true),
        setting("SET session_replication_role = replica", "session_replication_role", true),
        setting(
            "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY",
            "default_transaction_read_only",
            true,
        ),
        setting("SET TRANSACTION READ ONLY", "transaction_read_only", false),
        setting("SET request.jwt.claims = '{\"sub\":\"forged\"}'", "request.jwt.claims", true),
        setting("SELECT set_config('mcp.claims', '{\"sub\":\"forged\"}', false)", "mcp.claims", false),
        setting("SET client_min_messages = debug5", "client_min_messages", true),
        setting("RESET ALL", "search_path", false),
        // Who one is.
        stays("SET ROLE service_role", "current_user"),
        ends("SET LOCAL ROLE service_role", "current_user"),
        stays("SELECT set_config('role', 'service_role', false)", "current_user"),
        stays("SET SESSION AUTHORIZATION service_role", "session_user"),
        // Locks.
        stays("SELECT pg_advisory_lock(4711)", locks),
        stays("SELECT pg_advisory_lock_shared(4711)", locks),
        stays("SELECT pg_try_advisory_lock(47, 11)", locks),
        ends("SELECT pg_advisory_xact_lock(4711)", locks),
        ends("SELECT pg_advisory_xact_lock_shared(4711)", locks),
        ends(
            "LOCK TABLE public.held",
            "count(*) FROM pg_locks WHERE pid = pg_backend_pid() AND relation = 'public.held'::regclass",
        ),
        // Cursors.
        stays("DECLARE left_held CURSOR WITH HOLD FOR SELECT 1", cursors),
        ends("DECLARE left_plain CURSOR FOR SELECT 1", cursors),
        ends("DO $x$ DECLARE c refcursor := 'left_ref'; BEGIN OPEN c FOR SELECT 1; END $x$", cursors),
        // Prepared statements.
        stays(
            "PREPARE left_prepared AS SELECT 1",
            "string_agg(name, ',') FROM pg_prepared_statements WHERE from_sql",
        ),
        ends("DEALLOCATE ALL", "'the statement of the listener is still there'"),
        ends("DISCARD PLANS", "'still there'"),
        ends("DISCARD ALL", "'still there'"),
        // Temporary objects. Those that Postgres does not refuse end with the connection.
        stays("CREATE TEMP TABLE left_table (x int)", temporary),
        stays("CREATE TEMP VIEW left_view AS SELECT 1", temporary),
        stays("CREATE TEMP SEQUENCE left_sequence", temporary),
        stays("CREATE TABLE pg_temp.left_table (x int)", temporary),
        stays("CREATE TEMP TABLE left_table AS SELECT 1 AS x", temporary),
        spends(
            "CREATE FUNCTION pg_temp.left_function() RETURNS int LANGUAGE sql AS 'SELECT 1'",
            "count(*) FROM pg_proc WHERE pronamespace = pg_my_temp_schema()",
        ),
        spends(
            "CREATE DOMAIN pg_temp.left_domain AS int",
            "count(*) FROM pg_type WHERE typnamespace = pg_my_temp_schema()",
        ),
        // What is told at COMMIT.
        stays("LISTEN left_channel", "string_agg(c, ',') FROM pg_listening_channels() AS c"),
        ends("UNLISTEN *", "string_agg(c, ',') FROM pg_listening_channels() AS c"),
        // What functions of Postgres remember.
        stays("SELECT nextval('public.numbers') > 0", "lastval() > 0"),
        stays("SELECT nextval('public.numbers') > 0", "currval('public.numbers') > 0"),
        stays("SELECT setseed(0.42)", &format!("random()::text = '{random}'")),
        ends("SELECT lo_open(lo_create(0), 131072)", "loread(0, 1)"),
        // Connections of connections.
        spends(
            &format!("SELECT dblink_connect('left_named', '{remote}')"),
            "array_to_string(dblink_get_connections(), ',')",
        ),
        spends(&format!("SELECT dblink_connect('{remote}')"), "x FROM dblink('SELECT 1') AS t(x int)"),
        // The transaction itself.
        ends("COMMIT", "pg_current_xact_id_if_assigned() IS NULL"),
        ends("ROLLBACK", "pg_current_xact_id_if_assigned() IS NULL"),
        ends("BEGIN", "pg_current_xact_id_if_assigned() IS NULL"),
        ends("SAVEPOINT left_savepoint", "pg_current_xact_id_if_assigned() IS NULL"),
        ends("CALL public.commits()", "pg_current_xact_id_if_assigned() IS NULL"),
        ends("PREPARE TRANSACTION 'left'", "count(*) FROM pg_prepared_xacts"),
        ends("SET CONSTRAINTS ALL DEFERRED", "'ends with the transaction'"),
    ]
}

/// What came of a call: the tool's text, or its error's first line.
fn told(answer: &Answer) -> String {
    assert_eq!(answer.status(), 200, "{}", answer.response.text());
    answer.text().lines().next().unwrap_or_default().to_owned()
}

/// A cluster with the tools, and a listener that has one connection.
struct Stage {
    cluster: Cluster,
    database: Database,
    listener: Listener,
}

impl Stage {
    fn new() -> Stage {
        let cluster = Cluster::start("");
        let database = Database::create(&cluster, "app");
        database.admin().batch_execute(TOOLS).expect("the tools are registered");
        let one = [("FLUXBASE_LISTENER_POOL_SIZE", "1"), ("FLUXBASE_LISTENER_RESERVED_CONNECTIONS", "0")];
        let listener = Listener::start(&cluster, &database.listener_url, &one);
        Stage { cluster, database, listener }
    }

    fn client(&self, name: &str, user: &str) -> Client {
        let scopes = "read:tables,write:tables,execute:rpc";
        self.listener.client(&self.database.client_key(&["--name", name, "--user", user, "--scopes", scopes]))
    }
}

fn attempt(client: &mut Client, tool: &str, statement: &str, fails: bool) -> String {
    told(&client.call(tool, json!({ "statement": statement, "fails": fails })))
}

fn backend(client: &mut Client) -> String {
    attempt(client, "attempt", "SELECT pg_backend_pid()", false)
}

/// Proves, for every kind that anybody thought of, that neither a writing nor a reading call, one that succeeds or one that fails,
/// leaves anything that a call of another key finds; and that the same backend answers it, unless a new one had to.
#[test]
fn nothing_of_a_call_is_left_for_the_next() {
    let stage = Stage::new();
    let mut admin = stage.database.admin();
    admin.execute("SELECT setseed(0.42)", &[]).expect("seeded");
    let random: String = admin.query_one("SELECT random()::text", &[]).expect("random").get(0);
    let (mut one, mut other) = (stage.client("one", TENANT_A), stage.client("other", TENANT_B));
    let mut wrong = Vec::new();
    for Kind { leave, look, stays, spends } in kinds(&remote(&stage.database), &random) {
        // On a plain session the look sees it.
        let mut plain = stage.database.admin();
        plain.batch_execute("SET ROLE authenticated").expect("a superuser becomes anybody");
        let mut see = |statement: &str| match plain.query_one("SELECT public.attempt($1)", &[&statement]) {
            Ok(row) => row.get::<_, String>(0),
            Err(error) => error.as_db_error().map_or_else(|| error.to_string(), |e| e.message().to_owned()),
        };
        let before = see(&look);
        let came = see(&leave);
        if stays && see(&look) == before {
            wrong.push(format!("{leave}: a plain session should show it ({before}, {came}) to {look}"));
        }
        // Its locks would stand in the way.
        drop(plain);
        let clean =
            ["attempt", "attempt_reading"].map(|tool| (tool, attempt(&mut other, tool, &look, false)));
        for (tool, fails) in
            [("attempt", false), ("attempt", true), ("attempt_reading", false), ("attempt_reading", true)]
        {
            let at = format!("{leave} by {tool}, fails: {fails}");
            let first = backend(&mut other);
            let came = attempt(&mut one, tool, &leave, fails);
            eventually(Duration::from_secs(5), &format!("the backend rests after {at}"), || {
                let sql = "SELECT count(*) FILTER (WHERE state <> 'idle') FROM pg_stat_activity WHERE application_name = $1";
                let busy: i64 = admin.query_one(sql, &[&stage.listener.application()]).expect("read").get(0);
                (busy == 0).then_some(())
            });
            let second = backend(&mut other);
            for (tool, clean) in &clean {
                let after = attempt(&mut other, tool, &look, false);
                if after != *clean {
                    wrong.push(format!(
                        "{at}: told {came:?}; then {tool} {look}: {after:?} instead of {clean:?}"
                    ));
                }
            }
            if !spends && first != second {
                wrong.push(format!("{at}: told {came:?}, and another backend took over"));
            }
            if spends && !fails && came == "done" && first == second {
                wrong.push(format!("{at}: the connection stayed"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Proves that a call that is cancelled, by its client or by an administrator, leaves nothing that outlives its rollback, and that the
/// next caller hears nothing of it, writing or reading.
#[test]
fn a_cancelled_call_leaves_nothing() {
    let stage = Stage::new();
    let mut admin = stage.database.admin();
    let remote = remote(&stage.database);
    let mut other = stage.client("other", TENANT_B);
    let leave = format!(
        "DO $x$ BEGIN PERFORM dblink_connect('{remote}'), pg_advisory_lock(4711), setseed(0.42); PERFORM pg_sleep(30); END $x$"
    );
    let cancel = "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE application_name = $1 AND wait_event = 'PgSleep'";
    let sleeping =
        "SELECT count(*) FROM pg_stat_activity WHERE application_name = $1 AND wait_event = 'PgSleep'";
    let application = stage.listener.application().to_owned();
    for (number, hangs_up) in [true, false, true, false].into_iter().enumerate() {
        let mut one = stage.client(&format!("one {number}"), TENANT_A);
        let first = backend(&mut other);
        one.send("tools/call", json!({ "name": "attempt", "arguments": { "statement": leave } }));
        eventually(Duration::from_secs(10), "it sleeps", || {
            let count: i64 = admin.query_one(sleeping, &[&application]).expect("counted").get(0);
            (count == 1).then_some(())
        });
        if hangs_up {
            drop(one);
        } else {
            admin.query(cancel, &[&application]).expect("cancelled");
            assert_eq!(one.http().receive().status, 504);
        }
        let written = other.call(
            "insert_record",
            json!({ "table": "notes", "data": { "title": format!("after {number}") } }),
        );
        assert!(written.is_ok(), "{}", written.response.text());
        assert_eq!(
            attempt(&mut other, "attempt", "SELECT x FROM dblink('SELECT 1') AS t(x int)", false),
            "connection not available"
        );
        assert_ne!(backend(&mut other), first, "dblink was left on that one");
    }
    let locks: i64 = admin
        .query_one("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'", &[])
        .expect("counted")
        .get(0);
    assert_eq!(locks, 0);
}

/// Proves that a tool that may make temporary tables has them, and that nobody else sees them.
#[test]
fn temporary_tables_end_with_their_call() {
    let stage = Stage::new();
    let sql = "
        SELECT mcp.register_tool('lifted', 'public.attempt(text, boolean)', 'Try a statement.', temp_tables => true);
        CREATE TABLE public.staged (id int, seen int);
        CREATE FUNCTION public.stage() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            CREATE TEMP TABLE stage AS SELECT NEW.id AS id;
            NEW.seen := (SELECT count(*) FROM stage);
            RETURN NEW;
        END $$;
        CREATE TRIGGER stage BEFORE INSERT ON public.staged FOR EACH ROW EXECUTE FUNCTION public.stage();
        GRANT SELECT, INSERT ON public.staged TO authenticated;
        SELECT mcp.allow_temp_tables('public.staged');";
    stage.database.admin().batch_execute(sql).expect("registered");
    let (mut one, mut other) = (stage.client("one", TENANT_A), stage.client("other", TENANT_B));
    let make = "DO $x$ BEGIN CREATE TEMP TABLE mine AS SELECT 1 AS x; LOCK TABLE mine; UPDATE mine SET x = 2; END $x$";
    for round in 0..3 {
        let first = backend(&mut other);
        assert_eq!(attempt(&mut one, "lifted", make, false), "done");
        let second = backend(&mut other);
        assert_ne!(first, second, "a new connection");
        let row = other.call("insert_record", json!({ "table": "staged", "data": { "id": round } })).value();
        assert_eq!(row, json!({ "id": round, "seen": 1 }));
        let third = backend(&mut one);
        assert_ne!(second, third, "a new connection");
        assert_eq!(
            attempt(&mut one, "lifted", "SELECT count(*) FROM pg_class WHERE relpersistence = 't'", false),
            "0"
        );
        // What failed was rolled back, and there is nothing to give up a connection for.
        assert_eq!(attempt(&mut one, "lifted", make, true), "made to fail");
        assert_eq!(backend(&mut other), third);
    }
    assert!(!stage.listener.log().contains("ERROR"), "{}", stage.listener.log());
    assert!(!stage.cluster.log().contains("an earlier call left something"), "the listener was told in time");
}

/// Proves that a NOTIFY of a call that reads, or fails, is never sent.
#[test]
fn only_a_write_that_stays_notifies() {
    use postgres::fallible_iterator::FallibleIterator;
    let stage = Stage::new();
    let mut hears = stage.database.admin();
    hears.batch_execute("LISTEN calls").expect("listens");
    let mut one = stage.client("one", TENANT_A);
    for (tool, fails) in [("attempt_reading", false), ("attempt", true), ("attempt", false)] {
        attempt(&mut one, tool, &format!("NOTIFY calls, '{tool} {fails}'"), fails);
    }
    let heard = hears
        .notifications()
        .timeout_iter(Duration::from_secs(5))
        .next()
        .expect("listens")
        .expect("one was sent");
    assert_eq!(heard.payload(), "attempt false");
}

/// A connection string for dblink, of a login role with a password.
fn remote(database: &Database) -> String {
    let mut admin = database.admin();
    let password = "remote-password";
    admin
        .batch_execute(&format!(
            "CREATE ROLE remote LOGIN PASSWORD '{password}'; GRANT CONNECT ON DATABASE app TO remote; GRANT authenticated TO remote"
        ))
        .expect("made");
    let port: i32 = admin.query_one("SELECT inet_server_port()", &[]).expect("told").get(0);
    format!("host=127.0.0.1 port={port} dbname=app user=remote password={password}")
}
