#!/usr/bin/env python3
"""Compares docs/reference.md with the code, in both directions, and checks the links and
paths of all pages.

What is compared: settings (name, default, who may set them), SQL functions (name, arguments, types, defaults), tools with their
arguments, resources, scopes, commands and options, the options of fluxbase.yaml with their variables, environment variables,
JSON-RPC codes and HTTP statuses. Options come from `fluxbase … --help` when FLUXBASE_BIN is set, else from the source.

Python's standard library only. Every comparison is one check; the last line is "N passed, M failed", the exit code is 1 if M > 0.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
REFERENCE = ROOT / "docs" / "reference.md"
EXTENSION = ROOT / "fluxbase_mcp_ext"
LISTENER = ROOT / "listener" / "src"

passed = 0
failed = 0


def read(path):
    return path.read_text(encoding="utf-8")


def check(good, message):
    """Counts one check; says what is wrong when it is not good."""
    global passed, failed
    if good:
        passed += 1
    else:
        failed += 1
        print(f"not ok: {message}")


def compare(what, documented, real):
    """Two dicts (or sets) must have the same keys and, where both are dicts, the same values."""
    if not real:
        check(False, f"{what}: nothing was found in the code; has its form changed?")
    if not documented:
        check(False, f"{what}: nothing was found in docs/reference.md; has its form changed?")
    for name in sorted(set(real) | set(documented)):
        if name not in documented:
            check(False, f"{what} {name} is missing in docs/reference.md")
        elif name not in real:
            check(False, f"{what} {name} is in docs/reference.md and not in the code")
        elif isinstance(real, dict) and isinstance(documented, dict):
            check(documented[name] == real[name], f"{what} {name}: docs/reference.md says {documented[name]!r}, the code {real[name]!r}")
        else:
            check(True, "")


# ---- docs/reference.md ----


def sections(text, level):
    """{heading: body} of the headings of one level; a heading of a higher level ends a body."""
    found = {}
    name = None
    fenced = False
    for line in text.splitlines():
        fenced ^= line.startswith("```")
        heading = None if fenced else re.match(r"(#+) (.*)", line)
        if heading and len(heading[1]) <= level:
            name = heading[2].strip() if len(heading[1]) == level else None
            if name is not None:
                found[name] = ""
        elif name is not None:
            found[name] += line + "\n"
    return found


def rows(text):
    """The cells of every table row, without head and rule; the code marks are taken off the first cell."""
    found = []
    lines = text.splitlines()
    for at, line in enumerate(lines):
        if not line.startswith("|") or re.match(r"\|[-| ]+\|$", line):
            continue
        if at + 1 < len(lines) and re.match(r"\|[-| ]+\|$", lines[at + 1]):
            continue
        found.append([cell.strip() for cell in line.strip().strip("|").split("|")])
    return found


def bare(cell):
    return cell.strip("`")


# ---- settings ----


def settings_of_code():
    text = read(EXTENSION / "gucs.rs")
    defaults = {}
    for name, value in re.findall(r"static (\w+): GucSetting<[^=]*>\s*=\s*GucSetting::<[^;]*?>::new\((.*?)\);", text, re.S):
        inner = re.fullmatch(r'Some\(c"(.*)"\)', value)
        if inner:
            shown = inner[1] or "empty"
        else:
            # Of an enumeration the name of the variant is the value in capitals.
            value = value.partition("::")[2].lower() or value
            shown = {"None": "empty", "true": "on", "false": "off"}.get(value, value.replace("_", "").removesuffix(".0"))
        defaults[name] = shown
    who = {"Suset": "superuser", "Postmaster": "server start", "Sighup": "server, reload"}
    found = {}
    for block in re.findall(r"define_\w+_guc\((.*?)\n\s*\);", text, re.S):
        name = re.search(r'c"([\w.]+)"', block)
        variable = re.search(r"&([A-Z_]+),", block)
        context = re.search(r"GucContext::(\w+)", block)
        if name and name[1].startswith("mcp.") and variable and context:
            found[name[1]] = (defaults.get(variable[1]), who.get(context[1], context[1]))
    return found


def settings_of_reference(text):
    return {bare(row[0]): (bare(row[1]), row[3]) for row in rows(text) if bare(row[0]).startswith("mcp.")}


# ---- SQL functions ----

ALIASES = {
    "int4": "int4", "integer": "int4", "timestamp with time zone": "timestamptz", "bool": "bool", "boolean": "bool",
}


def split_top(text):
    """Splits at commas outside parentheses, braces and quotes."""
    parts, depth, quoted, part = [], 0, False, ""
    for c in text:
        quoted ^= c == "'"
        depth += (c in "([{") - (c in ")]}") if not quoted else 0
        if c == "," and depth == 0 and not quoted:
            parts.append(part)
            part = ""
        else:
            part += c
    return [p.strip() for p in parts + [part] if p.strip()]


def closing(text, start):
    """The place of the parenthesis that closes the one at `start`."""
    depth, quoted = 0, False
    for at in range(start, len(text)):
        c = text[at]
        quoted ^= c == "'"
        if not quoted:
            depth += (c == "(") - (c == ")")
            if depth == 0:
                return at
    raise ValueError("a parenthesis is not closed")


def normal(text):
    return re.sub(r"\s+", " ", text.replace("pg_catalog.", "")).strip()


def arguments(text):
    """[(name, type, default)] of a list of arguments."""
    found = []
    for part in split_top(normal(text)):
        declared, _, default = part.partition(" DEFAULT ")
        name, _, type_name = declared.partition(" ")
        found.append((name, ALIASES.get(type_name, type_name), default))
    return found


def functions(text, keyword):
    """{signature: (arguments, result)} of every function mcp.x in SQL text; `keyword` comes before the name."""
    found = {}
    for match in re.finditer(keyword + r"mcp\.(\w+)\s*\(", text):
        if match[1].startswith("_"):
            continue
        open_at = match.end() - 1
        end = closing(text, open_at)
        args = arguments(text[open_at + 1 : end])
        after = re.match(r"\s*RETURNS\s+", text[end + 1 :])
        if not after:
            continue
        rest = text[end + 1 + after.end() :]
        table = re.match(r"TABLE\s*\(", rest)
        if table:
            close = closing(rest, table.end() - 1)
            result = [argument[:2] for argument in arguments(rest[table.end() : close])]
        else:
            result = re.match(r"(SETOF\s+)?[\w.]+(\[\])?", normal(rest))[0]
        found[f"mcp.{match[1]}({', '.join(argument[1] for argument in args)})"] = (args, result)
    return found


def functions_of_code():
    text = "\n".join(read(path) for path in sorted((ROOT / "sql").glob("*.sql")))
    text = re.sub(r"--[^\n]*", "", text)
    text += "".join(read(path) for path in [EXTENSION / "entry.rs", EXTENSION / "delegate.rs", EXTENSION / "jobs.rs", EXTENSION / "audit" / "report.rs", *sorted((EXTENSION / "registered").glob("*.rs"))])
    return functions(text, r"CREATE (?:OR REPLACE )?(?:FUNCTION|PROCEDURE) ")


def functions_of_reference(text):
    found = {}
    for block in re.findall(r"```sql\n(.*?)```", text, re.S):
        found.update(functions(block, r"(?m)^"))
    return found


# ---- tools, resources, scopes ----


def tools_of_code():
    text = read(EXTENSION / "tools" / "mod.rs")
    found = {}
    for name, schema in re.findall(r'name: "(\w+)",.*?input_schema: r#"(.*?)"#', text, re.S):
        schema = json.loads(schema)
        found[name] = {
            argument: (
                " or ".join(way["type"] for way in about.get("anyOf", [about])),
                "yes" if argument in schema.get("required", []) else "no",
                (about["default"] if isinstance(about["default"], str) else json.dumps(about["default"])) if "default" in about else None,
            )
            for argument, about in schema["properties"].items()
        }
    return found


def tools_of_reference(text):
    return {
        bare(name): {bare(row[0]): (row[1], row[2], bare(row[3]) or None) for row in rows(body)}
        for name, body in sections(text, 3).items()
    }


def compare_tools(documented, real):
    compare("tool", set(documented), set(real))
    for name in sorted(set(documented) & set(real)):
        # A default that the schema does not name is text of ours: `*`.
        shown = {
            argument: (kind, required, default if real[name].get(argument, ("", "", None))[2] else None)
            for argument, (kind, required, default) in documented[name].items()
        }
        compare(f"tool {name}: argument", shown, real[name])


def resources_of_code():
    return set(re.findall(r'uri: "([^"]+)"', read(EXTENSION / "resources" / "mod.rs")))


def scopes_of_code():
    text = read(EXTENSION / "credential" / "src" / "scope.rs").split("#[cfg(test)]")[0]
    return set(re.findall(r'"((?:read|write|execute):\w+)"', text))


# ---- command line ----

COMMON = {"--database-url", "--help"}


def commands_by_help(program):
    """{command: options and positions} as --help tells them, each command's own ones only."""
    found = {}

    def ask(words):
        done = subprocess.run([program, *words, "--help"], capture_output=True, text=True, timeout=30, check=True)
        text = done.stdout
        options = set(re.findall(r"^\s+(?:-\w, )?(--[\w-]+)", text, re.M))
        positions = set(re.findall(r"^\s+<(\w+)>", text, re.M))
        found[" ".join(["fluxbase", *words])] = (options if not words else options - COMMON) | positions
        listed = re.search(r"^Commands:\n((?:  .*\n)+)", text, re.M)
        for name in re.findall(r"^  (\w[\w-]*)", listed[1], re.M) if listed else []:
            if name != "help":
                ask([*words, name])

    ask([])
    return found


