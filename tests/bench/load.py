"""What can be measured: pgbench with a script, and requests to an HTTP server by wrk. Each checks its answers before it is timed."""

import json
import os
import re
import socket
import statistics
import subprocess
import time

from common import BIN, HERE, PORT, SOCKET, WORK, Failed

ROUNDS, SECONDS, WARMUP, CLIENTS = (
    int(os.environ.get(f"BENCH_{name}") or default)
    for name, default in (("ROUNDS", 5), ("SECONDS", 5), ("WARMUP", 1), ("CLIENTS", 16))
)
POOL = 4 * os.cpu_count()  # the listener's default
SERVERS = []


class Pgbench:
    """pgbench -M prepared. `scripts` are chosen from at random, `defines` are its variables; `check` raises what is wrong."""

    def __init__(self, name, title, user, scripts, defines, check=None, clients=CLIENTS, options=""):
        self.name, self.title, self.user, self.clients, self.options = name, title, user, clients, options
        self.check = check or (lambda: None)
        self.defines = [f"--define={key}={value}" for key, value in defines.items()]
        self.files = []
        for number, text in enumerate(scripts):
            path = WORK / f"{name}-{number}.sql"
            path.write_text(text)
            self.files.append(f"--file={path}")

    def measure(self):
        log = WORK / f"{self.name}.log"
        run = subprocess.run(
            [BIN / "pgbench", "--no-vacuum", "--protocol=prepared", f"--client={self.clients}", "--jobs=1", f"--time={WARMUP + SECONDS}",
             "--progress=1", "--log", f"--log-prefix={log}", "--sampling-rate=0.2", *self.defines, *self.files,
             "-h", SOCKET, "-p", PORT, "-U", self.user, "bench"],
            capture_output=True, text=True, env={**os.environ, "PGOPTIONS": self.options})
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


class Server:
    """A program that listens on ADDRESS (HOST and PORT), which stands in its command, its environment and its files."""

    def __init__(self, name, command, environment=None, files=None, seconds=60):
        self.name = name
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]

        def filled(text):
            text = text.replace("ADDRESS", f"127.0.0.1:{self.port}").replace("HTTP_PORT", str(self.port))
            return text.replace("WORK", str(WORK))
        for file, content in (files or {}).items():
            (WORK / file).write_text(filled(content))
        self.log = WORK / f"{name}.server.log"
        environment = {**os.environ, **{key: filled(value) for key, value in (environment or {}).items()}}
        started = time.monotonic()
        with open(self.log, "w") as log:
            self.process = subprocess.Popen([filled(str(part)) for part in command], env=environment, stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=log, cwd=WORK)
        SERVERS.append(self.process)
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                break
            except OSError:
                if self.process.poll() is not None or time.monotonic() > started + seconds:
                    raise Failed(f"{name} did not start\n{self.said()}") from None
                time.sleep(0.02)
        self.start_ms = (time.monotonic() - started) * 1000

    def said(self):
        return self.log.read_text(errors="replace")[-2000:]

    def rss_mb(self):
        """Resident memory of the program and its children, in MB."""
        table = {}
        for line in subprocess.run(["ps", "-eo", "pid=,ppid=,rss="], capture_output=True, text=True).stdout.splitlines():
            pid, parent, rss = map(int, line.split())
            table[pid] = (parent, rss)
        ours, grown = {self.process.pid}, True
        while grown:
            more = {pid for pid, (parent, _) in table.items() if parent in ours} - ours
            ours |= more
            grown = bool(more)
        return sum(table[pid][1] for pid in ours if pid in table) / 1024

    def post(self, path, headers, body, method="POST"):
        """The status, the headers as text, and the whole body of an answer."""
        head = [f"{method} {path} HTTP/1.1", f"Host: 127.0.0.1:{self.port}", "Connection: close", f"Content-Length: {len(body)}",
                *(f"{key}: {value}" for key, value in headers.items())]
        with socket.create_connection(("127.0.0.1", self.port), 30) as connection:
            connection.sendall("\r\n".join(head).encode() + b"\r\n\r\n" + body)
            answer = b""
            while part := connection.recv(65536):
                answer += part
        above, _, below = answer.partition(b"\r\n\r\n")
        if re.search(rb"transfer-encoding: *chunked", above, re.I):
            whole, rest = b"", below
            while rest:
                size, _, rest = rest.partition(b"\r\n")
                length = int(size, 16)
                if not length:
                    break
                whole, rest = whole + rest[:length], rest[length + 2:]
            below = whole
        if not above:
            raise Failed(f"{self.name} closed the connection\n{self.said()}")
        return int(above.split(None, 2)[1]), above.decode(), below


