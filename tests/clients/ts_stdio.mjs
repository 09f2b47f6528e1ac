// The TypeScript clients start `fluxbase stdio` and speak to it: the SDK v1, and the client v2 as it is by default, choosing the revision
// itself, and with the newest one pinned.
//
// Takes the line of demo_server as its argument; see checks.mjs.

import { Client as ClientV2 } from "@modelcontextprotocol/client";
import { StdioClientTransport as TransportV2 } from "@modelcontextprotocol/client/stdio";
import { Client as ClientV1 } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport as TransportV1 } from "@modelcontextprotocol/sdk/client/stdio.js";
import { check, demo, drive, run } from "./checks.mjs";

// The client, its transport, its options, and the revision that it must end up with.
const MODES = {
  "v1": [ClientV1, TransportV1, {}, null],
  "v2 default": [ClientV2, TransportV2, {}, "2025-11-25"],
  "v2 auto": [ClientV2, TransportV2, { versionNegotiation: { mode: "auto" } }, "2026-07-28"],
  "v2 pinned": [ClientV2, TransportV2, { versionNegotiation: { mode: { pin: "2026-07-28" } } }, "2026-07-28"],
};

async function connect([Client, Transport, options], key) {
  const client = new Client({ name: "fluxbase-tests", version: "0" }, options);
  const env = { FLUXBASE_KEY: key, FLUXBASE_DATABASE_URL: demo.stdio.database_url };
  await client.connect(new Transport({ command: demo.stdio.program, args: ["stdio"], env, stderr: "ignore" }));
  return client;
}

async function tenants(name, mode) {
  const one = await connect(mode, demo.tenant_a.key);
  const two = await connect(mode, demo.tenant_b.key);
  const service = await connect(mode, demo.service_key);
  const revision = mode[3];
  if (revision !== null) {
    const spoken = one.getNegotiatedProtocolVersion();
    check(`${name}: speaks ${revision}`, spoken === revision, spoken);
  }
  check(`${name}: gets instructions`, (one.getInstructions() ?? "").includes("eq"), one.getInstructions());
  await drive(name, one, two, service);
  for (const client of [one, two, service]) await client.close();
}

async function progress(name, mode) {
  const client = await connect(mode, demo.rpc_key);
  const told = [];
  const onprogress = (progress) => told.push(progress.message);
  const result =
    mode[0] === ClientV1
      ? await client.callTool({ name: "count_up", arguments: {} }, undefined, { onprogress })
      : await client.callTool({ name: "count_up", arguments: {} }, { onprogress });
  check(`${name}: is told the progress`, JSON.stringify(told) === '["step 1","step 2","step 3"]', told);
  check(`${name}: and then the answer`, result.content[0].text === "counted to 3", result);
  await client.close();
}

async function refused(name, mode) {
  try {
    await connect(mode, "fbk_wrong");
  } catch (error) {
    return check(`${name}: a wrong key is refused`, true);
  }
  check(`${name}: a wrong key is refused`, false, "it was served");
}

await run(
  Object.entries(MODES).flatMap(([label, mode]) =>
    [tenants, progress, refused].map((step) => [`typescript ${label} stdio`, () => step(`typescript ${label} stdio`, mode)]),
  ),
);