def fields(body):
    """Options and positions of the fields of a clap struct or variant."""
    found = set()
    for attribute, name in re.findall(r"#\[arg\(((?:[^()]|\((?:[^()]|\([^()]*\))*\))*)\)\]\s*(\w+):", body):
        long = re.search(r'\blong\b(?:\s*=\s*"([\w-]+)")?', attribute)
        if long:
            found.add("--" + (long[1] or name.replace("_", "-")))
        else:
            value = re.search(r'value_name = "(\w+)"', attribute)
            found.add(value[1] if value else name.upper())
    return found


def block(text, head):
    """The text between the braces that follow `head`."""
    start = text.index("{", text.index(head))
    depth = 0
    for at in range(start, len(text)):
        depth += (text[at] == "{") - (text[at] == "}")
        if depth == 0:
            return text[start + 1 : at]
    raise ValueError(head)


def commands_by_source():
    source = {name: read(LISTENER / "cli" / f"{name}.rs") for name in ("serve", "stdio", "init", "doctor", "keys", "functions")}
    top = read(LISTENER / "cli.rs")
    found = {"fluxbase": fields(block(top, "struct Arguments")) | {"--help", "--version"}}
    output = fields(block(source["keys"], "struct Output"))
    for name in ("serve", "stdio", "init"):
        found[f"fluxbase {name}"] = fields(block(source[name], "struct Options"))
    found["fluxbase doctor"] = fields(block(source["doctor"], "struct Options"))
    found["fluxbase doctor access"] = fields(block(source["doctor"], "Access {"))
    found["fluxbase functions"] = set()
    found["fluxbase functions serve"] = fields(block(source["functions"], "struct Serve"))
    found["fluxbase functions new"] = fields(block(source["functions"], "New {"))
    actions = block(read(LISTENER / "cli" / "functions" / "secrets.rs"), "enum Action")
    found["fluxbase functions secrets"] = set()
    for variant in ("Set", "List", "Remove"):
        found[f"fluxbase functions secrets {variant.lower()}"] = fields(block(actions, f"{variant} {{"))
    for kind in ("clientkeys", "servicekeys"):
        actions = block(source["keys"], "enum Action")
        found[f"fluxbase {kind}"] = set()
        found[f"fluxbase {kind} create"] = fields(block(source["keys"], "struct Create")) | output
        for variant in ("List", "Revoke", "Rotate"):
            body = block(actions, f"{variant} {{")
            found[f"fluxbase {kind} {variant.lower()}"] = fields(body) | (output if "output: Output" in body else set())
    known = set(re.findall(r"^    (\w+)(?:\(| \{)", block(top, "enum Command"), re.M))
    check(known == {"Serve", "Stdio", "Clientkeys", "Servicekeys", "Init", "Doctor", "Functions"}, f"listener/src/cli.rs has other commands: {sorted(known)}")
    return found


