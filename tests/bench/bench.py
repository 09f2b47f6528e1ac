"""Measures the contenders of tests/bench/run.sh in turn, round after round, and writes down what came out.

Every contender reads the same ten rows of one tenant under the same row-level security, at the same number of clients. Its
answer is checked before it is timed and once more at the end. Ratios are taken within a round, so that what changes on the
machine between rounds strikes both sides; shown are their median, lowest and highest.

run.sh made the cluster and removes it; the two HTTP servers are started and stopped here.
"""

import base64
import csv
import hashlib
import json
import os
import platform
import re
import signal
import socket
import statistics
import subprocess
import sys
import time
from datetime import datetime, timezone
from pathlib import Path

ROOT, TARGET, WORK = (Path(os.environ[f"BENCH_{name}"]) for name in ("ROOT", "TARGET", "WORK"))
SOCKET = os.environ["BENCH_SOCKET"]
BIN = Path(os.environ["FLUXBASE_TEST_PG_BIN"])
HERE = ROOT / "tests" / "bench"
ROUNDS, SECONDS, WARMUP, CLIENTS = (
    int(os.environ.get(f"BENCH_{name}") or default)
    for name, default in (("ROUNDS", 5), ("SECONDS", 10), ("WARMUP", 2), ("CLIENTS", 16))
)
ONLY = [name for name in os.environ.get("BENCH_ONLY", "").split(",") if name]
DOCS = Path(os.environ.get("BENCH_DOCS") or ROOT / "docs")
# What clients of today send: answers then hold the rows as text and as structured content. Without it the answer has the text only,
# once, as the other contenders give it.
PROTOCOL = "2025-11-25"
POOL = 2 * os.cpu_count()  # the listener's default
NO_LIMIT = 1_000_000_000  # requests a minute: every request is counted, none is refused

# Of the 1,000 tenants; numbers of three digits, so that all answers have one size.
TENANTS = range(100, 150)
COLUMNS = "SELECT id, email, created_at FROM public.users WHERE tenant_id = :tenant ORDER BY id LIMIT 10"
TRANSPORT = {"http": True, "rate_limit_per_min": NO_LIMIT, "address": "127.0.0.1"}


def uuid(tenant):
    return f"00000000-0000-4000-8000-{tenant:012x}"


def request(tenant):
    arguments = {"table": "users", "select": "id,email,created_at", "filter": {"tenant_id": f"eq.{uuid(tenant)}"},
                 "order": "id", "limit": 10}
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "query_table", "arguments": arguments}}
    return json.dumps(call, separators=(",", ":"))


def expected(tenant):
    """The ten rows that every contender must answer with, as schema.sql made them."""
    return [(n, f"user{n}@tenant{tenant}.example") for n in range(100_000 + tenant, 110_000, 1000)]


def psql(user, sql, **variables):
    command = [BIN / "psql", "-X", "-q", "-At", "-v", "ON_ERROR_STOP=1", "-h", SOCKET, "-U", user, "-d", "bench"]
    for name, value in variables.items():
        command += ["-v", f"{name}={value}"]
    return subprocess.run(command, input=sql, capture_output=True, text=True, check=True).stdout.strip()


class Failed(Exception):
    pass


# ---- contenders: each can answer for a tenant (as another tenant, too) and be measured ----
class Pgbench:
    """pgbench -M prepared. `scripts` are chosen from at random, `defines` are its variables."""

    def __init__(self, name, title, user, scripts, defines, answer):
        self.name, self.title, self.user, self.answer = name, title, user, answer
        self.defines = [f"--define={key}={value}" for key, value in defines.items()]
        self.files = []
        for number, text in enumerate(scripts):
            path = WORK / f"{name}-{number}.sql"
            path.write_text(text)
            self.files.append(f"--file={path}")

    def measure(self):
        log = WORK / f"{self.name}.log"
        run = subprocess.run(
            [BIN / "pgbench", "--no-vacuum", "--protocol=prepared", f"--client={CLIENTS}", "--jobs=1", f"--time={WARMUP + SECONDS}",
             "--progress=1", "--log", f"--log-prefix={log}", "--sampling-rate=0.2", *self.defines, *self.files,
             "-h", SOCKET, "-U", self.user, "bench"],
            capture_output=True, text=True)
        if run.returncode != 0 or "aborted" in run.stderr:
            raise Failed(f"{self.name}: pgbench failed\n{run.stderr[-2000:]}")
        # The first seconds fill caches: they count neither here nor in the percentiles.
        rates = [float(rate) for rate in re.findall(r"^progress: [\d.]+ s, ([\d.]+) tps", run.stderr, re.M)][WARMUP:]
        lines = []
        for path in WORK.glob(f"{log.name}.*"):
            lines += [line.split() for line in path.read_text().splitlines()]
            path.unlink()
        begin = min(int(line[4]) for line in lines) + WARMUP
        times = sorted(int(line[2]) / 1000 for line in lines if int(line[4]) >= begin)
        cut = statistics.quantiles(times, n=100)
        return {"rps": statistics.fmean(rates), "p50_ms": cut[49], "p99_ms": cut[98]}


