#!/usr/bin/env python3
"""Proves that every test which tests/attack/README.md, docs/security.md and docs/architecture.md name exists and is run.

Proves, too, that each threat and each claim of docs/security.md names at least one.

`name.sql` is a file of pg_regress that stands in its schedule; `module::name` is a test function of tests/tests/e2e, in the file of that path; `name.rs` is a file with tests of
any crate, by as much of its path as tells it from others, and names after it (`name.rs`, `one_test`, `another`) are tests in it. A test that is ignored is none. Python's standard library only. Every name is one check; the last line is "N passed, M failed", the exit code is 1 if M > 0.
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = ["tests/attack/README.md", "docs/security.md", "docs/architecture.md"]
SQL = {path.name for path in (ROOT / "sql").glob("*.sql")}


def functions(path):
    """The tests of a Rust file: functions with an attribute that ends in `test`, or in proptest!, none of them ignored."""
    text = path.read_text(encoding="utf-8")
    found = re.findall(r"((?:^[ \t]*#\[[^\n]*\]\n)+)[ \t]*(?:async )?fn (\w+)\(", text, re.M)
    return {name for attributes, name in found if re.search(r"#\[(?:\w+::)?test\b", attributes) and "#[ignore" not in attributes}


def rust_files(name):
    """The Rust files whose path ends so."""
    return [path for folder in ("fluxbase_mcp_ext", "listener", "tests") for path in (ROOT / folder).rglob("*.rs") if f"/{path.relative_to(ROOT)}".endswith(f"/{name}")]


def tests_of(name):
    """The tests of the one Rust file whose path ends so; none when there are several, or none."""
    files = rust_files(name)
    return functions(files[0]) if len(files) == 1 else set()


def is_e2e(name):
    """Whether `a::b::test` is a test of the file a/b.rs, or a/b/mod.rs."""
    *modules, test = name.split("::")
    folder = ROOT / "tests/tests/e2e"
    parent = folder / "main.rs"
    for module in modules:
        # A file that no mod names is not compiled.
        if not parent.is_file() or not re.search(rf"^(?:pub )?mod {module};", parent.read_text(encoding="utf-8"), re.M):
            return False
        parent = parent.parent / module / "mod.rs"
    base = folder / "/".join(modules)
    return any(path.is_file() and test in functions(path) for path in (base.with_suffix(".rs"), base / "mod.rs"))


NAME = re.compile(r"`([\w./]+\.sql|[\w./]+\.rs|\w+(?:::\w+)+)`")
PAIR = re.compile(r"`([\w./]+\.rs)`((?:,\s`\w+`)+)")


def claims():
    """The rows of the table under "Threats" and the bold paragraphs under "What protects", each with all of its text."""
    page = (ROOT / "docs/security.md").read_text(encoding="utf-8")
    parts = {part.split("\n", 1)[0]: part for part in page.split("\n## ")}
    rows = [line for line in parts["Threats"].splitlines() if line.startswith("| ")]
    bold = re.split(r"(?m)^(?=\*\*)", parts["What protects"])
    return rows[1:] + bold[1:]


def main():
    scheduled = set(re.findall(r"^test: (\w+)", (ROOT / "tests/pg_regress/schedule").read_text(encoding="utf-8"), re.M))
    modules = {path.stem for path in (ROOT / "tests/tests/e2e").rglob("*.rs")} | {path.name for path in (ROOT / "tests/tests/e2e").iterdir() if path.is_dir()}
    passed = failed = 0
    for page in PAGES:
        text = (ROOT / page).read_text(encoding="utf-8")
        named = set(NAME.findall(text))
        # The page on architecture names code as well.
        is_code = page == "docs/architecture.md"
        if not is_code:
            named |= {f"{file} {test}" for file, tests in PAIR.findall(text) for test in re.findall(r"\w+", tests)}
        for name in sorted(named):
            if " " in name:
                file, test = name.split(" ")
                good = test in tests_of(file)
            elif name.endswith(".sql"):
                good = "/" in name and (ROOT / name).is_file() or name in SQL or name.removesuffix(".sql") in scheduled
            elif name.endswith(".rs"):
                good = bool(rust_files(name) if is_code else tests_of(name))
            elif name.split("::")[0] in modules or not is_code:
                good = is_e2e(name)
            else:
                continue  # a path of Rust's, no test
            passed, failed = passed + good, failed + (not good)
            if not good:
                print(f"not ok: {page} names {name}, which is no test that is run")
    for claim in claims():
        # SQL that we ship proves nothing; that the rest exists was looked at above.
        good = any(not name.startswith("sql/") and name not in SQL for name in NAME.findall(claim))
        passed, failed = passed + good, failed + (not good)
        if not good:
            print(f"not ok: docs/security.md claims without a test: {claim[:100]}")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
