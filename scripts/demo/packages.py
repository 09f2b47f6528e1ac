"""Turns a Debian package index into three files for COPY: packages.py FOLDER < INDEX

INDEX is the text of `apt-cache dumpavail` (or /var/lib/dpkg/status): paragraphs of "Field: value", continued by lines
that start with a space. FOLDER receives maintainers.tsv, packages.tsv and dependencies.tsv in COPY's text format, columns
in the order of schema.sql. A package that stands in the index twice (two architectures) is taken once.
"""

import pathlib
import re
import sys

KINDS = {"Depends": "depends", "Pre-Depends": "pre_depends", "Recommends": "recommends"}
RELATION = re.compile(r"([a-z0-9][a-z0-9+.-]+)(?::\w+)?\s*(?:\(([^)]+)\))?")
MAINTAINER = re.compile(r"\s*\"?(.*?)\"?\s*<([^<>]+)>\s*$")
ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r", "\0": None})


def paragraphs(lines):
    fields, name = {}, None
    for line in lines:
        line = line.rstrip("\n")
        if not line:
            if fields:
                yield fields
            fields, name = {}, None
        elif line[0] in " \t":
            if name:
                fields[name] += "\n" + line.strip()
        else:
            name, _, value = line.partition(":")
            fields[name] = value.strip()
    if fields:
        yield fields


def row(*values):
    return "\t".join("\\N" if v is None else str(v).translate(ESCAPES) for v in values) + "\n"


def relations(text):
    """Yields (position, alternative, name, version condition) of "a (>= 1), b | c"; both numbers count from 1."""
    for position, group in enumerate(text.replace("\n", " ").split(","), 1):
        for alternative, one in enumerate(group.split("|"), 1):
            match = RELATION.match(one.strip())
            if match:
                yield position, alternative, match[1], match[2]


def main():
    folder = pathlib.Path(sys.argv[1])
    seen, maintainers = set(), {}
    sys.stdin.reconfigure(encoding="utf-8", errors="replace")
    with open(folder / "packages.tsv", "w", encoding="utf-8") as packages, open(
        folder / "dependencies.tsv", "w", encoding="utf-8"
    ) as dependencies:
        for entry in paragraphs(sys.stdin):
            name = entry.get("Package")
            if not name or not entry.get("Version") or name in seen:
                continue
            seen.add(name)
            maintainer = entry.get("Maintainer") or "unknown"
            if maintainer not in maintainers:
                match = MAINTAINER.match(maintainer)
                maintainers[maintainer] = (match[1], match[2]) if match else (maintainer, None)
            size = entry.get("Installed-Size", "")
            packages.write(
                row(
                    name,
                    entry["Version"],
                    entry.get("Section"),
                    entry.get("Priority"),
                    size if size.isdigit() else None,
                    entry.get("Depends"),
                    entry.get("Description", "").split("\n")[0] or None,
                    entry.get("Homepage"),
                    maintainer,
                )
            )
            for field, kind in KINDS.items():
                for relation in relations(entry.get(field, "")):
                    dependencies.write(row(name, kind, *relation))
    with open(folder / "maintainers.tsv", "w", encoding="utf-8") as out:
        for maintainer, (name, email) in maintainers.items():
            out.write(row(maintainer, name, email))
    print(len(seen))


if __name__ == "__main__":
    main()
