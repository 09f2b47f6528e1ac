"""The memory of one backend over many calls: see memory.sh.

One session of pgbench calls `mcp._serve` as the listener does: reads of three kinds, an insert, an update, a list of tools and a call that is
refused, with 15 keys. Its private memory (RssAnon) is read from /proc, and what Postgres knows of it (all memory contexts) by the session
itself, every few thousand calls. What is kept fills in the first tenth; after that nothing may grow.
"""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

from common import (BIN, LISTENER_OPTIONS, PORT, SOCKET, TENANTS, TOOLS_LIST, TRANSPORT, WORK, Failed, call, compact, insert, make_keys, psql, read1,
                    read1000, request, update)

CALLS = int(os.environ.get("BENCH_CALLS") or 1_000_000)
# What may be between the end of the first tenth and the end of the run, in kB: pages that malloc happens to hold.
BOUND_KB = 1024
SAMPLES = 200
# pgbench takes 128 scripts.
KEYS = TENANTS[:15]


def scripts(credentials):
    """(weight, script, variables) for each kind of call and key."""
    refused = call("query_table", {"table": "users", "select": "nothing"})
    defines, files = {"transport": compact(TRANSPORT)}, []
    for tenant in KEYS:
        defines[f"credential{tenant}"] = credentials[tenant]
        kinds = {"ten": (60, request(tenant)), "one": (20, read1(tenant)), "many": (1, read1000(tenant)), "insert": (5, insert(tenant)),
                 "update": (5, update(tenant, 3)), "list": (4, TOOLS_LIST), "refused": (5, refused)}
        for kind, (weight, message) in kinds.items():
            defines[f"{kind}{tenant}"] = message
            path = WORK / f"memory-{kind}{tenant}.sql"
            path.write_text(f"SELECT mcp._serve(:{kind}{tenant}::text, :credential{tenant}::text, :transport::text);\n")
            files.append(f"--file={path}@{weight}")
    sample = WORK / "memory-sample.sql"
    sample.write_text("SELECT bench.remember();\n")
    # All weights of a key are 100; pgbench takes whole numbers only, so the samples are a few in a million of the calls.
    files.append(f"--file={sample}@{max(1, round(SAMPLES * 100 * len(KEYS) / CALLS))}")
    return defines, files


def anonymous_kb(pid):
    return int(re.search(r"^RssAnon:\s+(\d+)", Path(f"/proc/{pid}/status").read_text(), re.M)[1])


def run():
    _, credentials = make_keys()
    psql("postgres", """CREATE TABLE bench.memory (n bigint GENERATED ALWAYS AS IDENTITY, total bigint, used bigint);
        CREATE FUNCTION bench.remember() RETURNS void LANGUAGE sql SECURITY DEFINER AS
            'INSERT INTO bench.memory (total, used) SELECT sum(total_bytes), sum(used_bytes) FROM pg_catalog.pg_backend_memory_contexts';
        GRANT USAGE ON SCHEMA bench TO fluxbase_listener""")
    defines, files = scripts(credentials)
    log = open(WORK / "memory.log", "w")
    session = subprocess.Popen(
        [BIN / "pgbench", "--no-vacuum", "--protocol=prepared", "--client=1", f"--transactions={CALLS}", "--progress=10",
         *(f"--define={key}={value}" for key, value in defines.items()), *files, "-h", SOCKET, "-p", PORT, "-U", "fluxbase_listener", "bench"],
        stdout=log, stderr=log, env={**os.environ, "PGOPTIONS": LISTENER_OPTIONS})
    pid, seen = None, []
    try:
        while session.poll() is None:
            time.sleep(0.25)
            if pid is None:
                pid = psql("postgres", "SELECT max(pid) FROM pg_stat_activity WHERE usename = 'fluxbase_listener'") or None
                continue
            try:
                seen.append(anonymous_kb(pid))
            except (FileNotFoundError, TypeError):
                break
        session.wait(60)
    finally:
        session.kill()
    said = (WORK / "memory.log").read_text()
    if session.returncode or f"{CALLS}/{CALLS}" not in said:
        raise Failed("pgbench failed\n" + "\n".join(line for line in said.splitlines() if "ERROR" in line or "error" in line)[:2000])
    contexts = [tuple(map(int, line.split("|"))) for line in psql("postgres", "SELECT total, used FROM bench.memory ORDER BY n").splitlines()]
    if len(seen) < 10 or len(contexts) < 5:
        raise Failed(f"too few samples: {len(seen)} of the process, {len(contexts)} of its contexts. Give it more calls: BENCH_CALLS")
    return seen, contexts


def report(seen, contexts):
    def row(title, values, unit):
        tenth, last = values[len(values) // 10], values[-1]
        print(f"  {title:<44}{values[0]:>10,} {tenth:>10,} {max(values[len(values) // 10:]):>10,} {last:>10,}  {unit}")
        return last - tenth
    print(f"\n{CALLS:,} calls in one backend\n  {'':<44}{'first':>10} {'a tenth':>10} {'most later':>10} {'last':>10}")
    grown = row("private memory (RssAnon)", seen, "kB")
    row("memory contexts, total", [total // 1024 for total, _ in contexts], "kB")
    used = row("memory contexts, used", [used // 1024 for _, used in contexts], "kB")
    if max(grown, used) > BOUND_KB:
        raise Failed(f"it grew by {max(grown, used):,} kB after the first tenth; {BOUND_KB:,} kB are allowed")


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        report(*run())
    except Failed as error:
        sys.exit(f"\nerror: {error}")
    except subprocess.CalledProcessError as error:
        sys.exit(f"\nerror: {error}\n{error.stderr}")


main()
