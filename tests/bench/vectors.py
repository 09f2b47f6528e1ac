"""Measures search_vectors on synthetic clustered vectors; tests/bench/vectors.sh made the cluster and removes it.

Vectors are 100 centres and a normal spread around them; queries are made alike and are not among the rows. Every figure is told with
what it was compared with in the same run.
"""

import base64
import contextlib
import hashlib
import json
import os
import re
import socket
import subprocess
import time
from pathlib import Path

ROOT, WORK, SOCKET = Path(os.environ["BENCH_ROOT"]), Path(os.environ["BENCH_WORK"]), os.environ["BENCH_SOCKET"]
BIN = Path(os.environ["FLUXBASE_TEST_PG_BIN"])
SIZES = [int(size) for size in os.environ.get("BENCH_SIZES", "10000 100000").split()]
DIMENSIONS = int(os.environ.get("BENCH_DIMENSIONS", 384))
SECONDS, CLIENTS = int(os.environ.get("BENCH_SECONDS", 10)), int(os.environ.get("BENCH_CLIENTS", 8))
QUERIES = 100


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


PORT = free_port()
TRANSPORT = json.dumps({"http": True, "rate_limit_per_min": 1_000_000_000, "address": "127.0.0.1"}, separators=(",", ":"))
OPTIONS = "-c hnsw.ef_search=100 -c hnsw.iterative_scan=relaxed_order"

SCHEMA = f"""
CREATE EXTENSION fluxbase_mcp_ext; CREATE EXTENSION vector;
SELECT mcp.setup_roles(); SELECT mcp.setup_listener();
CREATE TABLE centres AS SELECT n, ARRAY(SELECT random_normal() FROM generate_series(1, {DIMENSIONS}) WHERE n > 0) AS v FROM generate_series(1, 100) AS n;
CREATE FUNCTION near(centre int, spread float8) RETURNS vector LANGUAGE sql VOLATILE AS
$$ SELECT array_agg(c + spread * random_normal())::vector FROM unnest((SELECT v FROM centres WHERE n = centre)) AS c $$;
CREATE TABLE docs (id int PRIMARY KEY, tenant text NOT NULL, content text NOT NULL, embedding vector({DIMENSIONS}) NOT NULL);
CREATE TABLE queries AS SELECT n AS id, near(1 + n % 100, 0.8) AS v FROM generate_series(1, {QUERIES}) AS n;
GRANT SELECT ON docs, queries TO authenticated;
"""
# Tenant 'small' has one row in a thousand anywhere; tenant 'apart' has one in a thousand in one cluster.
ROWS = """
INSERT INTO docs SELECT n, CASE WHEN n % 1000 = 0 THEN 'small' WHEN n % 1000 = 1 THEN 'apart' ELSE 'big' END, 'A text of ordinary length, number ' || n,
       near(CASE WHEN n % 1000 = 1 THEN 100 ELSE 1 + (random() * 98)::int END, 0.8) FROM generate_series({}, {}) AS n;
"""
PLAIN = "SELECT json_agg(r) FROM (SELECT id, content, round(greatest(0, least(1, 1 - (embedding <=> q.v)))::numeric, 6) AS similarity FROM docs ORDER BY embedding <=> q.v LIMIT 10) AS r"


def psql(sql, options=""):
    command = [BIN / "psql", "-X", "-q", "-At", "-v", "ON_ERROR_STOP=1", "-h", SOCKET, "-U", "postgres", "-d", "postgres"]
    run = subprocess.run(command, input=sql, capture_output=True, text=True, env={**os.environ, "PGOPTIONS": options})
    if run.returncode != 0:
        raise SystemExit(f"{sql[:500]}\n{run.stderr}")
    return run.stdout.strip()


def pgbench(name, script, options=""):
    path = WORK / f"{name}.sql"
    path.write_text(script)
    run = subprocess.run([BIN / "pgbench", "-n", "-M", "prepared", "-c", str(CLIENTS), "-j", "1", "-T", str(SECONDS), "-f", path, "-h", SOCKET,
                          "-U", "postgres", "postgres"], capture_output=True, text=True, env={**os.environ, "PGOPTIONS": options})
    found = re.search(r"^tps = ([\d.]+)", run.stdout, re.M)
    if run.returncode != 0 or not found:
        raise SystemExit(f"{name}: {run.stdout}{run.stderr}")
    return float(found[1])


