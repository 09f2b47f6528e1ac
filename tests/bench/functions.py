"""Measures what edge functions cost the others: see tests/bench/functions.sh, which made the cluster and removes it.

Rounds are interleaved: query_table alone, 200 calls of a function that sleeps one second, query_table while 200 such calls are always under
way. Every answer is checked. All the while another connection looks, every 20 ms, for the oldest transaction of the listener's that holds a
snapshot or an id; one that holds neither keeps nothing from being cleaned up (CALL mcp._wait is such a one).
"""

import asyncio
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from datetime import datetime, timezone
from pathlib import Path

ROOT, WORK = (Path(os.environ[f"BENCH_{name}"]) for name in ("ROOT", "WORK"))
SOCKET, FLUXBASE = os.environ["BENCH_SOCKET"], os.environ["FLUXBASE_BIN"]
PSQL = Path(os.environ["FLUXBASE_TEST_PG_BIN"]) / "psql"
ROUNDS, SECONDS = int(os.environ.get("BENCH_ROUNDS") or 5), int(os.environ.get("BENCH_SECONDS") or 4)
DOCS = Path(os.environ.get("BENCH_DOCS") or ROOT / "docs")
RUNTIME, LISTENER, CALLS, POOL, READERS = 8791, 8792, 200, 8, 4
OLDEST = """SELECT coalesce(max(extract(epoch FROM clock_timestamp() - xact_start)) * 1000, 0) FROM pg_stat_activity
             WHERE usename = 'fluxbase_listener' AND (backend_xmin IS NOT NULL OR backend_xid IS NOT NULL)"""
SLEEP = "import sys, asyncio\nsys.path.insert(0, sys.argv[1])\nimport functions\nasyncio.run(functions.runtime())"


def url(user):
    return f"postgres://{user}@/bench?host={SOCKET.replace('/', '%2F')}"


