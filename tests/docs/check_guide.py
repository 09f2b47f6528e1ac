#!/usr/bin/env python3
"""Runs the examples of the guides and compares what comes back with what the pages print.

A page takes part when it has a block ```sql set-up. That block makes the tables of its examples, in a new database that has the
extension, its roles and the auth helpers. Every block with a line that begins with ▶ holds calls and answers:

    # with the key of Bob              the key for the rest of the block; without it Ann's
    query_table {"table":"books"}      a tool with its arguments, which may go on over indented lines
    ▶ [{"id":1}]                       one ▶ for each text of the answer, which may go on over indented lines
    structured ▶ {"rows":[…]}          the structured content

Each block begins with the tables as the set-up made them. … stands for anything; in a call, a cursor that ends with … stands for
the last next_cursor that came back, and a job_id … for the last one. White space counts only inside JSON strings. An answer that is a lone ? is printed as it
comes, for whoever writes an example; it counts as failed.

Python's standard library and psql only; the server is the one of PGHOST, PGPORT and PGUSER, a superuser. tests/docs/run.sh starts
one. Every answer is one check; the last line is "N passed, M failed", the exit code is 1 if M > 0.
"""

import hashlib
import json
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
KEYS = {"Ann": "00000000-0000-4000-8000-00000000000a", "Bob": "00000000-0000-4000-8000-00000000000b"}
SCOPES = "read:tables,write:tables,read:schema,read:vectors,read:storage,write:storage,execute:functions,execute:rpc,execute:jobs"
TEMPLATE, DATABASE = "check_guide_template", "check_guide"

SET_UP = """
SET client_min_messages = warning;
CREATE EXTENSION fluxbase_mcp_ext;
SELECT mcp.setup_roles();
SELECT mcp.install();
"""


def psql(database, script):
    """What psql prints for a script."""
    command = ["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", database, "-f", "-"]
    done = subprocess.run(command, input=script, capture_output=True, text=True, encoding="utf-8", timeout=120, check=False)
    if done.returncode != 0:
        raise RuntimeError(done.stderr.strip())
    return done.stdout


def quoted(text):
    return "'" + text.replace("'", "''") + "'"


# ---- keys: their secrets follow from their names ----


def key_id(name):
    return hashlib.md5(name.encode()).hexdigest()[:16]


def credential(name):
    return f"fbk:{key_id(name)}:{hashlib.sha256(name.encode()).hexdigest()}"


def make_key(name, user):
    verifier = hashlib.sha256(hashlib.sha256(name.encode()).digest()).hexdigest()
    return (
        f"SELECT mcp.create_key('client', '{name}', '{{{SCOPES}}}', user_id => '{user}',"
        f" key_id => '{key_id(name)}', verifier => '\\x{verifier}');\n"
    )


# ---- pages ----


def blocks(text):
    """(line, info, body) of every fenced block."""
    found, start, info, body = [], None, "", []
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("```"):
            if start is None:
                start, info, body = number, line[3:].strip(), []
            else:
                found.append((start, info, body))
                start = None
        elif start is not None:
            body.append(line)
    return found


def calls(start, body):
    """The calls of a block: their line, key, tool, arguments, and the expected texts and structured content."""
    found, key, into = [], "Ann", None
    for number, line in enumerate(body, start + 1):
        named = re.fullmatch(r"# with the key of (\w+)", line)
        called = re.match(r"(\w+) (\{.*)", line)
        if named:
            key = named[1]
        elif line.startswith("▶ "):
            into = found[-1]["texts"]
            into.append(line[2:])
        elif line.startswith("structured ▶ "):
            into = found[-1]["structured"]
            into.append(line.removeprefix("structured ▶ "))
        elif called:
            into = [called[2]]
            found.append({"line": number, "key": key, "tool": called[1], "arguments": into, "texts": [], "structured": []})
        elif line.startswith(" ") and into:
            into[-1] += "\n" + line
        elif line.strip():
            raise ValueError(f"line {number} is neither a call nor an answer: {line}")
    return found