class Http:
    """A server of ours, driven by wrk. `rows` takes the rows out of a body."""

    def __init__(self, name, title, command, environment, path, rows, keys, protocol=None):
        self.name, self.title, self.path, self.rows, self.keys = name, title, path, rows, keys
        self.headers = [f"MCP-Protocol-Version: {protocol}"] if protocol else []
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        address = f"127.0.0.1:{self.port}"
        self.log = WORK / f"{name}.server.log"
        environment = {**os.environ, **{key: value.replace("ADDRESS", address) for key, value in environment.items()}}
        with open(self.log, "w") as log:
            self.process = subprocess.Popen([part.replace("ADDRESS", address) for part in command], env=environment,
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        SERVERS.append(self.process)
        for _ in range(100):
            time.sleep(0.1)
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                break
            except OSError:
                continue
        else:
            raise Failed(f"{name} did not start\n{self.log.read_text()[-2000:]}")
        self.size = statistics.fmean(len(self.post(tenant, tenant)[0]) for tenant in TENANTS)

    def post(self, tenant, caller):
        """The whole response and its body."""
        body = request(tenant).encode()
        head = [f"POST {self.path} HTTP/1.1", f"Host: 127.0.0.1:{self.port}", "Content-Type: application/json",
                f"X-Client-Key: {self.keys[caller]}", f"X-Tenant: {uuid(caller)}", f"Content-Length: {len(body)}", *self.headers]
        with socket.create_connection(("127.0.0.1", self.port), 10) as connection:
            connection.sendall("\r\n".join(head).encode() + b"\r\n\r\n" + body)
            answer = b""
            while True:
                above, found, below = answer.partition(b"\r\n\r\n")
                length = re.search(rb"content-length: *(\d+)", above, re.I) if found else None
                if length and len(below) >= int(length[1]):
                    return answer, below
                part = connection.recv(65536)
                if not part:
                    raise Failed(f"{self.name} closed the connection\n{self.log.read_text()[-2000:]}")
                answer += part

    def answer(self, tenant, caller):
        whole, body = self.post(tenant, caller)
        if not whole.startswith(b"HTTP/1.1 200 "):
            raise Failed(f"{self.name} answered {whole[:2000]!r}")
        return self.rows(body)

    def measure(self):
        self.wrk(WARMUP)
        run = self.wrk(SECONDS)
        if run["errors"] or abs(run["bytes"] / run["requests"] - self.size) > 0.02 * self.size:
            raise Failed(f"{self.name}: {run}; answers should have {self.size:.0f} bytes\n{self.log.read_text()[-2000:]}")
        return {"rps": run["requests"] / run["seconds"], "p50_ms": run["p50"], "p99_ms": run["p99"]}

    def wrk(self, seconds):
        lines = "".join(f"{self.keys[tenant]}\t{uuid(tenant)}\t{request(tenant)}\n" for tenant in TENANTS)
        (WORK / "requests").write_text(lines)
        environment = {**os.environ, "BENCH_REQUESTS": str(WORK / "requests"), "BENCH_HEADERS": "\n".join(self.headers)}
        run = subprocess.run(["wrk", "-t1", f"-c{CLIENTS}", f"-d{max(seconds, 1)}s", "--timeout=10s", "-s", HERE / "post.lua",
                              f"http://127.0.0.1:{self.port}{self.path}"], env=environment, capture_output=True, text=True)
        if run.returncode != 0:
            raise Failed(f"{self.name}: wrk failed\n{run.stdout}{run.stderr}")
        return json.loads(run.stdout.splitlines()[-1])


SERVERS = []


def make_keys():
    """A key for each tenant: the key itself, and what the listener makes of it (see the crate fluxbase_credential)."""
    made = psql("postgres", "SELECT (mcp.create_key('client', 'bench ' || n, '{read:tables}', user_id => bench.tenant(n)::text)).key "
                            f"FROM generate_series({TENANTS[0]}, {TENANTS[-1]}) AS n").splitlines()
    keys = dict(zip(TENANTS, made, strict=True))
    credentials = {}
    for tenant, key in keys.items():
        kind, key_id, secret = key.split("_", 2)
        hashed = hashlib.sha256(base64.urlsafe_b64decode(secret[:43] + "=")).hexdigest()
        credentials[tenant] = f"{kind}:{key_id}:{hashed}"
    return keys, credentials


def contenders():
    keys, credentials = make_keys()
    # A pgbench session takes a tenant at its beginning and keeps it: setting the claim each time would be a second statement.
    session = r"""\if :ready
\else
\set number random({}, {})
SELECT bench.tenant(:number) AS tenant \gset
SELECT set_config('request.jwt.claim.sub', :tenant, false);
\set ready 1
\endif
""".format(TENANTS[0], TENANTS[-1])
    as_json = f"SELECT json_agg(r) FROM ({COLUMNS}) AS r"
    handle = "SELECT mcp._serve(:request{0}::text, :credential{0}::text, :transport::text);"

    def plain(tenant, caller):
        statement = as_json.replace(":tenant", ":'tenant'")
        sql = f"SET request.jwt.claim.sub = :'caller'; {statement};"
        return json.loads(psql("bench_user", sql, tenant=uuid(tenant), caller=uuid(caller)) or "[]")

    def rows_of_call(body):
        result = json.loads(body)["result"]
        if result["isError"]:
            raise Failed(f"the tool answered {result}")
        return json.loads(result["content"][0]["text"])

    def handled(tenant, caller):
        body = psql("fluxbase_listener", "SELECT split_part(mcp._serve(:'request', :'credential', :'transport'), E'\\n', 2);",
                    request=request(tenant), credential=credentials[caller], transport=json.dumps(TRANSPORT))
        return rows_of_call(body)

    calls = {"transport": json.dumps(TRANSPORT, separators=(",", ":"))}
    for tenant in TENANTS:
        calls[f"request{tenant}"], calls[f"credential{tenant}"] = request(tenant), credentials[tenant]

    def url(user):
        return f"postgres://{user}@/bench?host={SOCKET.replace('/', '%2F')}"

    floor = [str(TARGET / "bench-floor/release/bench_floor"), "ADDRESS", str(POOL), url("bench_floor")]
    listener = [os.environ["FLUXBASE_BIN"], "serve", "--config", str(ROOT / "fluxbase.yaml")]
    settings = {"FLUXBASE_DATABASE_URL": url("fluxbase_listener"), "FLUXBASE_LISTENER_LISTEN": "ADDRESS",
                "FLUXBASE_MCP_ENABLED": "true", "FLUXBASE_MCP_RATE_LIMIT_PER_MIN": str(NO_LIMIT)}
    known = {
        "pgbench": lambda name: Pgbench(name, "pgbench, the statement", "bench_user", [f"{session}{COLUMNS};\n"], {"ready": 0}, plain),
        "pgbench_json": lambda name: Pgbench(name, "pgbench, the statement as JSON", "bench_user", [f"{session}{as_json};\n"], {"ready": 0}, plain),
        "handle": lambda name: Pgbench(name, "pgbench calling mcp._serve", "fluxbase_listener",
                                       [handle.format(tenant) + "\n" for tenant in TENANTS], calls, handled),
        "floor": lambda name: Http(name, "bare hyper and tokio-postgres", floor, {}, "/", lambda body: json.loads(body or b"[]"), keys),
        "http": lambda name: Http(name, "fluxbase serve, tools/call query_table", listener, settings, "/mcp", rows_of_call, keys),
        "http_structured": lambda name: Http(name, "fluxbase serve, rows also as structured content", listener, settings, "/mcp",
                                             rows_of_call, keys, PROTOCOL),
    }
    unknown = set(ONLY) - set(known)
    if unknown:
        raise Failed(f"BENCH_ONLY: there is no contender {', '.join(unknown)}. Known: {', '.join(known)}")
    return [make(name) for name, make in known.items() if not ONLY or name in ONLY]


def check(contender):
    """Ten rows of the right tenant for each, and none of another's."""
    for tenant in TENANTS:
        rows = contender.answer(tenant, tenant)
        got = [(row["id"], row["email"]) for row in rows]
        if got != expected(tenant) or not all(row["created_at"] for row in rows):
            raise Failed(f"{contender.name} has a wrong answer for tenant {tenant}: {rows}")
    if contender.name != "floor":  # the floor reads the tenant that it is told to
        stranger = contender.answer(TENANTS[0], TENANTS[1])
        if stranger:
            raise Failed(f"{contender.name}: row-level security let rows of another tenant through: {stranger}")


# ---- what came out ----
# Key of target/bench/ratios.json: (above, below, figure), and the aim where there is one.
RATIOS = {
    "http_read10_c16_vs_pgbench_json": (("http", "pgbench_json", "rps"), ("at least", 0.45)),
    "http_structured_read10_c16_vs_pgbench_json": (("http_structured", "pgbench_json", "rps"), None),
    "http_read10_c16_vs_pgbench": (("http", "pgbench", "rps"), None),
    "http_read10_c16_vs_floor": (("http", "floor", "rps"), None),
    "http_read10_c16_p99_vs_pgbench": (("http", "pgbench", "p99_ms"), ("under", 5)),
    "http_read10_c16_p99_vs_pgbench_json": (("http", "pgbench_json", "p99_ms"), ("under", 5)),
    "sql_handle_vs_pgbench_json": (("handle", "pgbench_json", "rps"), None),
    "floor_read10_c16_vs_pgbench_json": (("floor", "pgbench_json", "rps"), None),
}


def spread(values, digits):
    values = list(values)
    return f"{statistics.median(values):,.{digits}f}", f"{min(values):,.{digits}f} – {max(values):,.{digits}f}"


def table(header, rows):
    return ["| " + " | ".join(header) + " |", "|---" + "|---:" * (len(header) - 1) + "|", *("| " + " | ".join(row) + " |" for row in rows)]


def tables(everybody, rounds):
    figures = []
    for one in everybody:
        results = [result[one.name] for result in rounds]
        figures.append([one.title, *spread((r["rps"] for r in results), 0), spread((r["p50_ms"] for r in results), 2)[0],
                        *spread((r["p99_ms"] for r in results), 2)])
    yield from table(["contender", "requests/s", "lowest – highest", "p50 ms", "p99 ms", "lowest – highest"], figures)
    yield ""
    ratios = []
    for key, values in all_ratios(rounds).items():
        aim = RATIOS[key][1]
        verdict = ""
        if aim:
            middle = statistics.median(values)
            verdict = f"{aim[0]} {aim[1]}: {'reached' if (middle >= aim[1] if aim[0] == 'at least' else middle < aim[1]) else 'MISSED'}"
        ratios.append([f"`{key}`", *spread(values, 2), verdict])
    yield from table(["ratio", "median", "lowest – highest", "aim"], ratios)


def all_ratios(rounds):
    return {key: [r[above][figure] / r[below][figure] for r in rounds] for key, ((above, below, figure), _) in RATIOS.items()}


def output(*command):
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT).stdout.strip()


