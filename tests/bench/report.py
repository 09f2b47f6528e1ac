"""What came out: tables with medians and spread, ratios with their aims, CSV, SVG, ratios.json, docs/benchmarks.md."""

import csv
import json
import os
import platform
import re
import statistics
import subprocess
import time
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from common import BIN, ROOT, TARGET
from load import CLIENTS, POOL, ROUNDS, SECONDS, WARMUP

DOCS = Path(os.environ.get("BENCH_DOCS") or ROOT / "docs")


@dataclass
class Aim:
    """at least, at most, under"""
    how: str
    value: float

    def verdict(self, got):
        reached = {"at least": got >= self.value, "at most": got <= self.value, "under": got < self.value}[self.how]
        return f"{self.how} {self.value:g}: {'reached' if reached else 'MISSED'}"


class Section:
    """One part of the page: text, tables, and the ratios that programs read."""

    def __init__(self, name, title, about):
        self.name, self.title = name, title
        self.lines, self.ratios, self.rows, self.bars, self.aims = [about.strip(), ""], {}, [], [], []

    def measured(self, contenders, rounds, ratios):
        """Contenders with their rounds. `ratios`: key to (above, below, figure, aim); taken within a round."""
        figures = []
        for one in contenders:
            results = [result[one.name] for result in rounds]
            rate = [r["rps"] for r in results]
            figures.append([one.title, *spread(rate, 0), spread((r["p50_ms"] for r in results), 2)[0], *spread((r["p99_ms"] for r in results), 2)])
            self.bars.append((one.title, statistics.median(rate), min(rate), max(rate)))
        self.table(["contender", "requests/s", "lowest – highest", "p50 ms", "p99 ms", "lowest – highest"], figures)
        self.rows += [[number, name, f"{r['rps']:.1f}", f"{r['p50_ms']:.3f}", f"{r['p99_ms']:.3f}"]
                      for number, result in enumerate(rounds, 1) for name, r in result.items()]
        shown = []
        for key, (above, below, figure, aim) in ratios.items():
            values = [r[above][figure] / r[below][figure] for r in rounds]
            self.ratios[key] = statistics.median(values)
            shown.append([f"`{key}`", *spread(values, 2), aim.verdict(self.ratios[key]) if aim else ""])
        self.table(["ratio", "median", "lowest – highest", "aim"], shown)

    def single(self, key, value, aim=None):
        """A figure that is no ratio."""
        self.ratios[key] = value
        if self.lines[-1] != "" or not self.lines[-2].startswith("| `"):
            self.lines += ["| figure | value | aim |", "|---|---:|---:|"]
        else:
            self.lines.pop()
        self.lines += [f"| `{key}` | {value:,.1f} | {aim.verdict(value) if aim else ''} |", ""]

    def table(self, header, rows):
        self.lines += ["| " + " | ".join(header) + " |", "|---" + "|---:" * (len(header) - 1) + "|",
                       *("| " + " | ".join(map(str, row)) + " |" for row in rows), ""]

    def text(self, text):
        self.lines += [text.strip(), ""]


def spread(values, digits):
    values = list(values)
    return f"{statistics.median(values):,.{digits}f}", f"{min(values):,.{digits}f} – {max(values):,.{digits}f}"


def svg(title, bars):
    """Bars with their spread. Colours that can be read on light and on dark pages."""
    width, left, line = 860, 330, 22
    most = max(bar[3] for bar in bars) or 1
    scale = (width - left - 110) / most
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{line * len(bars) + 40}" '
             'font-family="sans-serif" font-size="12" fill="#777777">', f'<text x="8" y="18">{escape(title)}: requests a second, '
             'median with lowest and highest</text>']
    for number, (name, middle, low, high) in enumerate(bars):
        top = 30 + number * line
        ours = "fluxbase" in name or "mcp._serve" in name
        parts += [f'<text x="{left - 8}" y="{top + 12}" text-anchor="end">{escape(name)}</text>',
                  f'<rect x="{left}" y="{top}" width="{max(middle * scale, 1):.1f}" height="15" fill="{"#c2571a" if ours else "#4a7fb5"}"/>',
                  f'<line x1="{left + low * scale:.1f}" x2="{left + high * scale:.1f}" y1="{top + 7.5}" y2="{top + 7.5}" stroke="#777777" stroke-width="2"/>',
                  f'<text x="{left + high * scale + 8:.1f}" y="{top + 12}">{middle:,.0f}</text>']
    return "\n".join(parts) + "\n</svg>\n"


