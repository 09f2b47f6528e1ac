// Hosts, each in a scratch home folder, without an account: they are given the server as docs/guide-clients.md says, over HTTP and as a local
// program, and must connect to it, and not with a wrong key.
//
// Takes the line of demo_server, then HOST=PROGRAM for each host, a program for Node or a binary; see checks.mjs. Hosts: claude, codex, gemini.

import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { check, demo, run } from "./checks.mjs";

const scratch = mkdtempSync(join(tmpdir(), "fluxbase-hosts-"));
process.on("exit", () => rmSync(scratch, { recursive: true, force: true }));
const { program, database_url } = demo.stdio;
const variables = { FLUXBASE_KEY: demo.rpc_key, FLUXBASE_DATABASE_URL: database_url };
const TOOLS = ["count_up", "describe_table", "invoke_rpc", "list_tables", "query_table"];

// A host with a home folder and a project of its own; what it asks of its maker's services is switched off where it can be.
function host(name, path) {
  const home = join(scratch, name);
  const project = join(home, "project");
  mkdirSync(project, { recursive: true });
  const env = {
    PATH: `${dirname(process.execPath)}:/usr/bin:/bin`,
    HOME: home,
    FLUXBASE_KEY: demo.rpc_key,
    DISABLE_TELEMETRY: "1",
    DISABLE_AUTOUPDATER: "1",
    CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: "1",
  };
  const start = (args) => {
    const [command, all] = /\.(c|m)?js$/.test(path) ? [process.execPath, [path, ...args]] : [path, args];
    return spawn(command, all, { cwd: project, env, stdio: ["pipe", "pipe", "pipe"] });
  };
  // Runs it to its end and gives what it wrote.
  const ask = (...args) =>
    new Promise((resolve, reject) => {
      const child = start(args);
      let said = "";
      child.stdout.on("data", (data) => (said += data));
      child.stderr.on("data", (data) => (said += data));
      child.stdin.end();
      const timer = setTimeout(() => child.kill("SIGKILL"), 60000);
      child.on("error", reject);
      child.on("close", () => (clearTimeout(timer), resolve(said)));
    });
  return { home, project, start, ask };
}

const lineOf = (said, name) => said.split("\n").find((line) => line.includes(`${name}:`)) ?? said;

async function claude(path) {
  const { ask } = host("claude", path);
  const http = (name, key) => ask("mcp", "add", "--transport", "http", name, demo.url, "--header", `X-Client-Key: ${key}`);
  await http("fluxbase-http", demo.rpc_key);
  await http("fluxbase-wrong", "fbk_wrong");
  const env = Object.entries(variables).flatMap(([name, value]) => ["--env", `${name}=${value}`]);
  await ask("mcp", "add", "fluxbase-stdio", ...env, "--", program, "stdio");
  const said = await ask("mcp", "list");
  for (const name of ["fluxbase-http", "fluxbase-stdio"]) {
    check(`claude code: connects to ${name}`, lineOf(said, name).includes("Connected"), said);
  }
  const wrong = lineOf(said, "fluxbase-wrong");
  check("claude code: says what to do about a wrong key", wrong.includes("Failed") && wrong.includes("Set the header X-Client-Key"), said);
}

async function gemini(path) {
  const { home, project, ask } = host("gemini", path);
  mkdirSync(join(home, ".gemini"));
  writeFileSync(join(home, ".gemini", "trustedFolders.json"), JSON.stringify({ [project]: "TRUST_FOLDER" }));
  const add = (...args) => ask("mcp", "add", "--scope", "user", ...args);
  const http = (name, key) => add("--transport", "http", "--header", `X-Client-Key: ${key}`, name, demo.url);
  await http("fluxbase-http", demo.rpc_key);
  await http("fluxbase-wrong", "fbk_wrong");
  const env = Object.entries(variables).flatMap(([name, value]) => ["-e", `${name}=${value}`]);
  await add(...env, "fluxbase-stdio", program, "stdio");
  const said = await ask("mcp", "list");
  for (const name of ["fluxbase-http", "fluxbase-stdio"]) {
    check(`gemini: connects to ${name}`, lineOf(said, name).includes("- Connected"), said);
  }
  check("gemini: not with a wrong key", lineOf(said, "fluxbase-wrong").includes("- Disconnected"), said);
}

async function codex(path) {
  const { home, start, ask } = host("codex", path);
  mkdirSync(join(home, ".codex"));
  await ask("mcp", "add", "fluxbase-bearer", "--url", demo.url, "--bearer-token-env-var", "FLUXBASE_KEY");
  const env = Object.entries(variables).flatMap(([name, value]) => ["--env", `${name}=${value}`]);
  await ask("mcp", "add", "fluxbase-stdio", ...env, "--", program, "stdio");
  const listed = await ask("mcp", "list");
  check("codex: lists what was added", listed.includes("fluxbase-bearer") && listed.includes("fluxbase-stdio"), listed);
  // `mcp list` connects to nothing. The server that its editors use does, and tells the tools.
  const header = (name, headers) => ["-c", `mcp_servers.${name}.url="${demo.url}"`, "-c", `mcp_servers.${name}.${headers}`];
  const child = start([
    "app-server",
    ...header("fluxbase-header", 'env_http_headers={"X-Client-Key"="FLUXBASE_KEY"}'),
    ...header("fluxbase-wrong", 'http_headers={"X-Client-Key"="fbk_wrong"}'),
  ]);
  child.stderr.resume();
  const answers = new Map();
  let rest = "";
  const answered = (id) => new Promise((resolve) => answers.set(id, resolve));
  child.stdout.on("data", (data) => {
    const lines = (rest + data).split("\n");
    rest = lines.pop();
    for (const line of lines) {
      const message = JSON.parse(line);
      answers.get(message.id)?.(message.result ?? message.error);
    }
  });
  const send = (message) => child.stdin.write(`${JSON.stringify({ jsonrpc: "2.0", ...message })}\n`);
  const greeted = answered(1);
  send({ id: 1, method: "initialize", params: { clientInfo: { name: "fluxbase-tests", title: "Tests", version: "0" } } });
  await greeted;
  send({ method: "initialized" });
  const told = answered(2);
  send({ id: 2, method: "mcpServerStatus/list", params: {} });
  const servers = (await told).data ?? [];
  child.stdin.end();
  child.kill();
  const toolsOf = (name) => Object.keys(servers.find((server) => server.name === name)?.tools ?? {}).sort();
  for (const name of ["fluxbase-bearer", "fluxbase-header", "fluxbase-stdio"]) {
    check(`codex: finds the tools of ${name}`, JSON.stringify(toolsOf(name)) === JSON.stringify(TOOLS), servers);
  }
  check("codex: none with a wrong key", toolsOf("fluxbase-wrong").length === 0, servers);
}

const HOSTS = { claude, codex, gemini };
await run(
  process.argv.slice(3).map((argument) => {
    const [name, path] = argument.split("=", 2);
    return [name, () => HOSTS[name](path)];
  }),
);