def request(vector):
    arguments = {"table": "docs", "embedding": json.loads(vector), "limit": 10, "threshold": 0}
    return json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "search_vectors", "arguments": arguments}},
                      separators=(",", ":"))


def wrk(key, requests, port):
    (WORK / "requests").write_text("".join(f"X-Client-Key: {key}\1Content-Type: application/json\t{body}\n" for body in requests))
    environment = {**os.environ, "BENCH_REQUESTS": str(WORK / "requests"), "BENCH_METHOD": "POST"}
    run = subprocess.run(["wrk", "-t1", f"-c{CLIENTS}", f"-d{SECONDS}s", "--timeout=30s", "-s", ROOT / "tests/bench/post.lua",
                          f"http://127.0.0.1:{port}/mcp"], env=environment, capture_output=True, text=True)
    figures = json.loads(run.stdout.splitlines()[-1])
    if figures["errors"]:
        raise SystemExit(f"wrk: {figures}")
    return figures["requests"] / figures["seconds"]


def ids_of(body):
    result = json.loads(body)["result"]
    if result["isError"]:
        raise SystemExit(f"the tool answered {result}")
    return [row["chunk_id"] for row in json.loads(result["content"][0]["text"])["results"]]


def tenants():
    """Rows found of ten, share of the true ten, and milliseconds, for each way to search a tenant's rows."""
    psql("""CREATE OR REPLACE FUNCTION measure(own text, exact bool) RETURNS text LANGUAGE plpgsql AS $f$
DECLARE q record; ids int[]; truth int[]; begun timestamptz; took float8 := 0; n int := 0; hits int := 0;
BEGIN
    FOR q IN SELECT v FROM queries ORDER BY id LIMIT 20 LOOP
        SELECT array_agg(id) INTO truth FROM (SELECT id FROM docs WHERE tenant = own ORDER BY (embedding <=> q.v) + 0 LIMIT 10) AS x;
        begun := clock_timestamp();
        IF exact THEN SELECT array_agg(id) INTO ids FROM (SELECT id FROM docs WHERE tenant = own ORDER BY (embedding <=> q.v) + 0 LIMIT 10) AS x;
        ELSE SELECT array_agg(id) INTO ids FROM (SELECT id FROM docs WHERE tenant = own ORDER BY embedding <=> q.v LIMIT 10) AS x; END IF;
        took := took + extract(epoch FROM clock_timestamp() - begun) * 1000;
        n := n + coalesce(cardinality(ids), 0);
        hits := hits + (SELECT count(*) FROM unnest(ids) AS u(id) WHERE id = ANY (truth));
    END LOOP;
    RETURN format('%s | %s | %s', round(n / 20.0, 1), round(hits / 200.0, 2), round(took::numeric / 20, 1));
END $f$""")
    lines = []
    ways = [("exact", "", True)] + [
        (f"{mode}, max_scan_tuples {most}", f"-c hnsw.iterative_scan={mode} -c hnsw.max_scan_tuples={most} -c hnsw.ef_search=100 -c enable_seqscan=off", False)
        for mode, most in [("off", 20000), ("strict_order", 20000), ("relaxed_order", 2000), ("relaxed_order", 20000), ("relaxed_order", 100000)]]
    for own in ("big", "small", "apart"):
        for name, options, exact in ways:
            lines.append(f"| {own} | {name} | {psql(f'SELECT measure($${own}$$, {str(exact).lower()})', options)} |")
    return lines


def credential_of():
    """A new key, and what the listener sends in its place."""
    key = psql("SELECT (mcp.create_key('client', 'bench', '{read:vectors}')).key")
    kind, key_id, secret = key.split("_", 2)
    return key, f"{kind}:{key_id}:{hashlib.sha256(base64.urlsafe_b64decode(secret[:43] + '=')).hexdigest()}"