def commands_of_reference(text):
    found = {}
    for name, body in sections(text, 3).items():
        found[bare(name)] = {bare(row[0]).split(" ")[0] for row in rows(body)}
    # The reference describes the commands of both kinds of keys once.
    for name in [name for name in found if name.startswith("fluxbase clientkeys ")]:
        found[name.replace("clientkeys", "servicekeys")] = found[name]
    return found


# ---- fluxbase.yaml and the environment ----


def options_of_code(constant):
    listed = re.search(rf"const {constant}: .*?= \[(.*?)\];", read(LISTENER / "config.rs"), re.S)
    return re.findall(r'"(\w+)"', listed[1]) if listed else []


def check_yaml(text):
    for section, constant in (("mcp", "MCP_OPTIONS"), ("listener", "LISTENER_OPTIONS")):
        body = sections(text, 3).get(f"Section `{section}:`", "")
        documented = {bare(row[0]): bare(row[1]) for row in rows(body)}
        real = {name: f"FLUXBASE_{section.upper()}_{name.upper()}" for name in options_of_code(constant)}
        compare(f"option {section}.", documented, real)


def variables_of_code():
    text = "".join(read(path).split("#[cfg(test)]")[0] for path in sorted(LISTENER.rglob("*.rs")))
    text = re.sub(r"//[^\n]*", "", text)
    found = set(re.findall(r'"(FLUXBASE_(?!MCP_|LISTENER_)\w+|PG[A-Z]+)"', text))
    return found | ({"RUST_LOG"} if "EnvFilter::try_from_default_env" in text else set())


