"""What the Python clients share: the server they are told of, their checks, and what each must be able to do.

A client is driven through a small adapter, since the libraries name the same things differently.
"""

import asyncio
import json
import sys

DEMO = json.loads(sys.argv[1])
TOOLS = ["query_table", "insert_record", "update_record", "delete_record", "write_batch", "list_tables", "describe_table"]
results = []


def check(name, holds, shown=""):
    results.append(bool(holds))
    print(f"{'ok' if holds else 'not ok'} {len(results)} - {name}{'' if holds else f': {shown}'}", flush=True)


def told(error):
    """The texts of an error and of all those inside it."""
    inside = error.exceptions if isinstance(error, BaseExceptionGroup) else ()
    return " ".join([repr(error), repr(error.__cause__), *map(told, inside)])


async def drive(name, one, two, service):
    """List, read, query, insert, update, delete. Each client is an adapter with tools(), resources(), read(uri), call(tool, arguments).

    call answers (is an error, text, structured content).
    """
    a = DEMO["tenant_a"]

    async def value(of, tool, arguments):
        failed, text, structured = await of.call(tool, arguments)
        assert not failed, text
        got = json.loads(text)
        # Text and structured content must say the same.
        assert structured is None or (structured["rows"] if isinstance(got, list) else structured) == got, (structured, got)
        return got

    async def rows(of, where):
        return await value(of, "query_table", {"table": "notes", "filter": where})

    listed = await one.tools()
    check(f"{name}: lists the tools", listed == TOOLS, listed)
    resources = await one.resources()
    check(f"{name}: lists resources", resources[0] == "fluxbase://schema/tables", resources)
    read = await one.read("fluxbase://schema/tables/public/notes")
    check(f"{name}: reads a resource", "user_id" in read, read)
    users = await value(one, "query_table", {"table": "users", "filter": {"is_active": "eq.true"}})
    check(f"{name}: queries", [user["email"] for user in users] == ["user@example.com"], users)
    title = f"from {name}"
    note = await value(one, "insert_record", {"table": "notes", "data": {"title": title}})
    check(f"{name}: inserts as its user", note["user_id"] == a["user"] and note["title"] == title, note)
    own = {"id": note["id"]}
    check(f"{name}: sees its row", len(await rows(one, own)) == 1)
    check(f"{name}: the other tenant does not", await rows(two, own) == [])
    change = {"table": "notes", "filter": own, "data": {"body": "changed"}}
    foreign = await value(two, "update_record", change)
    check(f"{name}: the other tenant cannot update it", foreign["updated"] == 0, foreign)
    changed = await value(one, "update_record", change)
    check(f"{name}: updates", changed["updated"] == 1 and changed["records"][0]["body"] == "changed", changed)
    check(f"{name}: the service key sees it", (await rows(service, own))[0]["body"] == "changed")
    failed, text, _ = await one.call("query_table", {"table": "notes", "filter": {"title": "no operator"}})
    check(f"{name}: a mistake is explained", failed and "eq.no operator" in text, text)
    deleted = await value(one, "delete_record", {"table": "notes", "filter": own})
    check(f"{name}: deletes", deleted["deleted"] == 1, deleted)
    check(f"{name}: it is gone", await rows(service, own) == [])


def run(steps):
    """Runs the steps, which are (name, function that makes a coroutine), counts, and ends the program."""

    async def main():
        for name, step in steps:
            try:
                await asyncio.wait_for(step(), 60)
            except BaseException as error:
                check(f"{name}: runs to its end", False, told(error))

    asyncio.run(main())
    passed = sum(results)
    print(f"{passed} passed, {len(results) - passed} failed")
    sys.exit(0 if passed == len(results) else 1)
