// The command line of MCP Inspector against a running server, in each of its eras. `--strict` fails when a host could not use a tool's schema.
//
// Takes the line of demo_server as its argument; see checks.mjs. Each call is a run of the program.

import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { check, demo, run, TOOLS } from "./checks.mjs";

const program = fileURLToPath(new URL("./node_modules/@modelcontextprotocol/inspector/clients/launcher/build/index.js", import.meta.url));
// It keeps its files in a home folder.
const home = mkdtempSync(join(tmpdir(), "fluxbase-inspector-"));
process.on("exit", () => rmSync(home, { recursive: true, force: true }));

// Answers { code, result, said }: result is what it wrote, read as JSON.
function inspect(era, header, method, ...more) {
  const args = [program, "--cli", demo.url, "--transport", "http", "--header", header, "--protocol-era", era, "--method", method, "--format", "json", "--stored-auth-only", ...more];
  const env = { PATH: process.env.PATH, HOME: home };
  return new Promise((resolve) => {
    execFile(process.execPath, args, { env, timeout: 30000 }, (error, stdout, stderr) => {
      let result;
      try {
        result = JSON.parse(stdout);
        result = result.result ?? result;
      } catch {}
      resolve({ code: error ? error.code : 0, result, said: `${stdout} ${stderr}` });
    });
  });
}

async function tenants(name, era) {
  const key = (tenant) => `X-Client-Key: ${tenant.key}`;
  const [a, b] = [key(demo.tenant_a), key(demo.tenant_b)];
  const call = (header, tool, args) => inspect(era, header, "tools/call", "--tool-name", tool, "--tool-args-json", JSON.stringify(args));
  const value = async (...about) => {
    const { code, result, said } = await call(...about);
    if (code !== 0 || result?.isError) throw new Error(`exit ${code}: ${said}`);
    return JSON.parse(result.content[0].text);
  };

  const tools = await inspect(era, a, "tools/list", "--strict");
  check(`${name}: lists the tools`, JSON.stringify(tools.result?.tools?.map((tool) => tool.name)) === JSON.stringify(TOOLS), tools);
  check(`${name}: --strict finds no error in them`, tools.code === 0, tools);
  const found = (tools.result?.schemaFindings ?? []).flatMap(({ toolName, findings }) => findings.map(({ rule, path }) => `${toolName} ${path}: ${rule}`));
  check(`${name}: nor a warning`, tools.code === 0 && found.length === 0, found);
  const resources = await inspect(era, a, "resources/list");
  check(`${name}: lists resources`, resources.result?.resources?.[0].uri === "fluxbase://schema/tables", resources);
  const read = await inspect(era, a, "resources/read", "--uri", "fluxbase://schema/tables/public/notes");
  check(`${name}: reads a resource`, read.result?.contents?.[0].text.includes("user_id"), read);
  const users = await value(a, "query_table", { table: "users", filter: { is_active: "eq.true" } });
  check(`${name}: queries`, users.length === 1 && users[0].email === "user@example.com", users);
  const note = await value(a, "insert_record", { table: "notes", data: { title: `from ${name}` } });
  check(`${name}: inserts as its user`, note.user_id === demo.tenant_a.user && note.title === `from ${name}`, note);
  const own = { table: "notes", filter: { id: note.id } };
  check(`${name}: sees its row`, (await value(a, "query_table", own)).length === 1);
  check(`${name}: the other tenant does not`, (await value(b, "query_table", own)).length === 0);
  const change = { ...own, data: { body: "changed" } };
  check(`${name}: the other tenant cannot update it`, (await value(b, "update_record", change)).updated === 0);
  check(`${name}: updates`, (await value(a, "update_record", change)).updated === 1);
  const seen = await value(`X-Service-Key: ${demo.service_key}`, "query_table", own);
  check(`${name}: the service key sees it`, seen[0]?.body === "changed", seen);
  const wrong = await call(a, "query_table", { table: "notes", filter: { title: "no operator" } });
  check(`${name}: a mistake is explained`, wrong.code !== 0 && wrong.said.includes("eq.no operator"), wrong);
  check(`${name}: deletes`, (await value(a, "delete_record", own)).deleted === 1);
  const refused = await inspect(era, "X-Client-Key: fbk_wrong", "tools/list");
  check(`${name}: a wrong key is refused`, refused.code !== 0 && refused.result === undefined, refused);
}

await run(["legacy", "auto", "modern"].map((era) => [`inspector ${era}`, () => tenants(`inspector ${era}`, era)]));
