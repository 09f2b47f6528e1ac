"""The listener and the programs that others use for the same: ten rows of one tenant, under row-level security."""

import base64
import hashlib
import hmac
import json
import os
import re
import time
from pathlib import Path

from common import COLUMNS, PORT, TENANTS, Failed, call, compact, expected, make_keys, request, url, uuid
from load import Http, Server, interleaved
from report import Aim, Section
from section_http import listener, requests, rows_are

TITLE = "Peers"
# One in ten thousand of a peer's requests may fail (pg-rest-server drops one now and then); none of ours.
TOLERATED = 0.0001
SECRET = "a secret of thirty-two characters or more"
ABOUT = """
The same ten rows under the same policy, at 16 connections, asked of programs that people use today, each as its package comes, its rate limits lifted:

- **PostgREST** 12.0.2 and **pg-rest-server** 0.2.0: REST, with a JSON Web Token; the role is switched for each request.
- **MCP Toolbox** 1.12.0 (Google): MCP, a prepared tool of its own. **DBHub** 1.4.0 (Bytebase): MCP, `execute_sql`. **MCPg** 0.8.3: MCP, `run_select`.
  These three log in as one role.

Ours is asked for {tenants} tenants in turn, theirs for one.
One in ten thousand of their requests may fail, none of ours. They have the pools that they come with. The ratios are ours divided by theirs. PostgREST's newest version is in no package registry.
"""


def token(tenant):
    """A JSON Web Token (HS256) for the tenant."""
    def part(value):
        return base64.urlsafe_b64encode(value).rstrip(b"=").decode()
    claims = {"role": "authenticated", "sub": uuid(tenant), "exp": int(time.time()) + 86400}
    signed = f"{part(compact({'alg': 'HS256', 'typ': 'JWT'}).encode())}.{part(compact(claims).encode())}"
    return f"{signed}.{part(hmac.new(SECRET.encode(), signed.encode(), hashlib.sha256).digest())}"


def holds(tenant):
    """A check that an answer, whatever its form, holds the tenant's ten rows and nobody else's."""
    def check(headers, body, answer):
        text = answer.decode()
        found = {(int(number), int(of)) for number, of in re.findall(r"user(\d+)@tenant(\d+)\.example", text)}
        asked = tenant or int(headers["X-Tenant"][-4:], 16)
        wanted = {(n, asked) for n, _ in expected(asked)}
        if found != wanted or '"isError":true' in text.replace(" ", ""):
            raise Failed(f"not the ten rows of tenant {asked}: {text[:1500]}")
    return check


def statement(tenant):
    return COLUMNS.replace(":tenant", f"'{uuid(tenant)}'")


def rest(name, title, server):
    tenant = TENANTS[0]
    path = f"/users?select=id,email,created_at&tenant_id=eq.{uuid(tenant)}&order=id&limit=10"
    made = [({"Authorization": f"Bearer {token(tenant)}", "X-Tenant": uuid(tenant)}, "")]
    headers = {"Authorization": f"Bearer {token(tenant + 1)}"}
    for _ in range(60):
        # It takes connections before it has read the catalog.
        status, _, stranger = server.post(path, headers, b"", "GET")
        if status < 500:
            break
        time.sleep(0.5)
    if stranger.strip() != b"[]":
        raise Failed(f"{name}: another tenant got {stranger[:500]!r}")
    return Http(name, title, server, path, made, holds(tenant), method="GET", tolerated=TOLERATED)


def mcp(name, title, server, tool, arguments, version="2025-06-18"):
    """An MCP server over HTTP; with a session if it insists on one."""
    headers = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
    hello = compact({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {
        "protocolVersion": version, "capabilities": {}, "clientInfo": {"name": "bench", "version": "1"}}})
    _, head, _ = server.post("/mcp", headers, hello.encode())
    headers["MCP-Protocol-Version"] = version
    if session := re.search(r"mcp-session-id: *(\S+)", head, re.I):
        headers["Mcp-Session-Id"] = session[1]
        server.post("/mcp", headers, compact({"jsonrpc": "2.0", "method": "notifications/initialized"}).encode())
    return Http(name, title, server, "/mcp", [(headers, call(tool, arguments))], holds(TENANTS[0]), tolerated=TOLERATED)