def plain(text):
    """Without the white space that does not count: all of it outside the strings of JSON, runs of it in other texts."""
    if text.lstrip()[:1] in ("[", "{"):
        return re.sub(r'("(?:[^"\\]|\\.)*")|\s+', lambda match: match[1] or "", text)
    return " ".join(text.split())


def same(expected, actual):
    """… in what is expected stands for anything."""
    pattern = ".*?".join(re.escape(part) for part in plain(expected).split("…"))
    return re.fullmatch(pattern, plain(actual), re.S) is not None


# ---- running ----


class Caller:
    """Calls tools in one database, and remembers the last cursor and the last job."""

    def __init__(self):
        self.cursor = ""
        self.job = ""

    def call(self, call):
        """The texts of the answer and its structured content."""
        arguments = re.sub(r'("cursor":\s*")[^"]*…"', rf'\g<1>{self.cursor}"', call["arguments"][0])
        arguments = re.sub(r'("job_id":\s*")…"', rf'\g<1>{self.job}"', arguments)
        request = f'{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"{call["tool"]}","arguments":{arguments}}}}}'
        transport = "NULL"
        if call["structured"]:
            transport = quoted('{"http":true,"headers":{"mcp-protocol-version":["2025-11-25"]}}')
        body = psql(
            DATABASE,
            f"SELECT pg_catalog.to_json(h.body) FROM mcp.handle({quoted(request)}, {quoted(credential(call['key']))}, {transport}) AS h;",
        )
        reply = json.loads(body)
        # The structured content as it stands: a parser would change numbers.
        parsed = json.loads(reply)
        if "result" not in parsed:
            return [reply], ""
        texts = [item["text"] for item in parsed["result"]["content"]]
        structured = re.search(r'"structuredContent":(.*),"isError"', reply, re.S)
        for text in [*texts, structured[1] if structured else ""]:
            found = re.search(r'cursor"?: ?"?([A-Za-z0-9_-]{12,})', text)
            self.cursor = found[1] if found else self.cursor
            found = re.search(r'"job_id": ?"([0-9a-f-]{36})"', text)
            self.job = found[1] if found else self.job
        return texts, structured[1] if structured else ""


def check_page(page):
    """(passed, failed) of one page."""
    passed = failed = 0
    found = blocks(page.read_text(encoding="utf-8"))
    set_up = ["\n".join(body) for _, info, body in found if info == "sql set-up"]
    examples = [(start, body) for start, _, body in found if any("▶ " in line for line in body)]
    psql("postgres", f"DROP DATABASE IF EXISTS {TEMPLATE};\nCREATE DATABASE {TEMPLATE} TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C';")
    psql(TEMPLATE, SET_UP + "".join(make_key(name, user) for name, user in KEYS.items()) + "\n".join(set_up))
    for start, body in examples:
        psql("postgres", f"DROP DATABASE IF EXISTS {DATABASE};\nCREATE DATABASE {DATABASE} TEMPLATE {TEMPLATE};")
        caller = Caller()
        for call in calls(start, body):
            texts, structured = caller.call(call)
            expected = [*call["texts"], *call["structured"]]
            actual = [*texts, *([structured] if call["structured"] else [])]
            if call["structured"] and not call["texts"]:
                actual = [structured]
            if len(expected) == len(actual) and all(same(*pair) for pair in zip(expected, actual)):
                passed += 1
                continue
            failed += 1
            print(f"not ok: {page.name}:{call['line']}: {call['tool']} {plain(call['arguments'][0])}")
            if expected != ["?"]:
                print("".join(f"  page  ▶ {text}\n" for text in expected), end="")
            print("".join(f"  tool  ▶ {text}\n" for text in actual), end="")
    psql("postgres", f"DROP DATABASE IF EXISTS {DATABASE};\nDROP DATABASE {TEMPLATE};")
    return passed, failed


def main():
    pages = [Path(name) for name in sys.argv[1:]]
    if not pages:
        pages = [page for page in sorted((ROOT / "docs").glob("*.md")) if "\n```sql set-up\n" in page.read_text(encoding="utf-8")]
    passed = failed = 0
    for page in pages:
        good, bad = check_page(page)
        passed, failed = passed + good, failed + bad
    if not passed + failed:
        print("not ok: no page has examples; has their form changed?")
        failed = 1
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
