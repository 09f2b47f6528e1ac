"""Counts instructions, allocations and system calls of one call: see instructions.sh.

Two sessions make a different number of the same calls; their difference, divided by the difference of calls, is what one call costs,
whatever starting up cost. callgrind counts what the program's instructions are, not how long they take.
"""

import collections
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from common import (BIN, COLUMNS, LISTENER_OPTIONS, NO_LIMIT, PORT, PROTOCOL, ROOT, SOCKET, TENANTS, TRANSPORT, WORK, Failed, compact, insert, make_keys, psql, read1, read1000,
                    request, update, url, uuid)
from section_growth import more_keys, tables, tools

CALLS = int(os.environ.get("BENCH_CALLS") or 500)
FEW = 100
ONLY = [name for name in os.environ.get("BENCH_ONLY", "").split(",") if name]
KEEP = os.environ.get("BENCH_KEEP")
RUN_AS = os.environ.get("BENCH_RUN_AS")
TENANT = TENANTS[0]
# Stage: the functions whose whole cost (with what they call) is shown, by a part of their name.
STAGES = {
    "message read": ["fluxbase_protocol::envelope::parse", "fluxbase_protocol::ladder"],
    "key": ["identity::of_credential"],
    "guard without its body": ["guard::run"],
    "settings pinned": ["guard::pin"],
    "plan and SQL": ["fluxbase_query::read::select"],
    "statement": ["statement::run"],
    "parameters bound": ["statement::bind"],
    "executor": ["_SPI_execute_plan"],
    "answer": ["result::<impl fluxbase_protocol::call::Call>::tool_output", "tool_output"],
}
ALLOCATORS = ["malloc", "realloc", "calloc", "AllocSetAlloc", "palloc"]


def as_user(command):
    if not RUN_AS:
        return command
    return ["setpriv", f"--reuid={RUN_AS}", f"--regid={RUN_AS}", "--init-groups", "--", "env", "HOME=/nonexistent", *command]


class Profile:
    """A file of callgrind's: instructions by function, alone and with what it calls, and how often it was called."""

    def __init__(self, path):
        self.own, self.whole, self.calls = (collections.Counter() for _ in range(3))
        names, current, callee, after_calls = {}, None, None, False

        def name(text):
            number, _, rest = text.partition(" ")
            if rest:
                names[number] = rest
            return names[number]

        with open(path, errors="replace") as lines:
            for line in lines:
                if line.startswith("fn="):
                    current = name(line[3:].strip())
                elif line.startswith("cfn="):
                    callee = name(line[4:].strip())
                elif line.startswith("calls="):
                    self.calls[callee] += int(line[6:].split()[0])
                    after_calls = True
                elif line[:1] in "+-*0123456789" and line.strip():
                    cost = int(line.split()[1]) if len(line.split()) > 1 else 0
                    if after_calls:
                        if callee != current:
                            self.whole[current] += cost
                        after_calls = False
                    else:
                        self.own[current] += cost
                        self.whole[current] += cost
        self.total = sum(self.own.values())

    def minus(self, other, calls):
        self.total = (self.total - other.total) / calls
        for mine, theirs in ((self.own, other.own), (self.whole, other.whole), (self.calls, other.calls)):
            mine.subtract(theirs)
            for key in mine:
                mine[key] /= calls
        return self

    def matching(self, table, parts):
        return sum(value for key, value in table.items() if any(part in key for part in parts))


def valgrind(name):
    return ["valgrind", "--tool=callgrind", "--trace-children=yes", "--compress-pos=no", "--compress-strings=yes",
            f"--callgrind-out-file={WORK}/{name}.%p", f"--log-file={WORK}/{name}.log.%p"]


def wait_for(what, seconds=120):
    end = time.time() + seconds
    while time.time() < end:
        if what():
            return
        time.sleep(0.2)
    raise Failed("it did not start")


class Postgres:
    """The cluster under callgrind; each backend leaves a file when it ends."""

    def __enter__(self):
        command = as_user([*valgrind("backend"), str(BIN / "postgres"), "-D", str(WORK / "data")])
        self.log = open(WORK / "valgrind.log", "w")
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, cwd="/")
        wait_for(lambda: subprocess.run([BIN / "pg_isready", "-q", "-h", SOCKET, "-p", PORT]).returncode == 0)
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGINT)
        self.process.wait(120)