def postgrest(program):
    config = f"""db-uri = "{url('bench_switch')}"
db-schemas = "public"
db-anon-role = "anon"
jwt-secret = "{SECRET}"
server-host = "127.0.0.1"
server-port = HTTP_PORT
log-level = "crit"
"""
    return rest("postgrest", "PostgREST", Server("postgrest", [program, "WORK/postgrest.conf"], files={"postgrest.conf": config}))


def pg_rest_server(program):
    config = f"""[database]
uri = "postgres://bench_switch:x@127.0.0.1:{PORT}/bench"
schemas = ["public"]
anon_role = "anon"
[server]
host = "127.0.0.1"
port = HTTP_PORT
[jwt]
secret = "{SECRET}"
"""
    return rest("pg_rest_server", "pg-rest-server", Server("pg_rest_server", [program, "--config", "WORK/pg-rest.toml"], files={"pg-rest.toml": config}))


def toolbox(program):
    config = f"""sources:
  bench:
    kind: postgres
    host: 127.0.0.1
    port: {PORT}
    database: bench
    user: bench_peer
    password: bench
tools:
  read10:
    kind: postgres-sql
    source: bench
    description: Ten rows of a tenant
    parameters:
      - name: tenant
        type: string
        description: the tenant
    statement: {COLUMNS.replace(":tenant", "$1::uuid")}
"""
    server = Server("toolbox", [program, "--config", "WORK/toolbox.yaml", "--address", "127.0.0.1", "--port", "HTTP_PORT", "--disable-reload"],
                    files={"toolbox.yaml": config})
    return mcp("toolbox", "MCP Toolbox", server, "read10", {"tenant": uuid(TENANTS[0])})


def dbhub(program):
    config = f"""[[sources]]
id = "bench"
dsn = "postgres://bench_peer:bench@127.0.0.1:{PORT}/bench?sslmode=disable"
"""
    node = program.parent / "node"
    server = Server("dbhub", [node, program.resolve(), "--config", "WORK/dbhub.toml", "--transport", "http", "--host", "127.0.0.1", "--port", "HTTP_PORT"],
                    files={"dbhub.toml": config})
    return mcp("dbhub", "DBHub", server, "execute_sql", {"sql": statement(TENANTS[0])})


def mcpg(program):
    server = Server("mcpg", [program], {
        "MCPG_DATABASE_URL": f"postgres://bench_peer:bench@127.0.0.1:{PORT}/bench", "MCPG_TRANSPORT": "streamable-http", "MCPG_HTTP_PORT": "HTTP_PORT",
        "MCPG_HTTP_HOST": "127.0.0.1", "MCPG_HTTP_ALLOW_UNAUTHENTICATED": "true", "MCPG_RATE_LIMIT_ENABLED": "false"})
    return mcp("mcpg", "MCPg", server, "run_select", {"sql": statement(TENANTS[0])})


PEERS = {"postgrest": (postgrest, 2), "pg-rest-server": (pg_rest_server, 2), "toolbox": (toolbox, 2.5), "dbhub": (dbhub, 2.5), "mcpg": (mcpg, 2.5)}


def run():
    keys, _ = make_keys()
    everybody = [Http("fluxbase", "fluxbase serve, query_table", listener(), "/mcp", requests(keys, request), rows_are(expected))]
    missing, ratios = [], {}
    for name, (start, aim) in PEERS.items():
        program = Path(os.environ["BENCH_PEERS"]) / "bin" / name
        try:
            if not program.exists():
                raise Failed("it could not be installed here")
            peer = start(program)
            peer.check()
        except (Failed, OSError, ValueError, KeyError, json.JSONDecodeError) as error:
            print(f"  {name} is left out: {error}")
            missing.append(f"{name} ({str(error).splitlines()[0][:100]})")
            continue
        everybody.append(peer)
        ratios[f"peer_{name.replace('-', '_')}"] = ("fluxbase", peer.name, "rps", Aim("at least", aim))
    rounds = interleaved(everybody)
    section = Section("peers", TITLE, ABOUT.format(tenants=len(TENANTS)))
    section.measured(everybody, rounds, ratios)
    section.table(["program", "resident memory after the run, MB"], [[one.title, f"{one.server.rss_mb():,.0f}"] for one in everybody])
    if missing:
        section.text(f"Left out on this machine: {', '.join(missing)}.")
    return section