@contextlib.contextmanager
def listener(credential, bodies):
    """A listener at PORT, and a table with the arguments of each call that it would make."""
    psql("CREATE TABLE requests (id int PRIMARY KEY, body text NOT NULL, credential text NOT NULL, transport text NOT NULL);" + "".join(
        f"INSERT INTO requests VALUES ({n}, $b${body}$b$, '{credential}', '{TRANSPORT}');" for n, body in enumerate(bodies, 1)))
    environment = {**os.environ, "FLUXBASE_DATABASE_URL": f"postgres://fluxbase_listener@/postgres?host={SOCKET.replace('/', '%2F')}",
                   "FLUXBASE_LISTENER_LISTEN": f"127.0.0.1:{PORT}", "FLUXBASE_MCP_ENABLED": "true", "FLUXBASE_MCP_RATE_LIMIT_PER_MIN": "1000000000"}
    server = subprocess.Popen([os.environ["FLUXBASE_BIN"], "serve", "--config", str(ROOT / "fluxbase.yaml")], env=environment,
                              stdin=subprocess.DEVNULL, stdout=open(WORK / "listener.log", "w"), stderr=subprocess.STDOUT)
    try:
        yield
    finally:
        server.terminate()
        server.wait()


def main():
    psql(SCHEMA)
    key, credential = credential_of()
    vectors = psql("SELECT v FROM queries ORDER BY id").splitlines()
    bodies = [request(vector) for vector in vectors]
    with listener(credential, bodies):
        print(f"{DIMENSIONS} dimensions, {CLIENTS} clients, {SECONDS} s each; load before: {os.getloadavg()[0]:.1f}", flush=True)
        print("| rows | index built in s | index MB | recall@10 | pgbench/s | tool in SQL/s | ratio | tool over HTTP/s | ratio | hybrid in SQL/s |", flush=True)
        print("|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|", flush=True)
        before = 0
        for size in SIZES:
            psql("DROP INDEX IF EXISTS docs_near, docs_words; " + ROWS.format(before + 1, size))
            before, begun = size, time.time()
            psql("CREATE INDEX docs_near ON docs USING hnsw (embedding vector_cosine_ops);")
            built = time.time() - begun
            psql("CREATE INDEX docs_words ON docs USING gin (to_tsvector('english', content)); VACUUM ANALYZE docs;")
            megabytes = int(psql("SELECT pg_relation_size('docs_near')")) / 2**20
            hits = 0
            for n, body in enumerate(bodies[:50], 1):
                truth = psql(f"SELECT string_agg(id::text, ',') FROM (SELECT id FROM docs ORDER BY (embedding <=> (SELECT v FROM queries WHERE id = {n})) + 0 LIMIT 10) AS x")
                reply = psql(f"SELECT split_part(mcp._serve(body, credential, transport), E'\\n', 2) FROM requests WHERE id = {n}")
                hits += len(set(ids_of(reply)) & {int(i) for i in truth.split(",")})
            plain = pgbench("plain", f"\\set id random(1, {QUERIES})\nSELECT ({PLAIN}) FROM queries AS q WHERE q.id = :id;\n", OPTIONS)
            tool = pgbench("tool", f"\\set id random(1, {QUERIES})\nSELECT mcp._serve(body, credential, transport) FROM requests WHERE id = :id;\n")
            http = wrk(key, bodies, PORT)
            psql("""CREATE OR REPLACE FUNCTION hybrid(body text) RETURNS text LANGUAGE sql AS $$ SELECT jsonb_set(jsonb_set(body::jsonb, '{params,arguments,mode}', '"hybrid"'), '{params,arguments,query}', '"text number 77"')::text $$""")
            both = pgbench("hybrid", f"\\set id random(1, {QUERIES})\nSELECT mcp._serve(hybrid(body), credential, transport) FROM requests WHERE id = :id;\n")
            print(f"| {size:,} | {built:.1f} | {megabytes:.0f} | {hits / 500:.3f} | {plain:.0f} | {tool:.0f} | {tool / plain:.2f} | {http:.0f} | {http / plain:.2f} | {both:.0f} |", flush=True)
        print("\n| tenant | way | rows of 10 | true ones | ms |\n|---|---|---:|---:|---:|")
        print("\n".join(tenants()), flush=True)


if __name__ == "__main__":
    main()
