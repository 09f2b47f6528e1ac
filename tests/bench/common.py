"""What the benchmarks share: where things are, the question that everybody answers, keys, and the way to Postgres."""

import base64
import hashlib
import json
import os
import subprocess
from pathlib import Path

ROOT, TARGET, WORK = (Path(os.environ[f"BENCH_{name}"]) for name in ("ROOT", "TARGET", "WORK"))
SOCKET, PORT = os.environ["BENCH_SOCKET"], os.environ["BENCH_PORT"]
BIN = Path(os.environ["FLUXBASE_TEST_PG_BIN"])
HERE = ROOT / "tests" / "bench"
# What clients of today send: answers then hold the rows as text and as structured content. Without it the answer has the text only,
# once, as the other contenders give it.
PROTOCOL = "2025-11-25"
NO_LIMIT = 1_000_000_000  # requests a minute: every request is counted, none is refused

# Of the 1,000 tenants; numbers of three digits, so that all answers have one size.
TENANTS = range(100, 150)
COLUMNS = "SELECT id, email, created_at FROM public.users WHERE tenant_id = :tenant ORDER BY id LIMIT 10"
TRANSPORT = {"http": True, "rate_limit_per_min": NO_LIMIT, "address": "127.0.0.1"}
# What the listener's connections start with (listener/src/server.rs, `prepared`).
LISTENER_OPTIONS = r"""-c TimeZone=UTC -c search_path="$user",\ public,\ pg_temp"""


class Failed(Exception):
    """A contender that cannot be measured, or that answers wrongly."""


def compact(value):
    return json.dumps(value, separators=(",", ":"))


def uuid(tenant):
    return f"00000000-0000-4000-8000-{tenant:012x}"


def call(name, arguments):
    return compact({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": name, "arguments": arguments}})


def request(tenant):
    """The ten rows of one tenant."""
    return call("query_table", {"table": "users", "select": "id,email,created_at", "filter": {"tenant_id": f"eq.{uuid(tenant)}"},
                                "order": "id", "limit": 10})


def read1(tenant):
    """One row by its key."""
    return call("query_table", {"table": "users", "select": "id,email,created_at", "filter": {"id": f"eq.{100_000 + tenant}"}, "limit": 1})


def read1000(tenant):
    return call("query_table", {"table": "readings", "select": "id,name", "filter": {"tenant_id": f"eq.{uuid(tenant)}"},
                                "order": "id", "limit": 1000})


def insert(tenant):
    return call("insert_record", {"table": "events", "data": {"tenant_id": uuid(tenant), "note": "a note"}})


def update(tenant, number):
    """One of the tenant's 20 notes."""
    return call("update_record", {"table": "notes", "data": {"note": "another note"}, "filter": {"id": f"eq.{tenant * 20 + number}"}})


TOOLS_LIST = compact({"jsonrpc": "2.0", "id": 1, "method": "tools/list"})


def expected(tenant):
    """The ten rows that every contender must answer with, as schema.sql made them."""
    return [(n, f"user{n}@tenant{tenant}.example") for n in range(100_000 + tenant, 110_000, 1000)]


def psql(user, sql, **variables):
    command = [BIN / "psql", "-X", "-q", "-At", "-v", "ON_ERROR_STOP=1", "-h", SOCKET, "-p", PORT, "-U", user, "-d", "bench"]
    for name, value in variables.items():
        command += ["-v", f"{name}={value}"]
    return subprocess.run(command, input=sql, capture_output=True, text=True, check=True).stdout.strip()


def credential(key):
    """What the listener makes of a key (see the crate fluxbase_credential)."""
    kind, key_id, secret = key.split("_", 2)
    hashed = hashlib.sha256(base64.urlsafe_b64decode(secret[:43] + "=")).hexdigest()
    return f"{kind}:{key_id}:{hashed}"


def make_keys():
    """A key for each tenant: the key itself, and what the listener makes of it."""
    made = psql("postgres", "SELECT (mcp.create_key('client', 'bench ' || n, '{read:tables,write:tables,read:schema}', "
                            "user_id => bench.tenant(n)::text)).key "
                            f"FROM generate_series({TENANTS[0]}, {TENANTS[-1]}) AS n").splitlines()
    keys = dict(zip(TENANTS, made, strict=True))
    return keys, {tenant: credential(key) for tenant, key in keys.items()}


def url(user):
    return f"postgres://{user}@/bench?host={SOCKET.replace('/', '%2F')}&port={PORT}"


def rows_of_call(body):
    result = json.loads(body)["result"]
    if result["isError"]:
        raise Failed(f"the tool answered {result}")
    return json.loads(result["content"][0]["text"])
