#!/usr/bin/env python3
"""Proves that every test which tests/attack/README.md, docs/security.md and docs/architecture.md name exists and is run.

Proves, too, that each threat and each claim of docs/security.md names at least one.

`name.sql` is a file of pg_regress that stands in its schedule; `module::name` is a test function of tests/tests/e2e, in the file of that path; `name.rs` is a file with tests of
any crate. Python's standard library only. Every name is one check; the last line is "N passed, M failed", the exit code is 1 if M > 0.
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = ["tests/attack/README.md", "docs/security.md", "docs/architecture.md"]
SQL = {path.name for path in (ROOT / "sql").glob("*.sql")}


def functions(path):
    return set(re.findall(r"^\s*(?:async )?fn (\w+)\(", path.read_text(encoding="utf-8"), re.M))


def is_e2e(name):
    """Whether `a::b::test` is a test of the file a/b.rs, or a/b/mod.rs."""
    *modules, test = name.split("::")
    base = ROOT / "tests/tests/e2e" / "/".join(modules)
    return any(path.is_file() and test in functions(path) for path in (base.with_suffix(".rs"), base / "mod.rs"))


NAME = re.compile(r"`([\w./]+\.sql|[\w]+\.rs|\w+(?:::\w+)+)`")


def claims():
    """The rows of the table under "Threats" and the bold paragraphs under "What protects", each with all of its text."""
    page = (ROOT / "docs/security.md").read_text(encoding="utf-8")
    parts = {part.split("\n", 1)[0]: part for part in page.split("\n## ")}
    rows = [line for line in parts["Threats"].splitlines() if line.startswith("| ")]
    bold = re.split(r"(?m)^(?=\*\*)", parts["What protects"])
    return rows[1:] + bold[1:]


def main():
    scheduled = set(re.findall(r"^test: (\w+)", (ROOT / "tests/pg_regress/schedule").read_text(encoding="utf-8"), re.M))
    crates = {path.name for folder in ("fluxbase_mcp_ext", "listener", "tests") for path in (ROOT / folder).rglob("*.rs")}
    modules = {path.stem for path in (ROOT / "tests/tests/e2e").rglob("*.rs")} | {path.name for path in (ROOT / "tests/tests/e2e").iterdir() if path.is_dir()}
    passed = failed = 0
    for page in PAGES:
        named = set(NAME.findall((ROOT / page).read_text(encoding="utf-8")))
        for name in sorted(named):
            if name.endswith(".sql"):
                good = "/" in name and (ROOT / name).is_file() or name in SQL or name.removesuffix(".sql") in scheduled
            elif name.endswith(".rs"):
                good = name in crates
            elif name.split("::")[0] in modules:
                good = is_e2e(name)
            else:
                continue  # a path of Rust's, no test
            passed, failed = passed + good, failed + (not good)
            if not good:
                print(f"not ok: {page} names {name}, which is no test that is run")
    for claim in claims():
        # Paths of SQL that we ship prove nothing.
        good = any(not name.startswith("sql/") for name in NAME.findall(claim))
        passed, failed = passed + good, failed + (not good)
        if not good:
            print(f"not ok: docs/security.md claims without a test: {claim[:100]}")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
