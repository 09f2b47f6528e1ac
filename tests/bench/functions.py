"""Measures what edge functions cost the others: see tests/bench/functions.sh, which made the cluster and removes it.

Rounds are interleaved: query_table alone, 200 calls of a function that sleeps one second, query_table while 200 such calls are always under
way, and query_table while the same callers ask the same runtime directly: what that takes away is not ours. Every answer is checked. Callers and
runtime are tests/src/bin/function_load.rs; the processor time of each process is read from /proc, since all of them share the same cores. All the
while another connection looks, every 20 ms, for the oldest transaction of the listener's that holds a snapshot or an id; one that holds neither
keeps nothing from being cleaned up (CALL mcp._wait is such a one).
"""

import asyncio
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from datetime import datetime, timezone
from pathlib import Path

ROOT, WORK = (Path(os.environ[f"BENCH_{name}"]) for name in ("ROOT", "WORK"))
SOCKET, FLUXBASE, LOAD = (os.environ[name] for name in ("BENCH_SOCKET", "FLUXBASE_BIN", "FUNCTION_LOAD_BIN"))
PSQL = Path(os.environ["FLUXBASE_TEST_PG_BIN"]) / "psql"
ROUNDS, SECONDS = int(os.environ.get("BENCH_ROUNDS") or 5), int(os.environ.get("BENCH_SECONDS") or 4)
DOCS = Path(os.environ.get("BENCH_DOCS") or ROOT / "docs")
RUNTIME, LISTENER, CALLS, POOL, READERS = 8791, 8792, 200, 8, 4
OLDEST = """SELECT coalesce(max(extract(epoch FROM clock_timestamp() - xact_start)) * 1000, 0) FROM pg_stat_activity
             WHERE usename = 'fluxbase_listener' AND (backend_xmin IS NOT NULL OR backend_xid IS NOT NULL)"""
TICK = os.sysconf("SC_CLK_TCK")
GROUPS = {"backends of the listener": "query_table, and both transactions of each call", "listener": "", "delegate worker": "",
          "other processes of Postgres": "WAL, and the looks at pg_stat_activity", "wrk": "the readers", "callers": "", "runtime": ""}


def url(user):
    return f"postgres://{user}@/bench?host={SOCKET.replace('/', '%2F')}"


def cpu(pids):
    """Processor seconds so far, by group. `pids` names processes; Postgres's are found below its postmaster."""
    postmaster = (WORK / "data/postmaster.pid").read_text().split()[0]
    told = dict.fromkeys(GROUPS, 0.0)
    for place in Path("/proc").iterdir():
        if not place.name.isdigit():
            continue
        try:
            fields = (place / "stat").read_text().rsplit(")", 1)[1].split()
            line = (place / "cmdline").read_text().replace("\0", " ")
        except OSError:
            continue
        group = pids.get(int(place.name))
        if fields[1] == postmaster or place.name == postmaster:
            group = ("backends of the listener" if "fluxbase_listener" in line else "delegate worker" if "fluxbase_mcp delegate" in line
                     else "other processes of Postgres")
        if group:
            told[group] += (int(fields[11]) + int(fields[12])) / TICK
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    told["wrk"] = ended.ru_utime + ended.ru_stime
    return told


def request(key, tool, arguments):
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": tool, "arguments": arguments}}).encode()
    head = f"POST /mcp HTTP/1.1\r\nHost: 127.0.0.1:{LISTENER}\r\nContent-Type: application/json\r\nX-Client-Key: {key}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


async def begin_load(address, message, seconds, *expected):
    return await asyncio.create_subprocess_exec(LOAD, "call", address, str(message), str(CALLS), str(seconds), *expected, stdout=subprocess.PIPE)


async def end_load(load):
    told = (await load.communicate())[0]
    if load.returncode:
        raise SystemExit("a call of the function failed")
    return json.loads(told)


async def read(requests, pids):
    """Calls of query_table a second, and the processor time of each group a second meanwhile."""
    environment = {**os.environ, "BENCH_REQUESTS": str(requests), "BENCH_METHOD": "POST"}
    before, begun = cpu(pids), time.monotonic()
    run = await asyncio.create_subprocess_exec(
        "wrk", "-t1", f"-c{READERS}", f"-d{SECONDS}s", "--timeout=10s", "-s", str(ROOT / "tests/bench/post.lua"), f"http://127.0.0.1:{LISTENER}/mcp",
        env=environment, stdout=subprocess.PIPE)
    told = json.loads((await run.communicate())[0].decode().strip().splitlines()[-1])
    if told["errors"] or not told["requests"]:
        raise SystemExit(f"query_table failed: {told}")
    after, took = cpu(pids), time.monotonic() - begun
    return told["requests"] / told["seconds"], {group: (after[group] - before[group]) / took for group in GROUPS}


async def beside(requests, pids, address, message, *expected):
    """The same while the callers are under way, and how many calls they made a second."""
    load = await begin_load(address, message, SECONDS + 1.5, *expected)
    await asyncio.sleep(0.5)
    rate, used = await read(requests, {**pids, load.pid: "callers"})
    told = await end_load(load)
    return rate, used, told["calls"] / told["seconds"]


