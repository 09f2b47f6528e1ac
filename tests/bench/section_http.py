"""The listener against the limits of this machine: pgbench with the same statements, and a bare HTTP floor."""

import json
import os
import statistics
import time

from common import (COLUMNS, LISTENER_OPTIONS, NO_LIMIT, PROTOCOL, ROOT, TARGET, TENANTS, TOOLS_LIST, TRANSPORT, Failed, call, compact, expected,
                    insert, make_keys, psql, read1, read1000, request, rows_of_call, update, url, uuid)
from load import CLIENTS, POOL, Http, Pgbench, Server, interleaved
from report import Aim, Section

TITLE = "The listener and the limits of this machine"

# A pgbench session takes a tenant at its beginning and keeps it: setting the claim each time would be a second statement.
SESSION = r"""\if :ready
\else
\set number random({}, {})
SELECT bench.tenant(:number) AS tenant \gset
SELECT set_config('request.jwt.claim.sub', :tenant, false);
\set ready 1
\endif
""".format(TENANTS[0], TENANTS[-1])
# The same for what the listener sends.
ONE_TENANT = r"""\if :ready
\else
\set number random({}, {})
SELECT request, credential FROM bench.asked WHERE tenant = :number \gset
\set ready 1
\endif
SELECT mcp._serve(:request::text, :credential::text, :transport::text);
""".format(TENANTS[0], TENANTS[-1])
AS_JSON = f"SELECT json_agg(r) FROM ({COLUMNS}) AS r"
READ1 = "SELECT json_agg(r) FROM (SELECT id, email, created_at FROM public.users WHERE id = 100000 + :number LIMIT 1) AS r"
READ1000 = "SELECT json_agg(r) FROM (SELECT id, name FROM public.readings WHERE tenant_id = :tenant ORDER BY id LIMIT 1000) AS r"
INSERT = "INSERT INTO public.events (tenant_id, note) VALUES (:tenant, 'a note') RETURNING id, tenant_id, note"
UPDATE = "\\set note random(0, 19)\nUPDATE public.notes SET note = 'another note' WHERE id = :number * 20 + :note RETURNING id, tenant_id, note"

# Key of target/bench/ratios.json: (above, below, figure, aim).
RATIOS = {
    "http_read10_c16_vs_pgbench_json": ("http", "pgbench_json", "rps", Aim("at least", 0.65)),
    "http_read10_c16_vs_floor": ("http", "floor", "rps", Aim("at least", 0.9)),
    "http_read10_c16_p99_vs_pgbench": ("http", "pgbench", "p99_ms", Aim("at most", 3)),
    "http_read10_c16_p99_vs_pgbench_json": ("http", "pgbench_json", "p99_ms", None),
    "http_read10_c16_vs_pgbench": ("http", "pgbench", "rps", None),
    "http_structured_read10_c16_vs_pgbench_json": ("http_structured", "pgbench_json", "rps", None),
    "http_open_read10_c16_vs_pgbench_json": ("http_open", "pgbench_json_open", "rps", None),
    "floor_read10_c16_vs_pgbench_json": ("floor", "pgbench_json", "rps", None),
    "sql_handle_vs_pgbench_json": ("handle", "pgbench_json", "rps", Aim("at least", 0.85)),
    "sql_handle_keys_vs_pgbench_json": ("handle_keys", "pgbench_json", "rps", None),
    "sql_handle_pool_vs_pgbench_json": ("handle_pool", "pgbench_json_pool", "rps", None),
    "http_read10_vs_pgbench_json_pool": ("http", "pgbench_json_pool", "rps", None),
    "http_read1_c16_vs_pgbench_json": ("http_read1", "pgbench_read1", "rps", None),
    "http_read1000_vs_pgbench_json": ("http_read1000", "pgbench_read1000", "rps", Aim("at least", 0.85)),
    "http_insert_vs_pgbench": ("http_insert", "pgbench_insert", "rps", Aim("at least", 0.7)),
    "http_insert_vs_pgbench_pool": ("http_insert", "pgbench_insert_pool", "rps", Aim("at least", 0.7)),
    "http_update_vs_pgbench": ("http_update", "pgbench_update", "rps", None),
    "http_c64_vs_c16": ("http_c64", "http", "rps", None),
    "http_c1000_vs_c16": ("http_c1000", "http", "rps", Aim("at least", 0.9)),
    "http_c1_p50_vs_floor": ("http_c1", "floor_c1", "p50_ms", Aim("at most", 1.3)),
}
ABOUT = """
The job, where none is named: ten rows of one tenant by an indexed filter, under row-level security.

```sql
{statement}
```

The table has 200,000 rows of 1,000 tenants, an index on (tenant_id, id), and the policy `tenant_id = (SELECT auth.uid())`. All contenders
share the machine with Postgres and with the program that loads them (one thread each), and talk to the same cluster over a Unix socket.

- **pgbench**: `pgbench -M prepared` as a login role that is subject to the policy; the physical limit. As JSON: with `json_agg`.
- **pgbench calling mcp._serve**: what the listener sends, without HTTP. A session keeps one tenant, as those of pgbench's own statements do;
  with {tenants} keys in turn it meets other rows, and so other memory, with each call.
- **bare hyper and tokio-postgres**: HTTP, one call of a PL/pgSQL function that sets the claim, takes the role and runs the statement as JSON. No
  keys, no protocol, no limits.
- **fluxbase serve**: HTTP `tools/call` with {tenants} keys in turn, as it is delivered (log on, requests counted for the rate limit, which is set
  so high that nothing is refused). The requests name no protocol version, so the answer has the rows once, as text: as much as the other
  contenders give. With structured content: the same with `MCP-Protocol-Version: {protocol}`, as clients of today send it: the answer has
  the rows twice, and says whether there are more, for which an eleventh row is read.
"""