async def runtime():
    """Answers each request after one second."""

    async def serve(reader, writer):
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                length = [line for line in head.split(b"\r\n") if line.startswith(b"content-length:")]
                await reader.readexactly(int(length[0].split(b":")[1]) if length else 0)
                await asyncio.sleep(1)
                writer.write(b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 7\r\n\r\n"slept"')
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", RUNTIME, backlog=1024)
    await server.serve_forever()


def request(key, tool, arguments):
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": tool, "arguments": arguments}}).encode()
    head = f"POST /mcp HTTP/1.1\r\nHost: 127.0.0.1:{LISTENER}\r\nContent-Type: application/json\r\nX-Client-Key: {key}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


async def invoke(message, until):
    """Calls the function over one connection, at least once, until the time is over; how many calls that were."""
    reader, writer = await asyncio.open_connection("127.0.0.1", LISTENER)
    calls = 0
    while calls == 0 or time.monotonic() < until:
        writer.write(message)
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        length = next(line for line in head.split(b"\r\n") if line.startswith(b"content-length:"))
        body = await reader.readexactly(int(length.split(b":")[1]))
        if b'status\\":200' not in body or b'slept' not in body:
            raise SystemExit(f"a wrong answer: {head!r} {body!r}")
        calls += 1
    writer.close()
    return calls


async def load(message, until):
    return sum(await asyncio.gather(*(invoke(message, until) for _ in range(CALLS))))


async def read(requests):
    environment = {**os.environ, "BENCH_REQUESTS": str(requests), "BENCH_METHOD": "POST"}
    run = await asyncio.create_subprocess_exec(
        "wrk", "-t1", f"-c{READERS}", f"-d{SECONDS}s", "--timeout=10s", "-s", str(ROOT / "tests/bench/post.lua"), f"http://127.0.0.1:{LISTENER}/mcp",
        env=environment, stdout=subprocess.PIPE)
    told = json.loads((await run.communicate())[0].decode().strip().splitlines()[-1])
    if told["errors"] or not told["requests"]:
        raise SystemExit(f"query_table failed: {told}")
    return told["requests"] / told["seconds"]


async def measure(key):
    message = request(key, "invoke_function", {"name": "sleeps"})
    arguments = {"table": "users", "select": "id,email,created_at", "order": "id", "limit": 10}
    requests = WORK / "requests"
    body = request(key, "query_table", arguments).split(b"\r\n\r\n", 1)[1].decode()
    requests.write_text(f"X-Client-Key: {key}\1Content-Type: application/json\t{body}\n")
    await load(message, 0)
    await read(requests)
    rounds = []
    for _ in range(ROUNDS):
        alone = await read(requests)
        begun = time.monotonic()
        await load(message, 0)
        took = time.monotonic() - begun
        under_load = asyncio.create_task(load(message, time.monotonic() + SECONDS + 1.5))
        await asyncio.sleep(0.5)
        loaded = await read(requests)
        rounds.append((took, alone, loaded, await under_load))
        print(f"  {CALLS} calls in {took:.2f} s; query_table {alone:,.0f}/s alone, {loaded:,.0f}/s beside {rounds[-1][3]} calls", flush=True)
    return rounds


def spread(values, digits):
    return f"{statistics.median(values):,.{digits}f} | {min(values):,.{digits}f} – {max(values):,.{digits}f}"


def main():
    made = subprocess.run(
        [FLUXBASE, "clientkeys", "create", "--name", "bench", "--user", "00000000-0000-4000-8000-000000000064", "--scopes",
         "read:tables,execute:functions", "--json", "--database-url", url("postgres")], capture_output=True, text=True, check=True)
    key = json.loads(made.stdout)["key"]
    settings = {"FLUXBASE_DATABASE_URL": url("fluxbase_listener"), "FLUXBASE_LISTENER_LISTEN": f"127.0.0.1:{LISTENER}",
                "FLUXBASE_LISTENER_POOL_SIZE": str(POOL), "FLUXBASE_MCP_ENABLED": "true", "FLUXBASE_MCP_RATE_LIMIT_PER_MIN": "1000000000",
                "FLUXBASE_LISTENER_ACCESS_LOG": "false"}
    samples = WORK / "samples"
    running = []
    try:
        running.append(subprocess.Popen([sys.executable, "-c", SLEEP, str(ROOT / "tests/bench")]))
        running.append(subprocess.Popen([FLUXBASE, "serve", "--config", str(ROOT / "fluxbase.yaml")], env={**os.environ, **settings},
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        time.sleep(2)
        busy = os.getloadavg()[0]
        watch = subprocess.Popen([PSQL, "-X", "-q", "-At", "-h", SOCKET, "-U", "postgres", "-d", "bench"], stdin=subprocess.PIPE,
                                 stdout=samples.open("w"), text=True)
        running.append(watch)
        watch.stdin.write(f"{' '.join(OLDEST.split())} \\watch 0.02\n")
        watch.stdin.flush()
        rounds = asyncio.run(measure(key))
    finally:
        for one in running:
            one.kill()
            one.wait()
    ages = [float(line) for line in samples.read_text().split() if line.replace(".", "", 1).isdigit()]
    took, ratios = [one[0] for one in rounds], [one[2] / one[1] for one in rounds]
    model = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), platform.machine())
    commit = subprocess.run(["git", "-C", str(ROOT), "describe", "--always", "--dirty"], capture_output=True, text=True).stdout.strip()

    def verdict(good):
        return "reached" if good else "MISSED"

    text = f"""# Edge functions beside other calls

`make bench-functions` wrote this page: `tests/bench/functions.py` says what is measured. {CALLS} callers, each with a connection of its own, call a
function that sleeps one second, through a listener with a pool of {POOL} connections; {READERS} connections of wrk read ten rows with `query_table`.

- {os.cpu_count()} cores of {model}, {os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB, Linux {platform.release()}; release builds
- {datetime.now(timezone.utc):%Y-%m-%d %H:%M} UTC, commit {commit}
- {ROUNDS} rounds, {SECONDS} s for each measurement of `query_table`, interleaved; load average of the machine before: {busy:.1f}

| | median | lowest – highest | aim |
|---|---:|---:|---|
| {CALLS} calls at once, s | {spread(took, 2)} | within 2: {verdict(statistics.median(took) <= 2)} |
| `query_table` alone, calls/s | {spread([one[1] for one in rounds], 0)} | |
| `query_table` beside {CALLS} calls always under way, calls/s | {spread([one[2] for one in rounds], 0)} | |
| the second to the first, within a round | {spread(ratios, 2)} | at least 0.8: {verdict(statistics.median(ratios) >= 0.8)} |
| oldest transaction with a snapshot or an id, ms | {spread(ages, 1)} | none above 100: {verdict(max(ages) <= 100)} |

{len(ages):,} looks at `pg_stat_activity`, 20 ms after one another. Beside the readers ran {statistics.median([one[3] for one in rounds]):,.0f} calls of the function in a round.
"""
    (DOCS / "benchmarks" / "functions.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
