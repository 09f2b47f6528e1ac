"""The Python SDK `mcp` 2.x against a running server, in each of its modes: list, query, insert, update, delete with X-Client-Key.

Takes the line of demo_server as its argument. Prints "ok N - …" or "not ok N - …" for each check, then "N passed, N failed".
"""

import asyncio
import json
import sys

import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.types import ElicitResult

DEMO = json.loads(sys.argv[1])
TOOLS = ["query_table", "insert_record", "update_record", "delete_record", "write_batch", "list_tables", "describe_table"]
results = []


def check(name, holds, shown=""):
    results.append(bool(holds))
    print(f"{'ok' if holds else 'not ok'} {len(results)} - python {name}{'' if holds else f': {shown}'}", flush=True)


def client(mode, header, key, **more):
    http = httpx2.AsyncClient(headers={header: key}, timeout=30)
    return Client(streamable_http_client(DEMO["url"], http_client=http), mode=mode, **more)


def value(result):
    """What the tool answered, as a host would read it; text and structured content must say the same."""
    assert not result.is_error, result.content[0].text
    text = json.loads(result.content[0].text)
    structured = result.structured_content
    if structured is not None:
        assert (structured["rows"] if isinstance(text, list) else structured) == text, (structured, text)
    return text


async def drive(mode):
    a, b = DEMO["tenant_a"], DEMO["tenant_b"]
    title = f"from python {mode}"
    async with (
        client(mode, "X-Client-Key", a["key"]) as one,
        client(mode, "X-Client-Key", b["key"]) as two,
        client(mode, "X-Service-Key", DEMO["service_key"]) as service,
    ):
        wanted = "2025-11-25" if mode == "legacy" else "2026-07-28"
        check(f"{mode}: speaks {wanted}", one.protocol_version == wanted, one.protocol_version)
        if mode != "2026-07-28":  # with a fixed version it asks nobody who the server is
            check(f"{mode}: knows the server", one.server_info.name == "fluxbase_mcp_ext", one.server_info)
        listed = (await one.list_tools()).tools
        check(f"{mode}: lists the tools", [tool.name for tool in listed] == TOOLS, listed)
        check(f"{mode}: tools have schemas", all(tool.output_schema and tool.annotations for tool in listed))
        resources = (await one.list_resources()).resources
        check(f"{mode}: lists resources", str(resources[0].uri) == "fluxbase://schema/tables", resources)
        read = await one.read_resource("fluxbase://schema/tables/public/notes")
        check(f"{mode}: reads a resource", "user_id" in read.contents[0].text, read)

        async def rows(of, where):
            return value(await of.call_tool("query_table", {"table": "notes", "filter": where}))

        users = value(await one.call_tool("query_table", {"table": "users", "filter": {"is_active": "eq.true"}}))
        check(f"{mode}: queries", [user["email"] for user in users] == ["user@example.com"], users)
        note = value(await one.call_tool("insert_record", {"table": "notes", "data": {"title": title}}))
        check(f"{mode}: inserts as its user", note["user_id"] == a["user"] and note["title"] == title, note)
        own = {"id": note["id"]}
        check(f"{mode}: sees its row", len(await rows(one, own)) == 1)
        check(f"{mode}: the other tenant does not", await rows(two, own) == [])
        change = {"table": "notes", "filter": own, "data": {"body": "changed"}}
        foreign = value(await two.call_tool("update_record", change))
        check(f"{mode}: the other tenant cannot update it", foreign["updated"] == 0, foreign)
        foreign = value(await two.call_tool("delete_record", {"table": "notes", "filter": own}))
        check(f"{mode}: nor delete it", foreign["deleted"] == 0, foreign)
        changed = value(await one.call_tool("update_record", change))
        check(f"{mode}: updates", changed["updated"] == 1 and changed["records"][0]["body"] == "changed", changed)
        check(f"{mode}: the service key sees it", (await rows(service, own))[0]["body"] == "changed")
        wrong = await one.call_tool("query_table", {"table": "notes", "filter": {"title": "no operator"}})
        check(f"{mode}: a mistake is explained", wrong.is_error and "eq.no operator" in wrong.content[0].text, wrong)
        deleted = value(await one.call_tool("delete_record", {"table": "notes", "filter": own}))
        check(f"{mode}: deletes", deleted["deleted"] == 1, deleted)
        check(f"{mode}: it is gone", await rows(service, own) == [])


def told(error):
    """The texts of an error and of all those inside it."""
    inside = error.exceptions if isinstance(error, BaseExceptionGroup) else ()
    return " ".join([repr(error), repr(error.__cause__), *map(told, inside)])


async def refused(mode):
    try:
        async with client(mode, "X-Client-Key", "fbk_wrong") as stranger:
            await stranger.list_tools()
    except Exception as error:
        check(f"{mode}: a wrong key is refused", "-32005" in told(error) and "X-Client-Key" in told(error), told(error))
    else:
        check(f"{mode}: a wrong key is refused", False, "it was served")


async def confirms(mode):
    """A delete of many rows asks the client's user, who says no and then yes. Older revisions have no way to ask."""
    asked = []

    async def user(_context, params):
        asked.append(params.message)
        return ElicitResult(action="decline") if len(asked) == 1 else ElicitResult(action="accept", content={"confirm": True})

    async with client(mode, "X-Client-Key", DEMO["tenant_a"]["key"], elicitation_callback=user) as one:
        title = f"many from python {mode}"
        await one.call_tool("insert_record", {"table": "notes", "data": [{"title": title}] * 101, "returning": "none"})
        delete = {"table": "notes", "filter": {"title": {"eq": title}}, "returning": "title"}
        if mode != "legacy":
            no = await one.call_tool("delete_record", delete)
            check(f"{mode}: its user says no", no.is_error and "said no" in no.content[0].text, no)
        deleted = value(await one.call_tool("delete_record", delete))
        check(f"{mode}: deletes many", deleted["deleted"] == 101, deleted)
        check(f"{mode}: its user was asked", len(asked) == (0 if mode == "legacy" else 2) and all("101" in text for text in asked), asked)


async def main():
    for mode in ["auto", "legacy", "2026-07-28"]:
        for step in [drive, refused, confirms]:
            try:
                await asyncio.wait_for(step(mode), 60)
            except BaseException as error:
                while isinstance(error, BaseExceptionGroup):
                    error = error.exceptions[0]
                check(f"{mode}: runs to its end", False, repr(error))
    passed = sum(results)
    print(f"{passed} passed, {len(results) - passed} failed")
    sys.exit(0 if passed == len(results) else 1)


asyncio.run(main())