def listener(name="fluxbase"):
    """`fluxbase serve` as it is delivered, but for its rate limit."""
    settings = {"FLUXBASE_DATABASE_URL": url("fluxbase_listener"), "FLUXBASE_LISTENER_LISTEN": "ADDRESS", "FLUXBASE_MCP_ENABLED": "true",
                "FLUXBASE_MCP_RATE_LIMIT_PER_MIN": str(NO_LIMIT)}
    return Server(name, [os.environ["FLUXBASE_BIN"], "serve", "--config", ROOT / "fluxbase.yaml"], settings)


def rows_are(wanted):
    """A check that an answer holds the rows of the tenant that asks."""
    def check(headers, body, answer):
        rows = rows_of_call(answer)
        tenant = int(headers["X-Tenant"][-4:], 16)
        if [(row["id"], row["email"]) for row in rows] != wanted(tenant) or not all(row["created_at"] for row in rows):
            raise Failed(f"a wrong answer for tenant {tenant}: {rows}")
    return check


def worked(headers, body, answer):
    if json.loads(answer)["result"].get("isError"):
        raise Failed(f"the tool answered {answer[:1000]!r}")


def requests(keys, *makers, **headers):
    """Each maker's request for each tenant, with its key."""
    return [({"Content-Type": "application/json", "X-Client-Key": keys[tenant], "X-Tenant": uuid(tenant), **headers}, make(tenant))
            for tenant in TENANTS for make in makers]


