#!/usr/bin/env python3
"""Looks with pgspot for statements in our install and upgrade scripts that somebody else's objects could lead astray.

    spot.py SCRIPT…    the scripts as they are installed: fluxbase_mcp_ext--*.sql

What pgspot looks for: operators, functions, types and tables without a schema where no safe search_path holds, functions without a search_path of their own, SECURITY DEFINER
without a safe one, CREATE OR REPLACE and IF NOT EXISTS on what somebody could have put there before. Each statement is one check, judged by itself. pgspot 0.9.4 gives up at the
first thing in a file that it cannot read; here it is asked statement by statement, and what is written in PL/pgSQL as an expression (RETURN NEXT x, FOR … IN EXECUTE …) is read
as one. Statements whose PL/pgSQL its parser refuses are in spot_unread.txt, with the reason: of those the head is judged (search_path, SECURITY DEFINER, OR REPLACE) and a safe
search_path is demanded, under which nothing of the body can be led astray. A line there that is not needed any more is an error.

First it looks at statements that are bad on purpose: one that is not found is an error, too. The last line is "N passed, M failed", the exit code is 1 if M > 0.
"""

import argparse
import io
import re
import sys
from contextlib import redirect_stdout
from pathlib import Path

from pglast import ast, parse_sql
from pglast.parser import ParseError
from pgspot import visitors
from pgspot.state import Counter, State

UNREAD = Path(__file__).with_name("spot_unread.txt")

SAFE = "SET search_path = pg_catalog, pg_temp"

# Functions without a search_path of their own. Their bodies are read as what they are, with every name and operator in full: none of them is taken on trust.
NO_PATH = {
    "mcp.handle": "a search_path of its own would be the tool's, which must be the caller's",
    "mcp._version_lock": "inlined",
    "storage.user_id": "inlined into policies",
    "jobs.user_id": "inlined into policies",
    "ai.user_id": "inlined into policies",
    "rpc.caller": "inlined into policies",
    "jobs.report_progress": "calls one function of ours",
    "jobs.log": "calls one function of ours",
    "ai.create_knowledge_base": "calls one function of ours, which has one",
    "ai.drop_knowledge_base": "calls one function of ours, which has one",
    "ai.knowledge_base_status": "calls one function of ours, which has one",
}

NO_PATH_SEEN = set()

# Bad on purpose, each with the code that must be told.
PLANTED = [
    ("SELECT 1 FROM pg_catalog.pg_proc AS p WHERE p.proname ~ '^x'", "PS001"),
    ("CREATE FUNCTION mcp.f() RETURNS pg_catalog.int4 LANGUAGE sql AS 'SELECT 1'", "PS005"),
    ("CREATE FUNCTION mcp.f() RETURNS pg_catalog.int4 LANGUAGE sql SECURITY DEFINER AS 'SELECT 1'", "PS003"),
    ("CREATE FUNCTION mcp.f() RETURNS pg_catalog.int4 LANGUAGE sql SECURITY DEFINER SET search_path = public AS 'SELECT 1'", "PS004"),
    ("CREATE FUNCTION mcp.f() RETURNS pg_catalog.int4 LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog AS 'SELECT 1'", "PS004"),
    (f"CREATE OR REPLACE FUNCTION other.f() RETURNS pg_catalog.int4 LANGUAGE sql {SAFE} AS 'SELECT 1'", "PS002"),
    ("CREATE TABLE IF NOT EXISTS other.t (n pg_catalog.int4)", "PS012"),
    ("CREATE SCHEMA IF NOT EXISTS other", "PS010"),
    ("SELECT lower('X')", "PS016"),
    ("INSERT INTO t DEFAULT VALUES", "PS017"),
    ("CREATE VIEW mcp.v AS SELECT 'x'::text || 'y' AS c", "PS001"),
    ("DO $$ BEGIN PERFORM lower('x'); END $$", "PS016"),
    # Behind what pgspot by itself gives up at.
    ("CREATE FUNCTION mcp.f() RETURNS SETOF pg_catalog.text LANGUAGE plpgsql AS $$ BEGIN RETURN NEXT lower('x'); END $$", "PS016"),
    ("CREATE FUNCTION mcp.f() RETURNS pg_catalog.void LANGUAGE plpgsql AS $$ DECLARE r pg_catalog.text; BEGIN FOR r IN EXECUTE lower('x') LOOP END LOOP; END $$", "PS016"),
    ("CREATE FUNCTION mcp.f() RETURNS pg_catalog.int4 LANGUAGE sql BEGIN ATOMIC SELECT lower('x'); END", "PS016"),
]


def arguments():
    return argparse.Namespace(
        plpgsql=True, ignore=[], ignore_lang=[], sql_fn=[], proc_without_search_path=[], summary_only=False
    )


def expression_or_statement(state, sql, toplevel=False):
    """pgspot's visit_sql, for an expression of PL/pgSQL, too."""
    if not toplevel:
        try:
            parse_sql(sql)
        except ParseError:
            sql = f"SELECT {sql}"
    whole(state, sql, toplevel)


