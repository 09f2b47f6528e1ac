"""The client of `fastmcp` against a running server, in each of its modes. Takes the line of demo_server as its argument; see checks.py."""

from contextlib import asynccontextmanager

from checks import DEMO, check, drive, run, told
from fastmcp import Client
from fastmcp.client.transports import StreamableHttpTransport


class Adapter:
    def __init__(self, client):
        self.client = client

    async def tools(self):
        return [tool.name for tool in await self.client.list_tools()]

    async def resources(self):
        return [str(resource.uri) for resource in await self.client.list_resources()]

    async def read(self, uri):
        return (await self.client.read_resource(uri))[0].text

    async def call(self, tool, arguments):
        result = await self.client.call_tool(tool, arguments, raise_on_error=False)
        return result.is_error, result.content[0].text, result.structured_content


@asynccontextmanager
async def client(mode, header, key):
    async with Client(StreamableHttpTransport(DEMO["url"], headers={header: key}), mode=mode, timeout=30) as connected:
        yield Adapter(connected)


async def tenants(name, mode):
    async with (
        client(mode, "X-Client-Key", DEMO["tenant_a"]["key"]) as one,
        client(mode, "Authorization", f"Bearer {DEMO['tenant_b']['key']}") as two,
        client(mode, "X-Service-Key", DEMO["service_key"]) as service,
    ):
        wanted = "2025-11-25" if mode == "legacy" else "2026-07-28"
        check(f"{name}: speaks {wanted}", one.client.protocol_version == wanted, one.client.protocol_version)
        await drive(name, one, two, service)


async def refused(name, mode):
    try:
        async with client(mode, "X-Client-Key", "fbk_wrong") as stranger:
            await stranger.tools()
    except Exception as error:
        # Of a refused handshake it shows the status only.
        holds = "X-Client-Key" in told(error) or "401" in told(error)
        check(f"{name}: a wrong key is refused", holds, told(error))
    else:
        check(f"{name}: a wrong key is refused", False, "it was served")


run(
    [
        (f"fastmcp {mode}", lambda mode=mode, step=step: step(f"fastmcp {mode}", mode))
        for mode in ["auto", "legacy", "2026-07-28"]
        for step in [tenants, refused]
    ]
)