def contenders(keys, credentials, serve, floor):
    session = {"ready": 0}
    calls = {"transport": compact(TRANSPORT)}
    one_tenant = {**session, **calls}
    for tenant in TENANTS:
        calls[f"request{tenant}"], calls[f"credential{tenant}"] = request(tenant), credentials[tenant]
    handle = [f"SELECT mcp._serve(:request{tenant}::text, :credential{tenant}::text, :transport::text);\n" for tenant in TENANTS]
    # Where the sessions of pgbench keep one tenant, whose rows lie in the processor's cache, those beside them do so, too.
    psql("postgres", "DROP TABLE IF EXISTS bench.asked; CREATE TABLE bench.asked (tenant int PRIMARY KEY, request text, credential text); "
         "GRANT USAGE ON SCHEMA bench TO fluxbase_listener; GRANT SELECT ON bench.asked TO fluxbase_listener;"
         + "".join(f"INSERT INTO bench.asked VALUES ({tenant}, '{request(tenant)}', '{credentials[tenant]}');" for tenant in TENANTS))

    def check_handle():
        for caller, asked in ((100, 100), (149, 149), (101, 100)):
            body = psql("fluxbase_listener", "SELECT split_part(mcp._serve(:'request', :'credential', :'transport'), E'\\n', 2);",
                        request=request(asked), credential=credentials[caller], transport=json.dumps(TRANSPORT))
            if [row["id"] for row in rows_of_call(body)] != [n for n, _ in expected(asked)] * (caller == asked):
                raise Failed(f"mcp._serve: a wrong answer for tenant {asked} to {caller}: {body}")

    def check_json():
        for caller, asked in ((100, 100), (101, 100)):
            statement = AS_JSON.replace(":tenant", ":'tenant'")
            rows = json.loads(psql("bench_user", f"SET request.jwt.claim.sub = :'caller'; {statement};", tenant=uuid(asked), caller=uuid(caller)) or "[]")
            if [row["id"] for row in rows] != [n for n, _ in expected(asked)] * (caller == asked):
                raise Failed(f"pgbench: a wrong answer for tenant {asked} to {caller}: {rows}")

    def check_stranger():
        """Nobody gets another tenant's rows."""
        headers, _ = requests(keys, request)[1]
        _, _, answer = serve.post("/mcp", headers, request(TENANTS[0]).encode())
        if rows_of_call(answer):
            raise Failed(f"row-level security let rows of another tenant through: {answer}")

    check_stranger()

    def pgbench(name, title, script, check=check_json, clients=CLIENTS):
        return Pgbench(name, title, "bench_user", [f"{SESSION}{script};\n"], session, check, clients)

    def http(name, title, made, check=worked, clients=CLIENTS, **more):
        return Http(name, title, serve, "/mcp", made, check, clients, **more)

    def floor_rows(headers, body, answer):
        tenant = int(headers["X-Tenant"][-4:], 16)
        if [(row["id"], row["email"]) for row in json.loads(answer)] != expected(tenant):
            raise Failed(f"the floor has a wrong answer for tenant {tenant}: {answer}")

    ten, one = rows_are(expected), rows_are(lambda tenant: expected(tenant)[:1])
    read10 = requests(keys, request)

    def open_request(tenant):
        return request(tenant).replace('"users"', '"users_open"')

    def thousand(headers, body, answer):
        if len(rows_of_call(answer)) != 1000:
            raise Failed(f"not a thousand rows: {answer[:500]!r}")

    mix = [entry for tenant in TENANTS for entry in (
        *requests({tenant: keys[tenant]}, *()),)]
    for tenant in TENANTS:
        mine = {"Content-Type": "application/json", "X-Client-Key": keys[tenant], "X-Tenant": uuid(tenant)}
        mix += [(mine, body) for body in (*[request(tenant)] * 12, *[read1(tenant)] * 4, *[TOOLS_LIST] * 2, insert(tenant), update(tenant, tenant % 20))]
    open_json = AS_JSON.replace("public.users", "public.users_open")
    return [
        pgbench("pgbench", "pgbench, the statement", COLUMNS),
        pgbench("pgbench_json", "pgbench, the statement as JSON", AS_JSON),
        Pgbench("handle", "pgbench calling mcp._serve", "fluxbase_listener", [ONE_TENANT], one_tenant, check_handle, options=LISTENER_OPTIONS),
        Pgbench("handle_keys", f"pgbench calling mcp._serve, {len(TENANTS)} keys in turn", "fluxbase_listener", handle, calls, check_handle, options=LISTENER_OPTIONS),
        Http("floor", "bare hyper and tokio-postgres", floor, "/", read10, floor_rows),
        http("http", "fluxbase serve, query_table", read10, ten),
        http("http_structured", "fluxbase serve, with structured content", requests(keys, request, **{"MCP-Protocol-Version": PROTOCOL}), ten),
        pgbench("pgbench_json_pool", f"pgbench as JSON, {POOL} clients", AS_JSON, clients=POOL),
        Pgbench("handle_pool", f"pgbench calling mcp._serve, {POOL} clients", "fluxbase_listener", [ONE_TENANT], one_tenant, check_handle, POOL,
                LISTENER_OPTIONS),
        Http("floor_c1", "bare hyper, 1 connection", floor, "/", read10, floor_rows, 1),
        http("http_c1", "fluxbase serve, 1 connection", read10, ten, 1),
        http("http_c64", "fluxbase serve, 64 connections", read10, ten, 64),
        http("http_c1000", "fluxbase serve, 1,000 connections", read10, ten, 1000),
        pgbench("pgbench_json_open", "pgbench as JSON, no row-level security", open_json),
        http("http_open", "fluxbase serve, no row-level security", requests(keys, open_request), ten),
        pgbench("pgbench_read1", "pgbench, one row by key as JSON", READ1),
        http("http_read1", "fluxbase serve, one row by key", requests(keys, read1), one),
        pgbench("pgbench_read1000", "pgbench, 1,000 rows as JSON", READ1000),
        http("http_read1000", "fluxbase serve, 1,000 rows", requests(keys, read1000), thousand),
        pgbench("pgbench_insert", "pgbench, insert of one row", INSERT),
        pgbench("pgbench_insert_pool", f"pgbench, insert, {POOL} clients", INSERT, clients=POOL),
        http("http_insert", "fluxbase serve, insert_record", requests(keys, insert), varies=True),
        pgbench("pgbench_update", "pgbench, update of one row", UPDATE),
        http("http_update", "fluxbase serve, update_record", requests(keys, *(lambda t, n=n: update(t, n) for n in range(0, 20, 5)))),
        http("http_tools_list", "fluxbase serve, tools/list", requests(keys, lambda _: TOOLS_LIST)),
        http("http_mix", "fluxbase serve, a mix", mix, varies=True),
    ]


