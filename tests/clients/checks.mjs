// What the Node clients share: the server they are told of, their checks, and what each must be able to do.

export const demo = JSON.parse(process.argv[2]);
export const TOOLS = ["query_table", "insert_record", "update_record", "delete_record", "write_batch", "list_tables", "describe_table"];
const results = [];

export function check(name, holds, shown = "") {
  results.push(Boolean(holds));
  const text = typeof shown === "string" ? shown : JSON.stringify(shown);
  console.log(`${holds ? "ok" : "not ok"} ${results.length} - ${name}${holds ? "" : `: ${text}`}`);
}

// What a tool's result says; text and structured content must say the same.
function value(result) {
  const text = result.content[0].text;
  if (result.isError) throw new Error(text);
  const got = JSON.parse(text);
  if (result.structuredContent === undefined) return got;
  const structured = Array.isArray(got) ? result.structuredContent.rows : result.structuredContent;
  if (JSON.stringify(structured) !== JSON.stringify(got)) throw new Error(`text and structured content differ: ${text}`);
  return got;
}

// List, read, query, insert, update, delete. Each client has listTools, listResources, readResource and callTool, as those of the SDKs.
export async function drive(name, one, two, service) {
  const call = async (client, tool, args) => value(await client.callTool({ name: tool, arguments: args }));
  const rows = (client, filter) => call(client, "query_table", { table: "notes", filter });
  const { tools } = await one.listTools();
  check(`${name}: lists the tools`, JSON.stringify(tools.map((tool) => tool.name)) === JSON.stringify(TOOLS), tools);
  const { resources } = await one.listResources();
  check(`${name}: lists resources`, resources[0].uri === "fluxbase://schema/tables", resources);
  const read = await one.readResource({ uri: "fluxbase://schema/tables/public/notes" });
  check(`${name}: reads a resource`, read.contents[0].text.includes("user_id"), read);
  const users = await call(one, "query_table", { table: "users", filter: { is_active: "eq.true" } });
  check(`${name}: queries`, users.length === 1 && users[0].email === "user@example.com", users);
  const title = `from ${name}`;
  const note = await call(one, "insert_record", { table: "notes", data: { title } });
  check(`${name}: inserts as its user`, note.user_id === demo.tenant_a.user && note.title === title, note);
  const own = { id: note.id };
  check(`${name}: sees its row`, (await rows(one, own)).length === 1);
  check(`${name}: the other tenant does not`, (await rows(two, own)).length === 0);
  const change = { table: "notes", filter: own, data: { body: "changed" } };
  check(`${name}: the other tenant cannot update it`, (await call(two, "update_record", change)).updated === 0);
  check(`${name}: nor delete it`, (await call(two, "delete_record", { table: "notes", filter: own })).deleted === 0);
  const changed = await call(one, "update_record", change);
  check(`${name}: updates`, changed.updated === 1 && changed.records[0].body === "changed", changed);
  check(`${name}: the service key sees it`, (await rows(service, own))[0].body === "changed");
  const wrong = await one.callTool({ name: "query_table", arguments: { table: "notes", filter: { title: "no operator" } } });
  check(`${name}: a mistake is explained`, wrong.isError && wrong.content[0].text.includes("eq.no operator"), wrong);
  check(`${name}: deletes`, (await call(one, "delete_record", { table: "notes", filter: own })).deleted === 1);
  check(`${name}: it is gone`, (await rows(service, own)).length === 0);
}

// Runs the steps, which are [name, async function], counts, and ends the program.
export async function run(steps) {
  for (const [name, step] of steps) {
    let timer;
    const late = new Promise((_, reject) => (timer = setTimeout(() => reject(new Error("it took more than two minutes")), 120000)));
    try {
      await Promise.race([step(), late]);
    } catch (error) {
      check(`${name}: runs to its end`, false, `${error?.stack ?? error}`);
    }
    clearTimeout(timer);
  }
  const passed = results.filter(Boolean).length;
  console.log(`${passed} passed, ${results.length - passed} failed`);
  process.exit(passed === results.length ? 0 : 1);
}