whole, visitors.visit_sql = visitors.visit_sql, expression_or_statement


def name_of(node, text):
    """How spot_unread.txt names a statement: a function by its name and number of arguments, all else by its first line."""
    if isinstance(node, ast.CreateFunctionStmt):
        return f"{'.'.join(part.sval for part in node.funcname)}/{len(node.parameters or ())}"
    return " ".join(text.split())[:80]


def is_safe(node):
    """Whether a function sets a safe search_path for itself."""
    for option in node.options or ():
        if option.defname == "set" and option.arg.name == "search_path" and option.arg.args:
            return [part.val.sval for part in option.arg.args] == ["pg_catalog", "pg_temp"]
    return False


def spot(state, text):
    """What pgspot says of one statement: (findings, why it was not read or None)."""
    out = io.StringIO()
    state.counter = Counter(arguments())
    state.args = state.counter.args
    unread = None
    with redirect_stdout(out):
        node = parse_sql(text)[0].stmt
        try:
            if isinstance(node, ast.CreateFunctionStmt) and node.sql_body is not None:
                # It was resolved when it was made; pgspot looks for a text. What it consists of is looked at as a statement outside of functions is.
                visitors.SQLVisitor.visit_CreateFunctionStmt, kept = lambda *_: None, visitors.SQLVisitor.visit_CreateFunctionStmt
                try:
                    whole(state, text, toplevel=True)
                finally:
                    visitors.SQLVisitor.visit_CreateFunctionStmt = kept
            else:
                whole(state, text, toplevel=True)
        except (ParseError, KeyError, IndexError, TypeError, AttributeError, ValueError) as error:
            unread = f"{type(error).__name__}: {error}"
            state.args.plpgsql = False
            whole(state, text, toplevel=True)
    findings = []
    for line in out.getvalue().splitlines():
        bare = re.match(r"PS005: [^:]*: ([\w.]+)\(", line)
        if bare and bare[1] in NO_PATH and not unread:
            NO_PATH_SEEN.add(bare[1])
        elif line.strip():
            findings.append(line)
    if unread and not (isinstance(node, ast.CreateFunctionStmt) and is_safe(node)):
        findings.append(f"its body cannot be read, and it has no SET search_path = pg_catalog, pg_temp: {unread}")
    return findings, unread


def statements(script):
    """The statements of a script, with their lines. What the server puts in is put in here, and psql's own lines are blanked."""
    text = script.read_text(encoding="utf-8")
    assert text.isascii(), f"{script} is not ASCII, and the parser counts bytes"
    text = re.sub(r"^\\.*", lambda found: "--" + found[0][2:], text, flags=re.M)
    text = text.replace("@extschema@", "mcp").replace("@extowner@", "owner").replace("MODULE_PATHNAME", "$libdir/x")
    for raw in parse_sql(text):
        part = text[raw.stmt_location : raw.stmt_location + raw.stmt_len if raw.stmt_len else len(text)]
        begin = re.match(r"(\s+|--[^\n]*\n|/\*.*?\*/)*", part, flags=re.S).end()
        yield text.count("\n", 0, raw.stmt_location + begin) + 1, part[begin:], raw.stmt


def main(scripts):
    passed = failed = 0

    def check(good, told):
        nonlocal passed, failed
        passed, failed = passed + good, failed + (not good)
        if not good:
            print(f"not ok: {told}")

    for text, code in PLANTED:
        findings, _ = spot(State(Counter(arguments())), text)
        check(any(line.startswith(code) for line in findings), f"{code} is not found in a statement that is bad on purpose: {text}: {findings}")

    listed = {}
    for line in UNREAD.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            name, _, reason = line.partition(" ")
            listed[name] = reason.strip()
            check(bool(reason.strip()), f"{UNREAD.name} gives no reason for {name}")
    unread_names = set()
    for script in scripts:
        # What a script has made is known to its later statements.
        state = State(Counter(arguments()))
        # CREATE EXTENSION makes it, by the control file.
        state.created_schemas.append("mcp")
        count = 0
        for line, text, node in statements(script):
            count += 1
            findings, unread = spot(state, text)
            name = name_of(node, text)
            if unread:
                unread_names.add(name)
                if name not in listed:
                    findings.append(f"pgspot cannot read it, and {UNREAD.name} does not say why: {unread}")
            check(not findings, f"{script.name}:{line} {name}: " + "; ".join(findings))
        print(f"{script.name}: {count} statements")
        check(count > 0, f"{script} has no statements")
    for name in sorted(set(listed) - unread_names):
        check(False, f"{UNREAD.name} has {name}, which pgspot can read, or which is not there any more: remove the line")
    for name in sorted(set(NO_PATH) - NO_PATH_SEEN):
        check(False, f"NO_PATH has {name}, which has a search_path, or is not there any more: remove the line")
    print(f"{len(unread_names)} statements of which pgspot reads the head alone")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main([Path(name) for name in sys.argv[1:]]) if sys.argv[1:] else "spot.py SCRIPT…")