def escape(text):
    return text.replace("&", "&amp;").replace("<", "&lt;")


def output(*command):
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT).stdout.strip()


def processor_use(seconds=1.0):
    """How busy the processors are while we do nothing."""
    def sample():
        times = [int(word) for word in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
        return times[3] + times[4], sum(times)

    before = sample()
    time.sleep(seconds)
    after = sample()
    return 1 - (after[0] - before[0]) / max(after[1] - before[1], 1)


def machine(busy):
    cpu = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    memory = int(re.search(r"MemTotal: *(\d+)", Path("/proc/meminfo").read_text())[1]) / 2**20
    changed = " with changes that are not committed" if output("git", "status", "--porcelain", "--untracked-files=no") else ""
    return [
        f"- {os.cpu_count()} cores of {cpu[1] if cpu else platform.machine()}, {memory:.0f} GiB, Linux {platform.release()}",
        f"- {output(BIN / 'postgres', '--version')}; {output('wrk', '-v').split(' [')[0]}; {output('rustc', '--version')}; release builds",
        f"- scheduling: {os.environ.get('BENCH_SCHEDULING', 'unknown')}",
        f"- {datetime.now(timezone.utc):%Y-%m-%d %H:%M} UTC, commit {output('git', 'rev-parse', '--short', 'HEAD') or 'unknown'}{changed}",
        f"- {ROUNDS} rounds, {SECONDS} s each after {WARMUP} s of warm-up; {CLIENTS} connections unless said otherwise, kept open; the pools of the listener and "
        f"the floor have {POOL} connections",
        f"- just before the sections, other programs kept the processors at most {busy:.0%} busy",
    ]


TEXT = """# Benchmarks

Written by `make bench`; do not edit. One run: all contenders of a section take turns, A B C A B C …, and ratios are taken within a round; shown are the
median and the lowest and highest. Every answer was checked before it was timed and once more at the end; a single answer that was not
2xx would have ended the run. Where the time of one call goes, counted and not measured: [performance.md](performance.md).

## The machine

{machine}
{sections}
Planning a call without Postgres: [benchmarks/plan.md](benchmarks/plan.md). Edge functions beside other calls: [benchmarks/functions.md](benchmarks/functions.md). Files of 1 MB:
[benchmarks/files.md](benchmarks/files.md). Background jobs: [benchmarks/jobs.md](benchmarks/jobs.md).
"""


def keep(section):
    """Keeps a section for the page, so that sections can be run one by one."""
    folder = TARGET / "bench" / "sections"
    folder.mkdir(parents=True, exist_ok=True)
    section.when = f"{datetime.now(timezone.utc):%Y-%m-%d %H:%M} UTC, {ROUNDS} rounds of {SECONDS} s"
    (folder / f"{section.name}.json").write_text(json.dumps(vars(section)))


def write(order, busy):
    """The page, out of every section that was kept, those of `order` first."""
    (DOCS / "benchmarks").mkdir(parents=True, exist_ok=True)
    kept = {path.stem: json.loads(path.read_text()) for path in (TARGET / "bench" / "sections").glob("*.json")}
    text, ratios = "", {}
    for name in [*(n for n in order if n in kept), *sorted(set(kept) - set(order))]:
        section = kept[name]
        title, rows = section["title"], section["rows"]
        ratios.update(section["ratios"])
        text += f"\n## {title}\n\nMeasured {section['when']}.\n\n" + "\n".join(section["lines"]).rstrip() + "\n\n"
        if rows:
            with open(DOCS / "benchmarks" / f"{name}.csv", "w", newline="") as file:
                out = csv.writer(file, lineterminator="\n")
                out.writerow(["round", "contender", "requests_per_second", "p50_ms", "p99_ms"])
                out.writerows(rows)
            (DOCS / "benchmarks" / f"{name}.svg").write_text(svg(title, section["bars"]))
            text += f"![{title}](benchmarks/{name}.svg)\n\nSingle measurements: [benchmarks/{name}.csv](benchmarks/{name}.csv).\n"
    (DOCS / "benchmarks.md").write_text(TEXT.format(machine="\n".join(machine(busy)), sections=text))
    (TARGET / "bench" / "ratios.json").write_text(json.dumps({k: round(v, 4) for k, v in ratios.items()}, indent=2) + "\n")
