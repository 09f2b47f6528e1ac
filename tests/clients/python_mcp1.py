"""The Python SDK `mcp` 1.x (ClientSession) against a running server. Takes the line of demo_server as its argument; see checks.py."""

import logging
from contextlib import asynccontextmanager

from checks import DEMO, check, drive, run, told
from mcp import ClientSession
from mcp.client.streamable_http import streamablehttp_client

NAME = "python mcp 1"
logging.disable(logging.ERROR)  # it logs the 401 of the last step with a traceback


class Adapter:
    def __init__(self, session, hello):
        self.session, self.hello = session, hello

    async def tools(self):
        return [tool.name for tool in (await self.session.list_tools()).tools]

    async def resources(self):
        return [str(resource.uri) for resource in (await self.session.list_resources()).resources]

    async def read(self, uri):
        return (await self.session.read_resource(uri)).contents[0].text

    async def call(self, tool, arguments):
        result = await self.session.call_tool(tool, arguments)
        return result.isError, result.content[0].text, result.structuredContent


@asynccontextmanager
async def client(header, key):
    async with streamablehttp_client(DEMO["url"], headers={header: key}) as (read, write, _), ClientSession(read, write) as session:
        yield Adapter(session, await session.initialize())


async def tenants():
    async with (
        client("X-Client-Key", DEMO["tenant_a"]["key"]) as one,
        client("Authorization", f"Bearer {DEMO['tenant_b']['key']}") as two,
        client("X-Service-Key", DEMO["service_key"]) as service,
    ):
        check(f"{NAME}: speaks 2025-11-25", one.hello.protocolVersion == "2025-11-25", one.hello)
        check(f"{NAME}: knows the server", one.hello.serverInfo.name == "fluxbase_mcp_ext", one.hello)
        await drive(NAME, one, two, service)


async def refused():
    # This client does not show what a refusal says: the connection is closed.
    try:
        async with client("X-Client-Key", "fbk_wrong") as stranger:
            await stranger.tools()
    except Exception as error:
        check(f"{NAME}: a wrong key is refused", "Connection closed" in told(error) or "401" in told(error), told(error))
    else:
        check(f"{NAME}: a wrong key is refused", False, "it was served")


run([(NAME, tenants), (NAME, refused)])