def machine(busy):
    cpu = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    memory = int(re.search(r"MemTotal: *(\d+)", Path("/proc/meminfo").read_text())[1]) / 2**20
    changed = " with changes that are not committed" if output("git", "status", "--porcelain", "--untracked-files=no") else ""
    return [
        f"- {os.cpu_count()} cores of {cpu[1] if cpu else platform.machine()}, {memory:.0f} GiB, Linux {platform.release()}",
        f"- {output(BIN / 'postgres', '--version')}; {output('wrk', '-v').split(' [')[0]}; {output('rustc', '--version')}; release builds",
        f"- {datetime.now(timezone.utc):%Y-%m-%d %H:%M} UTC, commit {output('git', 'rev-parse', '--short', 'HEAD') or 'unknown'}{changed}",
        f"- {ROUNDS} rounds, {SECONDS} s each after {WARMUP} s of warm-up; {CLIENTS} connections, kept open; pools of {POOL} connections to Postgres",
        f"- just before the rounds, other programs kept the processors at most {busy:.0%} busy",
    ]


TEXT = """# Benchmarks

Written by `make bench`; do not edit.

The job: ten rows of one tenant by an indexed filter, under row-level security.

```sql
{statement}
```

The table has 200,000 rows of 1,000 tenants, an index on (tenant_id, id), and the policy `tenant_id = (SELECT auth.uid())`. All contenders
share the machine with Postgres and with the program that loads them (one thread each), talk to the same cluster over a Unix socket,
and take turns, A B C D E A B C …. Ratios are taken within a round; the median is shown with the lowest and the highest.

- **pgbench, the statement**: `pgbench -M prepared` as a login role that is subject to the policy. The physical limit.
- **pgbench, the statement as JSON**: the same with `json_agg`.
- **pgbench calling mcp._serve**: what the listener sends, with {tenants} keys in turn, without HTTP.
- **bare hyper and tokio-postgres**: HTTP, one call of a PL/pgSQL function that sets the claim, takes the role and runs the statement as JSON. No keys, no
  protocol, no limits.
- **fluxbase serve**: HTTP `tools/call` of `query_table` with {tenants} keys in turn, as it is delivered (log on, requests counted for the
  rate limit, which is set so high that nothing is refused). The requests name no protocol version, so the answer has the rows once, as
  text: as much as the other contenders give.
- **rows also as structured content**: the same with `MCP-Protocol-Version: {protocol}`, as clients of today send it: the answer has the
  rows twice, and says whether there are more, for which an eleventh row is read.

Every answer was checked before and after: ten rows of the right tenant, nothing of another's. A single answer that was not 2xx would have ended the run.

## The machine

{machine}

## Figures

{tables}

Single measurements: [benchmarks/read10.csv](benchmarks/read10.csv). Planning a call without Postgres: [benchmarks/plan.md](benchmarks/plan.md).
"""


