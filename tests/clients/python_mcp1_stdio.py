"""The Python SDK `mcp` 1.x starts `fluxbase stdio` and speaks to it. Takes the line of demo_server; see checks.py."""

from contextlib import asynccontextmanager

from checks import DEMO, check, drive, run, told
from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client

NAME = "python mcp 1 stdio"
HOW = DEMO["stdio"]


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
async def client(key):
    env = {"FLUXBASE_KEY": key, "FLUXBASE_DATABASE_URL": HOW["database_url"]}
    how = StdioServerParameters(command=HOW["program"], args=["stdio"], env=env)
    async with stdio_client(how) as (read, write), ClientSession(read, write) as session:
        yield Adapter(session, await session.initialize())


async def tenants():
    async with (
        client(DEMO["tenant_a"]["key"]) as one,
        client(DEMO["tenant_b"]["key"]) as two,
        client(DEMO["service_key"]) as service,
    ):
        check(f"{NAME}: speaks 2025-11-25", one.hello.protocolVersion == "2025-11-25", one.hello)
        check(f"{NAME}: knows the server", one.hello.serverInfo.name == "fluxbase_mcp_ext", one.hello)
        failed, _, structured = await one.call("query_table", {"table": "users"})
        check(f"{NAME}: the negotiated revision holds: structured content", not failed and structured["rows"], structured)
        await drive(NAME, one, two, service)


async def refused():
    # The program has ended with its reason on standard error; the client sees that it is gone.
    try:
        async with client("fbk_wrong") as stranger:
            await stranger.tools()
    except Exception as error:
        check(f"{NAME}: a wrong key is refused", any(end in told(error) for end in ("Connection closed", "Connection lost")), told(error))
    else:
        check(f"{NAME}: a wrong key is refused", False, "it was served")


run([(NAME, tenants), (f"{NAME} refused", refused)])
