"""Embeds the packages of a Debian index: debian.py OUT [--limit N] < INDEX

INDEX is the text of `apt-cache dumpavail`. OUT receives a file for COPY's text format, one line for each summary that occurs in
the index: name, section, summary, and the vector of "name: summary" in pgvector's text form, by all-MiniLM-L6-v2. Of packages with
the same summary the first is taken. --limit takes that many, evenly from the whole index. About 70 a second on one core.
"""

import argparse
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "scripts" / "demo"))

from model import Model
from packages import paragraphs, row

AT_ONCE = 512


def summaries(lines):
    seen = set()
    for entry in paragraphs(lines):
        summary = entry.get("Description", "").split("\n")[0]
        if entry.get("Package") and summary and summary not in seen:
            seen.add(summary)
            yield entry["Package"], entry.get("Section"), summary


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("out", type=pathlib.Path)
    arguments.add_argument("--limit", type=int)
    given = arguments.parse_args()
    sys.stdin.reconfigure(encoding="utf-8", errors="replace")
    found = list(summaries(sys.stdin))
    if given.limit and given.limit < len(found):
        found = [found[at * len(found) // given.limit] for at in range(given.limit)]
    model = Model()
    unfinished = given.out.with_suffix(".unfinished")
    with open(unfinished, "w", encoding="utf-8") as out:
        for begin in range(0, len(found), AT_ONCE):
            part = found[begin : begin + AT_ONCE]
            vectors = model.embed(f"{name}: {summary}" for name, _, summary in part)
            for (name, section, summary), vector in zip(part, vectors):
                out.write(row(name, section, summary, "[" + ",".join(f"{x:.5g}" for x in vector) + "]"))
    unfinished.rename(given.out)
    print(f"{len(found)} summaries")


if __name__ == "__main__":
    main()