def pgbench(user, script, defines, calls):
    path = WORK / "calls.sql"
    path.write_text(script)
    run = subprocess.run(
        [BIN / "pgbench", "--no-vacuum", "--protocol=prepared", "--client=1", f"--transactions={calls}", f"--file={path}",
         *(f"--define={key}={value}" for key, value in defines.items()), "-h", SOCKET, "-p", PORT, "-U", user, "bench"],
        capture_output=True, text=True, env={**os.environ, "PGOPTIONS": LISTENER_OPTIONS if user == "fluxbase_listener" else ""})
    if run.returncode or f"{calls}/{calls}" not in run.stdout:
        raise Failed(f"pgbench failed\n{run.stdout}{run.stderr}")


def backend(user, script, defines):
    """What one call costs the backend."""
    profiles = []
    for calls in (FEW, FEW + CALLS):
        before = set(WORK.glob("backend.*"))
        pgbench(user, script, defines, calls)
        found = []

        def files():
            # The one that made the calls is by far the largest count; other processes end, too.
            found[:] = [p for p in set(WORK.glob("backend.*")) - before if ".log." not in p.name and p.stat().st_size > 0]
            return found
        wait_for(files)
        time.sleep(1)
        files()
        best = max((Profile(path) for path in found), key=lambda profile: profile.total)
        if KEEP and calls > FEW:
            for path in found:
                shutil.copy(path, KEEP)
        profiles.append(best)
    return profiles[1].minus(profiles[0], CALLS)


def cases(credentials):
    as_json = f"SELECT json_agg(r) FROM ({COLUMNS}) AS r;"
    session = (f"\\if :ready\n\\else\nSELECT set_config('request.jwt.claim.sub', '{uuid(TENANT)}', false);\n\\set ready 1\n\\endif\n")
    serve = "SELECT mcp._serve(:request::text, :credential::text, :transport::text);"

    def served(message, **transport):
        return ("fluxbase_listener", serve,
                {"request": message, "credential": credentials[TENANT], "transport": compact({**TRANSPORT, **transport})})
    return {
        "pgbench_json": ("bench_user", session + as_json.replace(":tenant", f"'{uuid(TENANT)}'") + "\n", {"ready": 0}),
        "read10": served(request(TENANT)),
        "read10_structured": served(request(TENANT), headers={"mcp-protocol-version": [PROTOCOL]}),
        "read1": served(read1(TENANT)),
        "read1000": served(read1000(TENANT)),
        "insert": served(insert(TENANT)),
        "update": served(update(TENANT, 0)),
        "tools_list": served(compact({"jsonrpc": "2.0", "id": 1, "method": "tools/list"})),
    }


def show(name, profile):
    print(f"\n{name}: {profile.total:,.0f} instructions a call", flush=True)
    counted = {n: profile.matching({k: v for k, v in profile.calls.items() if re.sub(r"'\d+$", "", k) == n}, [n]) for n in ALLOCATORS}
    print("   calls: " + ", ".join(f"{n} {c:,.1f}" for n, c in counted.items() if c))
    for stage, parts in STAGES.items():
        found = [(value, key) for key, value in profile.whole.items() if any(part in key for part in parts)]
        if found:
            print(f"   {max(found)[0]:>10,.0f}  {stage}  ({max(found)[1]})")
    if os.environ.get("BENCH_TOP"):
        for table in (profile.own, profile.whole):
            print("   ---")
            for key, value in table.most_common(int(os.environ["BENCH_TOP"])):
                print(f"   {value:>10,.0f}  {profile.calls[key]:>7.1f}x  {key[:150]}")


class Listener:
    """`fluxbase serve` under a program that watches it."""

    def __init__(self, watcher):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        environment = {**os.environ, "FLUXBASE_DATABASE_URL": url("fluxbase_listener"), "FLUXBASE_LISTENER_LISTEN": f"127.0.0.1:{self.port}",
                       "FLUXBASE_MCP_ENABLED": "true", "FLUXBASE_MCP_RATE_LIMIT_PER_MIN": str(NO_LIMIT), "TOKIO_WORKER_THREADS": "1"}
        command = [*watcher, os.environ["FLUXBASE_BIN"], "serve", "--config", str(ROOT / "fluxbase.yaml")]
        self.log = open(WORK / "listener.server.log", "w")
        self.process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)

    def calls(self, key, headers, body, count):
        def answers():
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return True
            except OSError:
                return False
        wait_for(answers)
        head = "\r\n".join(["POST /mcp HTTP/1.1", f"Host: 127.0.0.1:{self.port}", "Content-Type: application/json",
                            "Accept: application/json, text/event-stream",
                            f"X-Client-Key: {key}", f"Content-Length: {len(body)}", *headers]).encode() + b"\r\n\r\n"
        with socket.create_connection(("127.0.0.1", self.port), 60) as connection:
            for _ in range(count):
                connection.sendall(head + body)
                answer = b""
                while True:
                    above, found, below = answer.partition(b"\r\n\r\n")
                    length = re.search(rb"content-length: *(\d+)", above, re.I) if found else None
                    if length and len(below) >= int(length[1]):
                        break
                    answer += connection.recv(65536)
                if not answer.startswith(b"HTTP/1.1 200 ") or b'"isError":true' in answer:
                    raise Failed(f"it answered {answer[:1000]!r}")

    def end(self):
        self.process.terminate()
        self.process.wait(60)