def processor_use(seconds=1.0):
    """How busy the processors are while we do nothing."""
    def sample():
        times = [int(word) for word in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
        return times[3] + times[4], sum(times)

    before = sample()
    time.sleep(seconds)
    after = sample()
    return 1 - (after[0] - before[0]) / max(after[1] - before[1], 1)


def write(everybody, rounds, busy):
    (DOCS / "benchmarks").mkdir(parents=True, exist_ok=True)
    with open(DOCS / "benchmarks" / "read10.csv", "w", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["round", "contender", "clients", "requests_per_second", "p50_ms", "p99_ms"])
        for number, result in enumerate(rounds, 1):
            for name, r in result.items():
                rows.writerow([number, name, CLIENTS, f"{r['rps']:.1f}", f"{r['p50_ms']:.3f}", f"{r['p99_ms']:.3f}"])
    (DOCS / "benchmarks.md").write_text(TEXT.format(
        statement=COLUMNS.replace(":tenant", "$1"), tenants=len(TENANTS), protocol=PROTOCOL,
        machine="\n".join(machine(busy)), tables="\n".join(tables(everybody, rounds))))
    (TARGET / "bench").mkdir(parents=True, exist_ok=True)
    ratios = {key: round(statistics.median(values), 4) for key, values in all_ratios(rounds).items()}
    (TARGET / "bench" / "ratios.json").write_text(json.dumps(ratios, indent=2) + "\n")


def run():
    everybody = contenders()
    for one in everybody:
        check(one)
    print(f"{len(everybody)} contenders, every answer is right. {ROUNDS} rounds of {len(everybody)} × {WARMUP + SECONDS} s", flush=True)
    rounds, busy = [], 0.0
    for number in range(1, ROUNDS + 1):
        busy = max(busy, processor_use())
        rounds.append({})
        for one in everybody:
            result = rounds[-1][one.name] = one.measure()
            print(f"  round {number}  {one.name:<13}{result['rps']:>9,.0f} /s   p50 {result['p50_ms']:6.2f} ms   p99 {result['p99_ms']:6.2f} ms", flush=True)
    for one in everybody:
        check(one)
    if ONLY:
        return
    write(everybody, rounds, busy)
    print("\n" + "\n".join(tables(everybody, rounds)))
    if busy > 0.1:
        print(f"\nWARNING: other programs kept the processors up to {busy:.0%} busy before the rounds. These figures say little.")
    print(f"\nWritten: {DOCS}/benchmarks.md, {DOCS}/benchmarks/read10.csv, {TARGET}/bench/ratios.json")


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        run()
    except Failed as error:
        sys.exit(f"\nerror: {error}")
    except subprocess.CalledProcessError as error:
        sys.exit(f"\nerror: {error}\n{error.stderr}")
    finally:
        for server in SERVERS:
            server.terminate()
        for server in SERVERS:
            try:
                server.wait(35)
            except subprocess.TimeoutExpired:
                server.kill()


main()