# ---- codes and statuses ----


def codes_of_code():
    text = read(EXTENSION / "protocol" / "src" / "error.rs") + read(LISTENER / "reply.rs")
    return set(re.findall(r"pub(?:\(crate\))? const \w+: i32 = (-\d+);", text))


STATUS_NAMES = {
    "OK": 200, "ACCEPTED": 202, "NO_CONTENT": 204, "BAD_REQUEST": 400, "UNAUTHORIZED": 401, "FORBIDDEN": 403, "NOT_FOUND": 404,
    "METHOD_NOT_ALLOWED": 405, "REQUEST_TIMEOUT": 408, "PAYLOAD_TOO_LARGE": 413, "UNSUPPORTED_MEDIA_TYPE": 415,
    "TOO_MANY_REQUESTS": 429, "INTERNAL_SERVER_ERROR": 500, "SERVICE_UNAVAILABLE": 503,
}


def statuses_of_code():
    found = set()
    for path in [*LISTENER.glob("*.rs"), *(LISTENER / "call").glob("*.rs"), *(EXTENSION / "protocol" / "src").glob("*.rs")]:
        text = re.sub(r"//[^\n]*", "", read(path).split("#[cfg(test)]")[0])
        for name in re.findall(r"StatusCode::([A-Z_]+)", text):
            check(name in STATUS_NAMES, f"{path.relative_to(ROOT)} uses StatusCode::{name}, which this check does not know")
            found.add(str(STATUS_NAMES.get(name, name)))
        found |= set(re.findall(r"(?:status: |\.reply\(|Reply::new\(|\(\s*)([2-5]\d\d)\s*,", text))
    return found


# ---- links ----


def anchors(text):
    found = set()
    for heading in re.findall(r"^#+ (.*)$", re.sub(r"```.*?```", "", text, flags=re.S), re.M):
        slug = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        found.add(slug)
    return found


def check_links():
    pages = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
    for page in pages:
        text = re.sub(r"```.*?```", "", read(page), flags=re.S)
        for link in re.findall(r"\]\(([^)\s]+)\)", text):
            if re.match(r"[a-z]+:", link):
                continue
            path, _, anchor = link.partition("#")
            target = (page.parent / path).resolve() if path else page
            there = target.exists()
            if there and anchor and target.suffix == ".md":
                there = anchor in anchors(read(target))
            check(there, f"{page.relative_to(ROOT)}: the link {link} leads nowhere")


def check_paths():
    """Paths of this project in code marks, and names of pg_regress tests, must exist."""
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]:
        text = re.sub(r"```.*?```", "", read(page), flags=re.S)
        for path in re.findall(r"`((?:fluxbase_mcp_ext|sql|tests|listener|scripts|docs)/[\w./-]+)`", text):
            # NAME stands for any name; the page of figures is written by make bench.
            if "NAME" in path or path.startswith("docs/benchmarks"):
                continue
            check((ROOT / path).exists(), f"{page.relative_to(ROOT)} names {path}, which is not there")
        if page.name == "architecture.md":
            for name in re.findall(r"`(\w+\.sql)`", text):
                check((ROOT / "tests/pg_regress/sql" / name).exists(), f"{page.relative_to(ROOT)} names the test {name}, which is not there")


def main():
    parts = sections(read(REFERENCE), 2)

    def part(name):
        check(name in parts, f'docs/reference.md has no section "{name}"')
        return parts.get(name, "")

    compare("setting", settings_of_reference(part("Settings of Postgres")), settings_of_code())
    compare("function", functions_of_reference(part("SQL functions")), functions_of_code())
    compare_tools(tools_of_reference(part("Tools")), tools_of_code())
    compare("resource", {bare(row[0]) for row in rows(part("Resources"))}, resources_of_code())
    compare("scope", {bare(row[0]) for row in rows(part("Scopes"))}, scopes_of_code())
    program = os.environ.get("FLUXBASE_BIN")
    real = commands_by_help(program) if program else commands_by_source()
    documented = commands_of_reference(part("Command line"))
    compare("command", set(documented), set(real))
    for name in sorted(set(documented) & set(real)):
        if documented[name] or real[name]:
            compare(f"command {name}: option", documented[name], real[name])
    check_yaml(part("fluxbase.yaml"))
    compare("variable", {bare(row[0]) for row in rows(part("Environment"))}, variables_of_code())
    compare("code", {bare(row[0]) for row in rows(part("JSON-RPC errors"))}, codes_of_code())
    statuses = {bare(row[0]) for row in rows(part("HTTP statuses")) if re.fullmatch(r"`\d+`", row[0])}
    compare("status", statuses, statuses_of_code())
    check_links()
    check_paths()

    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