class Http:
    """Requests to a server by wrk, in turn: pairs of headers and body. `check(headers, body, answer)` raises what is wrong."""

    def __init__(self, name, title, server, path, requests, check, clients=CLIENTS, method="POST", varies=False, tolerated=0):
        self.name, self.title, self.server, self.path, self.requests = name, title, server, path, requests
        self.check_one, self.clients, self.method, self.varies = check, clients, method, varies
        # The share of requests that may fail; 0 for what is ours.
        self.tolerated = tolerated
        self.size = 0

    def check(self):
        sizes = []
        for headers, body in self.requests:
            status, head, answer = self.server.post(self.path, headers, body.encode(), self.method)
            if status // 100 != 2:
                raise Failed(f"{self.name} answered {status}: {answer[:2000]!r}\n{self.server.said()}")
            self.check_one(headers, body, answer)
            sizes.append(len(answer))
        self.size = statistics.fmean(sizes)

    def measure(self):
        self.wrk(WARMUP)
        run = self.wrk(SECONDS)
        # wrk counts heads, too; a body that is much smaller is an error in an answer of status 200.
        small = run["bytes"] / max(run["requests"], 1) < 0.9 * self.size
        if run["errors"] > self.tolerated * run["requests"] or (small and not self.varies):
            raise Failed(f"{self.name}: {run}; bodies should have {self.size:.0f} bytes\n{self.server.said()}")
        return {"rps": run["requests"] / run["seconds"], "p50_ms": run["p50"], "p99_ms": run["p99"]}

    def wrk(self, seconds):
        lines = WORK / f"{self.name}.lines"
        # For Lua: method and path are the same for all; header lines and body are separated by tabs and \x01.
        lines.write_text("".join("\x01".join(f"{k}: {v}" for k, v in headers.items()) + "\t" + body + "\n" for headers, body in self.requests))
        environment = {**os.environ, "BENCH_REQUESTS": str(lines), "BENCH_METHOD": self.method}
        run = subprocess.run(["wrk", "-t1", f"-c{self.clients}", f"-d{max(seconds, 1)}s", "--timeout=10s", "-s", HERE / "post.lua",
                              f"http://127.0.0.1:{self.server.port}{self.path}"], env=environment, capture_output=True, text=True)
        if run.returncode != 0:
            raise Failed(f"{self.name}: wrk failed\n{run.stdout}{run.stderr}")
        return json.loads(run.stdout.splitlines()[-1])


def interleaved(contenders, say=print):
    """Measures them in turn, round after round. A list of rounds: name to figures."""
    for one in contenders:
        one.check()
    say(f"{len(contenders)} contenders, every answer is right. {ROUNDS} rounds of {len(contenders)} × {WARMUP + SECONDS} s")
    rounds = []
    for number in range(1, ROUNDS + 1):
        rounds.append({})
        for one in contenders:
            result = rounds[-1][one.name] = one.measure()
            say(f"  round {number}  {one.name:<22}{result['rps']:>9,.0f} /s   p50 {result['p50_ms']:7.2f} ms   p99 {result['p99_ms']:7.2f} ms")
    for one in contenders:
        one.check()
    return rounds


def end_servers():
    for server in SERVERS:
        server.terminate()
    for server in SERVERS:
        try:
            server.wait(35)
        except subprocess.TimeoutExpired:
            server.kill()
    SERVERS.clear()