async def measure(key, pids):
    ours, plain, requests = WORK / "invoke", WORK / "plain", WORK / "requests"
    ours.write_bytes(request(key, "invoke_function", {"name": "sleeps"}))
    plain.write_bytes(f"POST /sleeps HTTP/1.1\r\nHost: 127.0.0.1:{RUNTIME}\r\nContent-Length: 0\r\n\r\n".encode())
    runtime, listener, answered = f"127.0.0.1:{RUNTIME}", f"127.0.0.1:{LISTENER}", ('status\\":200', "slept")
    arguments = {"table": "users", "select": "id,email,created_at", "order": "id", "limit": 10}
    body = request(key, "query_table", arguments).split(b"\r\n\r\n", 1)[1].decode()
    requests.write_text(f"X-Client-Key: {key}\1Content-Type: application/json\t{body}\n")
    await end_load(await begin_load(listener, ours, 0, *answered))
    await read(requests, pids)
    rounds = []
    for _ in range(ROUNDS):
        one = {"alone": await read(requests, pids), "took": (await end_load(await begin_load(listener, ours, 0, *answered)))["seconds"]}
        one["beside"] = await beside(requests, pids, listener, ours, *answered)
        one["plain"] = await beside(requests, pids, runtime, plain, "slept")
        rounds.append(one)
        print(f"  {CALLS} calls in {one['took']:.2f} s; query_table {one['alone'][0]:,.0f}/s alone, {one['beside'][0]:,.0f}/s beside "
              f"{one['beside'][2]:.0f} calls/s, {one['plain'][0]:,.0f}/s beside {one['plain'][2]:.0f}/s of the runtime alone", flush=True)
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
        running.append(subprocess.Popen([LOAD, "runtime", f"127.0.0.1:{RUNTIME}"], stdout=subprocess.DEVNULL))
        running.append(subprocess.Popen([FLUXBASE, "serve", "--config", str(ROOT / "fluxbase.yaml")], env={**os.environ, **settings},
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        time.sleep(2)
        busy = os.getloadavg()[0]
        watch = subprocess.Popen([PSQL, "-X", "-q", "-At", "-h", SOCKET, "-U", "postgres", "-d", "bench"], stdin=subprocess.PIPE,
                                 stdout=samples.open("w"), text=True)
        running.append(watch)
        watch.stdin.write(f"{' '.join(OLDEST.split())} \\watch 0.02\n")
        watch.stdin.flush()
        rounds = asyncio.run(measure(key, {running[0].pid: "runtime", running[1].pid: "listener"}))
    finally:
        for one in running:
            one.kill()
            one.wait()
    ages = [float(line) for line in samples.read_text().split() if line.replace(".", "", 1).isdigit()]
    took = [one["took"] for one in rounds]
    rates = {phase: [one[phase][0] for one in rounds] for phase in ("alone", "beside", "plain")}
    ratios, floor = ([loaded / alone for loaded, alone in zip(rates[phase], rates["alone"])] for phase in ("beside", "plain"))
    calls = statistics.median(one["beside"][2] for one in rounds)

    def used(phase, group):
        return statistics.median(one[phase][1][group] for one in rounds)

    model = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), platform.machine())
    commit = subprocess.run(["git", "-C", str(ROOT), "describe", "--always", "--dirty"], capture_output=True, text=True).stdout.strip()

    def verdict(good):
        return "reached" if good else "MISSED"

    processors = "\n".join(
        f"| {group}{f' ({what})' if what else ''} | " + " | ".join(f"{used(phase, group) * 1000:,.0f}" for phase in ("alone", "beside", "plain")) + " |"
        for group, what in GROUPS.items())
    text = f"""# Edge functions beside other calls

`make bench-functions` wrote this page: `tests/bench/functions.py` says what is measured. {CALLS} callers, each with a connection of its own, call a
function that sleeps one second, through a listener with a pool of {POOL} connections; {READERS} connections of wrk read ten rows with `query_table`.

- {os.cpu_count()} cores of {model}, {os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB, Linux {platform.release()}; release builds
- {datetime.now(timezone.utc):%Y-%m-%d %H:%M} UTC, commit {commit}
- {ROUNDS} rounds, {SECONDS} s for each measurement of `query_table`, interleaved; load average of the machine before: {busy:.1f}

| | median | lowest – highest | aim |
|---|---:|---:|---|
| {CALLS} calls at once, s | {spread(took, 2)} | within 2: {verdict(statistics.median(took) <= 2)} |
| `query_table` alone, calls/s | {spread(rates["alone"], 0)} | |
| `query_table` beside {CALLS} calls always under way, calls/s | {spread(rates["beside"], 0)} | |
| the second to the first, within a round | {spread(ratios, 2)} | at least 0.8: {verdict(statistics.median(ratios) >= 0.8)} |
| `query_table` while the callers ask the runtime directly, to `query_table` alone | {spread(floor, 2)} | |
| oldest transaction with a snapshot or an id, ms | {spread(ages, 1)} | none above 100: {verdict(max(ages) <= 100)} |

{len(ages):,} looks at `pg_stat_activity`, 20 ms after one another. Beside the readers ran {calls:.0f} calls of the function a second.

Processor time, ms of each second; the cores have {os.cpu_count() * 1000}:

| | alone | beside calls of the function | beside the runtime asked directly |
|---|---:|---:|---:|
{processors}
"""
    (DOCS / "benchmarks" / "functions.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