def listener(key, headers, body):
    """What one request costs the listener."""
    profiles = []
    for calls in (FEW, FEW + CALLS):
        one = Listener(valgrind("listener"))
        one.calls(key, headers, body, calls)
        one.end()
        path = WORK / f"listener.{one.process.pid}"
        profiles.append(Profile(path))
        if KEEP and calls > FEW:
            shutil.copy(path, KEEP)
        path.unlink()
    return profiles[1].minus(profiles[0], CALLS)


def system_calls(key, body):
    """System calls of one request, in the listener and in the backend that answers it, with a client that waits for each answer."""
    one = Listener([])
    one.calls(key, [], body, FEW)
    backends = psql("postgres", "SELECT string_agg(pid::text, ',') FROM pg_stat_activity WHERE usename = 'fluxbase_listener'").split(",")
    watched = {"listener": [str(one.process.pid)], "backend": backends}
    tracers = {who: subprocess.Popen(["strace", "-f", "-c", "-o", WORK / f"strace.{who}", *(part for pid in pids for part in ("-p", pid))],
                                     stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for who, pids in watched.items()}
    time.sleep(2)
    one.calls(key, [], body, CALLS)
    for who, tracer in tracers.items():
        tracer.send_signal(signal.SIGINT)
        tracer.wait(30)
        lines = [line.split() for line in (WORK / f"strace.{who}").read_text().splitlines()]
        counts = {line[-1]: int(line[3]) / CALLS for line in lines if len(line) >= 5 and line[3].isdigit() and line[-1] != "total"}
        shown = ", ".join(f"{name} {count:.2f}" for name, count in sorted(counts.items(), key=lambda pair: -pair[1]) if count >= 0.05)
        print(f"\n{who}, read10: {sum(counts.values()):.1f} system calls a call: {shown}", flush=True)
    one.end()


def start():
    plain = subprocess.run(as_user([str(BIN / "pg_ctl"), "-D", str(WORK / "data"), "-w", "-s", "-l", str(WORK / "server.log"), "start"]), cwd="/")
    if plain.returncode:
        raise Failed("Postgres did not start")


def stop():
    subprocess.run(as_user([str(BIN / "pg_ctl"), "-D", str(WORK / "data"), "-w", "-s", "-m", "fast", "stop"]), cwd="/", check=True)


def count(backends):
    if backends:
        with Postgres():
            for name, case in backends.items():
                show(name, backend(*case))


def run():
    start()
    keys, credentials = make_keys()
    key, body = keys[TENANT], request(TENANT).encode()
    if not ONLY or "system_calls" in ONLY:
        system_calls(key, body)
    if not ONLY or "listener" in ONLY:
        show("listener, read10", listener(key, [], body))
    if not ONLY or "listener_structured" in ONLY:
        show("listener, read10 with structured content", listener(key, [f"MCP-Protocol-Version: {PROTOCOL}"], body))
    stop()
    backends = cases(credentials)
    count({name: case for name, case in backends.items() if not ONLY or name in ONLY})
    # The same calls in a database with many other things, on which none of them may hang.
    grown = {f"{name}_grown": backends[name] for name in ("read10", "insert")}
    grown = {name: case for name, case in grown.items() if not ONLY or name in ONLY}
    if grown:
        start()
        tables(0, 1000)
        more_keys(0, 10_000)
        tools(0, 1000)
        stop()
        print("\nwith 1,000 more tables, 10,000 more keys and 1,000 registered tools:", flush=True)
        count(grown)


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        run()
    except Failed as error:
        sys.exit(f"\nerror: {error}")
    except subprocess.CalledProcessError as error:
        sys.exit(f"\nerror: {error}\n{error.stderr}")


main()
