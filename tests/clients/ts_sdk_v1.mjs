// The TypeScript SDK v1 against a running server: list, query, insert, update, delete with X-Client-Key.
//
// Takes the line of demo_server as its argument. Prints "ok N - …" or "not ok N - …" for each check, then "N passed, N failed".

import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";

const demo = JSON.parse(process.argv[2]);
const TOOLS = ["query_table", "insert_record", "update_record", "delete_record", "write_batch", "list_tables", "describe_table"];
const results = [];

function check(name, holds, shown = "") {
  results.push(Boolean(holds));
  const text = typeof shown === "string" ? shown : JSON.stringify(shown);
  console.log(`${holds ? "ok" : "not ok"} ${results.length} - typescript ${name}${holds ? "" : `: ${text}`}`);
}

async function connect(headers) {
  const client = new Client({ name: "fluxbase-tests", version: "0" });
  await client.connect(new StreamableHTTPClientTransport(new URL(demo.url), { requestInit: { headers } }));
  return client;
}

// What the tool answered; the client itself has checked structured content against the tool's output schema.
async function call(client, name, args) {
  const result = await client.callTool({ name, arguments: args });
  const text = result.content[0].text;
  if (result.isError) throw new Error(text);
  const value = JSON.parse(text);
  const structured = Array.isArray(value) ? result.structuredContent.rows : result.structuredContent;
  if (JSON.stringify(structured) !== JSON.stringify(value)) throw new Error(`text and structured content differ: ${text}`);
  return value;
}

async function drive() {
  const { tenant_a: a, tenant_b: b } = demo;
  const one = await connect({ "X-Client-Key": a.key });
  const two = await connect({ Authorization: `Bearer ${b.key}` });
  const service = await connect({ "X-Service-Key": demo.service_key });
  check("knows the server", one.getServerVersion().name === "fluxbase_mcp_ext", one.getServerVersion());
  check("gets instructions", (one.getInstructions() ?? "").includes("eq"), one.getInstructions());
  await one.ping();
  check("pings", true);
  const { tools } = await one.listTools();
  check("lists the tools", JSON.stringify(tools.map((tool) => tool.name)) === JSON.stringify(TOOLS), tools);
  const { resources } = await one.listResources();
  check("lists resources", resources[0].uri === "fluxbase://schema/tables", resources);
  const { resourceTemplates } = await one.listResourceTemplates();
  check("lists templates", resourceTemplates[0].uriTemplate === "fluxbase://schema/tables/{schema}/{table}", resourceTemplates);
  const read = await one.readResource({ uri: "fluxbase://schema/tables/public/notes" });
  check("reads a resource", read.contents[0].text.includes("user_id"), read);

  const rows = (client, filter) => call(client, "query_table", { table: "notes", filter });
  const users = await call(one, "query_table", { table: "users", filter: { is_active: "eq.true" } });
  check("queries", users.length === 1 && users[0].email === "user@example.com", users);
  const note = await call(one, "insert_record", { table: "notes", data: { title: "from typescript" } });
  check("inserts as its user", note.user_id === a.user && note.title === "from typescript", note);
  const own = { id: note.id };
  check("sees its row", (await rows(one, own)).length === 1);
  check("the other tenant does not", (await rows(two, own)).length === 0);
  const change = { table: "notes", filter: own, data: { body: "changed" } };
  check("the other tenant cannot update it", (await call(two, "update_record", change)).updated === 0);
  check("nor delete it", (await call(two, "delete_record", { table: "notes", filter: own })).deleted === 0);
  const changed = await call(one, "update_record", change);
  check("updates", changed.updated === 1 && changed.records[0].body === "changed", changed);
  check("the service key sees it", (await rows(service, own))[0].body === "changed");
  const wrong = await one.callTool({ name: "query_table", arguments: { table: "notes", filter: { title: "no operator" } } });
  check("a mistake is explained", wrong.isError && wrong.content[0].text.includes("eq.no operator"), wrong);
  check("deletes", (await call(one, "delete_record", { table: "notes", filter: own })).deleted === 1);
  check("it is gone", (await rows(service, own)).length === 0);
  for (const client of [one, two, service]) await client.close();
}

async function refused() {
  try {
    const stranger = await connect({ "X-Client-Key": "fbk_wrong" });
    await stranger.listTools();
    check("a wrong key is refused", false, "it was served");
  } catch (error) {
    check("a wrong key is refused", `${error}`.includes("X-Client-Key"), `${error}`);
  }
}

for (const step of [drive, refused]) {
  try {
    await step();
  } catch (error) {
    check("runs to its end", false, `${error?.stack ?? error}`);
  }
}
const passed = results.filter(Boolean).length;
console.log(`${passed} passed, ${results.length - passed} failed`);
process.exit(passed === results.length ? 0 : 1);
