"""Measures files of 1 MB through the whole listener beside dd and nginx: see tests/bench/files.sh, which made the cluster and removes it.

Rounds are interleaved, dd, upload, dd, download, nginx, dd …: ratios are taken within a round. One connection, one file after the other: it is
the time of one call that is told, not how many calls fit. Every answer is checked. Files are random bytes, sent and answered as base64.
"""

import base64
import hashlib
import http.client
import json
import os
import platform
import statistics
import subprocess
import time
from datetime import datetime, timezone
from pathlib import Path

ROOT, WORK = (Path(os.environ[f"BENCH_{name}"]) for name in ("ROOT", "WORK"))
SOCKET, FLUXBASE, NGINX = os.environ["BENCH_SOCKET"], os.environ["FLUXBASE_BIN"], os.environ["BENCH_NGINX"]
ROUNDS, FILES = int(os.environ.get("BENCH_ROUNDS") or 7), int(os.environ.get("BENCH_FILES") or 40)
DOCS = Path(os.environ.get("BENCH_DOCS") or ROOT / "docs")
SIZE, LISTENER, SERVER = 1 << 20, 8793, 8794


def url(user):
    return f"postgres://{user}@/bench?host={SOCKET.replace('/', '%2F')}"


def timed(work):
    """Milliseconds for each of FILES files."""
    begun = time.perf_counter()
    for number in range(FILES):
        work(number)
    return (time.perf_counter() - begun) * 1000 / FILES


class Tools:
    """The listener over one connection."""

    def __init__(self, key):
        self.connection = http.client.HTTPConnection("127.0.0.1", LISTENER)
        self.headers = {"Content-Type": "application/json", "X-Client-Key": key}

    def call(self, tool, arguments):
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": tool, "arguments": arguments}})
        self.connection.request("POST", "/mcp", body, self.headers)
        answer = self.connection.getresponse()
        text = answer.read()
        result = json.loads(text).get("result", {})
        if answer.status != 200 or result.get("isError") is not False:
            raise SystemExit(f"{tool} failed: {answer.status} {text[:500]!r}")
        return result["content"][0]


def dd(*arguments):
    # A shell would cost more than the copy.
    subprocess.run(["dd", "bs=1M", "status=none", *arguments], check=True)


