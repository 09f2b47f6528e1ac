// mcp-remote, which lets hosts that only start local programs reach a server, against a running server: as it is by default
// and with --protocol auto. A host's part is played by the TypeScript SDK v1, which starts it and speaks through its standard input and output.
//
// Takes the line of demo_server as its argument; see checks.mjs.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { check, demo, drive, run } from "./checks.mjs";

const program = fileURLToPath(new URL("./node_modules/mcp-remote/dist/proxy.js", import.meta.url));
// It keeps what it learns of logins in a folder, which would be ~/.mcp-auth.
const home = mkdtempSync(join(tmpdir(), "fluxbase-mcp-remote-"));
process.on("exit", () => rmSync(home, { recursive: true, force: true }));

// The key is given as docs/guide-clients.md gives it: by a variable, and no blank after the colon.
async function connect(flags, header, key) {
  const args = [program, demo.url, "--header", `${header}:\${FLUXBASE_KEY}`, "--allow-http", ...flags];
  const env = { PATH: process.env.PATH, HOME: home, MCP_REMOTE_CONFIG_DIR: home, FLUXBASE_KEY: key };
  const client = new Client({ name: "fluxbase-tests", version: "0" });
  const transport = new StdioClientTransport({ command: process.execPath, args, env, stderr: "pipe" });
  let said = "";
  transport.stderr.on("data", (data) => (said += data));
  try {
    await client.connect(transport, { timeout: 30000 });
  } catch (error) {
    throw new Error(`${error}; mcp-remote said: ${said}`);
  }
  return client;
}

async function tenants(name, flags) {
  const one = await connect(flags, "X-Client-Key", demo.tenant_a.key);
  const two = await connect(flags, "X-Client-Key", demo.tenant_b.key);
  const service = await connect(flags, "X-Service-Key", demo.service_key);
  check(`${name}: knows the server`, one.getServerVersion().name === "fluxbase_mcp_ext", one.getServerVersion());
  await drive(name, one, two, service);
  for (const client of [one, two, service]) await client.close();
}

await run([
  ["mcp-remote", () => tenants("mcp-remote", [])],
  ["mcp-remote auto", () => tenants("mcp-remote auto", ["--protocol", "auto"])],
]);
