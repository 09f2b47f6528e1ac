"""The Python SDK `mcp` 2.x starts `fluxbase stdio` and speaks to it, in each of its modes. Takes the line of demo_server; see checks.py."""

from checks import DEMO, check, drive, run, told
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client

HOW = DEMO["stdio"]


class Adapter:
    def __init__(self, client):
        self.client = client

    async def tools(self):
        return [tool.name for tool in (await self.client.list_tools()).tools]

    async def resources(self):
        return [str(resource.uri) for resource in (await self.client.list_resources()).resources]

    async def read(self, uri):
        return (await self.client.read_resource(uri)).contents[0].text

    async def call(self, tool, arguments):
        result = await self.client.call_tool(tool, arguments)
        return result.is_error, result.content[0].text, result.structured_content


def client(mode, key):
    env = {"FLUXBASE_KEY": key, "FLUXBASE_DATABASE_URL": HOW["database_url"]}
    return Client(stdio_client(StdioServerParameters(command=HOW["program"], args=["stdio"], env=env)), mode=mode)


async def tenants(mode):
    name = f"python mcp 2 stdio {mode}"
    async with (
        client(mode, DEMO["tenant_a"]["key"]) as one,
        client(mode, DEMO["tenant_b"]["key"]) as two,
        client(mode, DEMO["service_key"]) as service,
    ):
        wanted = "2025-11-25" if mode == "legacy" else "2026-07-28"
        check(f"{name}: speaks {wanted}", one.protocol_version == wanted, one.protocol_version)
        await drive(name, Adapter(one), Adapter(two), Adapter(service))


async def progress():
    steps = []

    async def tell(progress, total, message):
        steps.append((progress, total, message))

    async with client("auto", DEMO["rpc_key"]) as session:
        result = await session.call_tool("count_up", {}, progress_callback=tell)
    check("python mcp 2 stdio: is told the progress", steps == [(n, 3, f"step {n}") for n in (1, 2, 3)], steps)
    check("python mcp 2 stdio: and then the answer", result.content[0].text == "counted to 3", result)


async def refused():
    # The program has ended with its reason on standard error; the client sees that it is gone.
    try:
        async with client("auto", "fbk_wrong") as stranger:
            await stranger.list_tools()
    except Exception as error:
        check("python mcp 2 stdio: a wrong key is refused", True, told(error))
    else:
        check("python mcp 2 stdio: a wrong key is refused", False, "it was served")


run([
    *((f"python mcp 2 stdio {mode}", lambda mode=mode: tenants(mode)) for mode in ["auto", "legacy", "2026-07-28"]),
    ("python mcp 2 stdio progress", progress),
    ("python mcp 2 stdio refused", refused),
])
