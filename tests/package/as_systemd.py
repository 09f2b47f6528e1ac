#!/usr/bin/env python3
"""Does with a unit what systemd would: reads it, runs what it says, and proves that the program keeps its side.

    as_systemd.py ROOT KEY

ROOT is a folder in which the package fluxbase is unpacked, with a FLUXBASE_DATABASE_URL in its fluxbase.env; KEY is a client key.
ExecStartPre=, ExecStart= and ExecReload= are run as they are written, apart from ROOT before their paths. The sockets are those of
fluxbase.socket on ports that are free. Hardening is not applied: that needs a real systemd.

Python's standard library only. Every comparison is one check; the last line is "N passed, M failed", the exit code is 1 if M > 0.
"""

import http.client
import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(sys.argv[1])
KEY = sys.argv[2]
PATIENCE = 60  # seconds: a bound for a machine that is busy, not an expectation
passed = 0
failed = 0


def check(good, message):
    global passed, failed
    if good:
        passed += 1
    else:
        failed += 1
        print(f"not ok: {message}", flush=True)
    return good


def unit(name):
    """{option: [values]} of a unit."""
    found = {}
    for line in (ROOT / "usr/lib/systemd/system" / name).read_text().splitlines():
        option, equals, value = line.partition("=")
        if equals and not line.startswith("#"):
            found.setdefault(option, []).append(value)
    return found


def command(text, main_pid=None):
    """The words of an Exec line, with ROOT before the paths that are the package's."""
    words = shlex.split(text.replace("${MAINPID}", str(main_pid)))
    return [str(ROOT) + word if word.startswith(("/usr/bin/fluxbase", "/etc/fluxbase/")) else word for word in words]


def environment(service):
    """What the process gets: EnvironmentFile= and little more."""
    found = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}
    for name in service["EnvironmentFile"]:
        for line in Path(str(ROOT) + name.removeprefix("-")).read_text().splitlines():
            if line and not line.startswith("#"):
                variable, _, value = line.partition("=")
                found[variable] = value
    return found


class Service:
    """One life of the main process."""

    def __init__(self, service, sockets, notify):
        self.notify = notify
        self.states = []
        variables = environment(service) | {
            "NOTIFY_SOCKET": notify.getsockname(),
            "LISTEN_FDS": str(len(sockets)),
            "LISTEN_FDNAMES": ":".join(["fluxbase.socket"] * len(sockets)),
            "WATCHDOG_USEC": "2000000",
        }
        words = command(service["ExecStart"][0])
        self.pid = os.fork()
        if self.pid == 0:
            # As systemd does it: the sockets are 3, 4, …, and the variables name the process that shall take them.
            copies = [os.dup(each.fileno()) for each in sockets]
            copies = [os.dup2(copy, 100 + at, inheritable=False) for at, copy in enumerate(copies)]
            for at, copy in enumerate(copies):
                os.dup2(copy, 3 + at, inheritable=True)
            variables["LISTEN_PID"] = variables["WATCHDOG_PID"] = str(os.getpid())
            # It shall not outlive this test, however that ends.
            os.execvpe("setpriv", ["setpriv", "--pdeathsig", "TERM", "--", *words], variables)

    def wait_for(self, state):
        """Was the state told, up to now or within the bound?"""
        end = time.monotonic() + PATIENCE
        while state not in self.states and time.monotonic() < end:
            try:
                self.states += self.notify.recv(4096).decode().splitlines()
            except TimeoutError:
                if os.waitpid(self.pid, os.WNOHANG) != (0, 0):
                    print("the service ended by itself", flush=True)
                    self.pid = None
                    return False
        return state in self.states

    def alive(self):
        return self.pid is not None and os.waitpid(self.pid, os.WNOHANG) == (0, 0)

    def stop(self):
        """SIGTERM; the exit status, or None when it had to be killed."""
        if self.pid is None:
            return None
        os.kill(self.pid, signal.SIGTERM)
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                return os.waitstatus_to_exitcode(status)
            time.sleep(0.05)
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        return None


def send(address, port):
    """A connection on which tools/list was asked; its answer is read later."""
    connection = http.client.HTTPConnection(address, port, timeout=PATIENCE)
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/list"})
    connection.request("POST", "/mcp", body, {"Content-Type": "application/json", "X-Client-Key": KEY})
    return connection


def tools(connection):
    answer = json.loads(connection.getresponse().read())
    connection.close()
    return [tool["name"] for tool in answer.get("result", {}).get("tools", [])]


def listen():
    """The sockets of fluxbase.socket. Their ports are free ones instead of 8080; a machine without IPv6 has one less."""
    found = []
    for text in unit("fluxbase.socket")["ListenStream"]:
        address, _, port = text.rpartition(":")
        check(port == "8080", f"fluxbase.socket listens on {text}, the program's default port is 8080")
        address = address.strip("[]")
        try:
            found.append(socket.create_server((address, 0), family=socket.AF_INET6 if ":" in address else socket.AF_INET, backlog=64))
        except OSError:
            check(":" in address, f"{text} cannot be listened on")
    return found


def main():
    service = unit("fluxbase.service")
    before = subprocess.run(command(service["ExecStartPre"][0]), env=environment(service), capture_output=True, text=True, timeout=PATIENCE)
    check(before.returncode == 0, f"ExecStartPre ended with {before.returncode}: {before.stderr}")
    notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    notify.bind(str(ROOT / "run/notify"))
    notify.settimeout(0.5)
    sockets = listen()

    first = Service(service, sockets, notify)
    check(first.wait_for("READY=1"), f"READY=1 was not told; told was {first.states}")
    for each in sockets:
        address, port = each.getsockname()[:2]
        check("query_table" in tools(send(address, port)), f"tools/list over the socket {address} of systemd has no query_table")
    check(first.wait_for("WATCHDOG=1"), "no sign of life for the watchdog")
    first.states.clear()
    reload = subprocess.run(command(service["ExecReload"][0], first.pid), timeout=PATIENCE)
    check(reload.returncode == 0 and first.wait_for("READY=1") and first.alive(), f"ExecReload: not ready again; told was {first.states}")
    check(first.stop() == 0, "SIGTERM: it did not end with 0 in time")
    check("STOPPING=1" in drained(first), "STOPPING=1 was not told")

    # Nobody serves now; who asks is not refused, but waits for the next one.
    address, port = sockets[0].getsockname()[:2]
    waiting = send(address, port)
    second = Service(service, sockets, notify)
    check(second.wait_for("READY=1"), "READY=1 was not told after the restart")
    check("query_table" in tools(waiting), "a request that came during the restart was not answered")
    check(second.stop() == 0, "SIGTERM: it did not end with 0 in time")


def drained(service):
    """All states that were told until now."""
    try:
        while True:
            service.states += service.notify.recv(4096).decode().splitlines()
    except TimeoutError:
        return service.states


main()
print(f"package as systemd: {passed} passed, {failed} failed")
sys.exit(failed > 0)
