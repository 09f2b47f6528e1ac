"""Runs sections of the benchmark and writes down what came out: see run.sh.

A section NAME is a file section_NAME.py with run(), which gives a report.Section, or None when there is nothing to write.
"""

import importlib
import os
import signal
import subprocess
import sys

from common import HERE, Failed
from load import end_servers
from report import DOCS, TARGET, keep, processor_use, write

DEFAULT = "http peers growth"


def run():
    names = (os.environ.get("SECTIONS") or DEFAULT).split()
    known = sorted(path.stem.removeprefix("section_") for path in HERE.glob("section_*.py"))
    if unknown := set(names) - set(known):
        raise Failed(f"SECTIONS: there is no section {', '.join(unknown)}. Known: {', '.join(known)}")
    written, busy = False, 0.0
    for name in names:
        busy = max(busy, processor_use())
        print(f"\n==== {name} ====", flush=True)
        section = importlib.import_module(f"section_{name}").run()
        end_servers()
        if section:
            keep(section)
            written = True
            print("\n" + "\n".join(section.lines), flush=True)
    if busy > 0.1:
        print(f"\nWARNING: other programs kept the processors up to {busy:.0%} busy before a section. These figures say little.")
    if written:
        write(DEFAULT.split(), busy)
        print(f"\nWritten: {DOCS}/benchmarks.md, {DOCS}/benchmarks/*, {TARGET}/bench/ratios.json")


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    sys.stdout.reconfigure(line_buffering=True)
    try:
        run()
    except Failed as error:
        sys.exit(f"\nerror: {error}")
    except subprocess.CalledProcessError as error:
        sys.exit(f"\nerror: {error}\n{error.stderr}")
    finally:
        end_servers()


main()