def first_answer_ms(keys):
    """From the start of the program to its first answer."""
    started = time.monotonic()
    one = listener("fluxbase_start")
    headers, body = requests(keys, request)[0]
    status, _, answer = one.post("/mcp", headers, body.encode())
    took = (time.monotonic() - started) * 1000
    if status != 200:
        raise Failed(f"the first answer was {status}: {answer!r}")
    one.process.terminate()
    one.process.wait(35)
    return took


def run():
    keys, credentials = make_keys()
    starts = [first_answer_ms(keys) for _ in range(5)]
    serve = listener()
    time.sleep(1)
    idle = serve.rss_mb()
    floor = Server("floor", [TARGET / "bench-floor/release/bench_floor", "ADDRESS", POOL, url("bench_floor")])
    everybody = contenders(keys, credentials, serve, floor)
    only = [name for name in os.environ.get("BENCH_ONLY", "").split(",") if name]
    if unknown := set(only) - {one.name for one in everybody}:
        raise Failed(f"BENCH_ONLY: there is no contender {', '.join(unknown)}. Known: {', '.join(one.name for one in everybody)}")
    if only:
        interleaved([one for one in everybody if one.name in only])
        return None
    loaded = []
    many = next(one for one in everybody if one.name == "http_c1000")
    measure = many.measure

    def measured():
        result = measure()
        loaded.append(serve.rss_mb())
        return result
    many.measure = measured
    rounds = interleaved(everybody)
    section = Section("http", TITLE, ABOUT.format(statement=COLUMNS.replace(":tenant", "$1"), tenants=len(TENANTS), protocol=PROTOCOL))
    section.measured(everybody, rounds, RATIOS)
    section.single("listener_rss_mb_idle", idle, Aim("at most", 15))
    section.single("listener_rss_mb_c1000", max(loaded), Aim("at most", 64))
    section.single("listener_start_ms", statistics.median(starts), Aim("under", 200))
    return section