def measure(tools, contents):
    encoded = [base64.b64encode(content).decode() for content in contents]
    source, store = WORK / "source", WORK / "written"
    store.mkdir()
    served = WORK / "served"
    served.mkdir(mode=0o755)
    for number, content in enumerate(contents):
        (served / str(number)).write_bytes(content)
    source.write_bytes(contents[0])
    nginx = http.client.HTTPConnection("127.0.0.1", SERVER)
    run = 0

    def write(number):
        dd(f"if={source}", f"of={store / f'{run}-{number}'}", "conv=fsync")

    def flush(number):
        # The same without a process: what dd does, and no more.
        file = os.open(store / f"in-{run}-{number}", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        os.write(file, contents[number])
        os.fsync(file)
        os.close(file)

    def upload(number):
        told = json.loads(tools.call("upload_object", {"bucket": "bench", "key": f"{run}/{number}", "content": encoded[number], "encoding": "base64"})["text"])
        if told["etag"] != hashlib.sha256(contents[number]).hexdigest():
            raise SystemExit(f"another file was stored: {told}")

    def read(number):
        dd(f"if={served / str(number)}", "of=/dev/null")

    def download(number):
        item = tools.call("download_object", {"bucket": "bench", "key": f"{run}/{number}"})
        if json.loads(item["text"])["content"] != encoded[number]:
            raise SystemExit(f"another file was read: {str(item)[:200]}")

    def get(number):
        nginx.request("GET", f"/{number}")
        if nginx.getresponse().read() != contents[number]:
            raise SystemExit("nginx served another file")

    def get_encoded(number):
        # What the answer of a tool costs its client besides: base64, JSON.
        nginx.request("GET", f"/{number}")
        json.loads(json.dumps(base64.b64encode(nginx.getresponse().read()).decode()))

    works = {"dd write": write, "write": flush, "upload": upload, "dd read": read, "download": download, "nginx": get, "nginx json": get_encoded}
    rounds = []
    for run in range(-1, ROUNDS):
        rounds.append({name: timed(work) for name, work in works.items()})
        if run < 0:
            rounds.clear()  # warm
        else:
            print("  " + ", ".join(f"{name} {took:.2f} ms" for name, took in rounds[-1].items()), flush=True)
    return rounds


def spread(values, digits=2):
    return f"{statistics.median(values):,.{digits}f} | {min(values):,.{digits}f} – {max(values):,.{digits}f}"


def main():
    made = subprocess.run(
        [FLUXBASE, "clientkeys", "create", "--name", "bench", "--user", "bench", "--scopes", "read:storage,write:storage", "--json",
         "--database-url", url("postgres")], capture_output=True, text=True, check=True)
    key = json.loads(made.stdout)["key"]
    settings = {"FLUXBASE_DATABASE_URL": url("fluxbase_listener"), "FLUXBASE_LISTENER_LISTEN": f"127.0.0.1:{LISTENER}", "FLUXBASE_MCP_ENABLED": "true",
                "FLUXBASE_MCP_RATE_LIMIT_PER_MIN": "1000000000"}
    (WORK / "nginx.conf").write_text(
        f"daemon off; pid {WORK}/nginx.pid; error_log {WORK}/nginx.log; worker_processes 1; {'user root;' if os.geteuid() == 0 else ''}\n"
        f"events {{}} http {{ access_log off; sendfile on; keepalive_requests 1000000; client_body_temp_path {WORK}/t1; proxy_temp_path {WORK}/t2;\n"
        f"fastcgi_temp_path {WORK}/t3; uwsgi_temp_path {WORK}/t4; scgi_temp_path {WORK}/t5;\n"
        f"server {{ listen 127.0.0.1:{SERVER}; root {WORK}/served; }} }}\n")
    contents = [os.urandom(SIZE) for _ in range(FILES)]
    running = []
    try:
        running.append(subprocess.Popen([NGINX, "-p", str(WORK), "-c", str(WORK / "nginx.conf")], stderr=subprocess.DEVNULL))
        running.append(subprocess.Popen([FLUXBASE, "serve", "--config", str(ROOT / "fluxbase.yaml")], env={**os.environ, **settings},
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        time.sleep(2)
        busy = os.getloadavg()[0]
        rounds = measure(Tools(key), contents)
    finally:
        for one in running:
            one.terminate()
            one.wait()

    def row(name, what):
        return f"| {what} | {spread([one[name] for one in rounds])} | {1000 / statistics.median([one[name] for one in rounds]):,.0f} |\n"

    def ratio(name, base, what):
        return f"| {what} | {spread([one[name] / one[base] for one in rounds])} |\n"

    model = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), platform.machine())
    commit = subprocess.run(["git", "-C", str(ROOT), "describe", "--always", "--dirty"], capture_output=True, text=True).stdout.strip()
    version = subprocess.run([NGINX, "-v"], capture_output=True, text=True).stderr.strip()
    text = f"""# Files of 1 MB

`make bench-files` wrote this page: `tests/bench/files.py` says what is measured. One client, one file after the other; files are random bytes, and
the store is the directory below the data directory. An upload is answered when file and row are flushed.

- {os.cpu_count()} cores of {model}, {os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB, Linux {platform.release()}; release builds; {version}
- {datetime.now(timezone.utc):%Y-%m-%d %H:%M} UTC, commit {commit}
- {ROUNDS} rounds of {FILES} files, interleaved; load average of the machine before: {busy:.1f}

| ms for one file | median | lowest – highest | MB/s |
|---|---:|---:|---:|
{row("dd write", "`dd conv=fsync`, a process for each")}{row("write", "write and fsync, in one process")}{row("upload", "`upload_object`, base64")}{row("dd read", "`dd` to /dev/null, a process for each")}{row("nginx", "nginx")}{row("nginx json", "nginx, and its client makes and reads base64 in JSON")}{row("download", "`download_object`, base64")}
| ratio within a round, times as long | median | lowest – highest |
|---|---:|---:|
{ratio("upload", "dd write", "`upload_object` to `dd`")}{ratio("upload", "write", "`upload_object` to write and fsync")}{ratio("download", "dd read", "`download_object` to `dd`")}{ratio("download", "nginx", "`download_object` to nginx")}{ratio("download", "nginx json", "`download_object` to nginx with base64 in JSON")}"""
    (DOCS / "benchmarks").mkdir(exist_ok=True)
    (DOCS / "benchmarks" / "files.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
