// The TypeScript client v2 against a running server: as it is by default, choosing the revision itself, and with the newest one pinned.
//
// Takes the line of demo_server as its argument; see checks.mjs.

import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { check, demo, drive, run } from "./checks.mjs";

// Options of the client, and the revision that it must end up with.
const MODES = {
  default: [{}, "2025-11-25"],
  auto: [{ versionNegotiation: { mode: "auto" } }, "2026-07-28"],
  pinned: [{ versionNegotiation: { mode: { pin: "2026-07-28" } } }, "2026-07-28"],
};

async function connect(options, headers) {
  const client = new Client({ name: "fluxbase-tests", version: "0" }, options);
  await client.connect(new StreamableHTTPClientTransport(new URL(demo.url), { requestInit: { headers } }));
  return client;
}

async function tenants(name, [options, revision]) {
  const one = await connect(options, { "X-Client-Key": demo.tenant_a.key });
  const two = await connect(options, { Authorization: `Bearer ${demo.tenant_b.key}` });
  const service = await connect(options, { "X-Service-Key": demo.service_key });
  const spoken = one.getNegotiatedProtocolVersion();
  check(`${name}: speaks ${revision}`, spoken === revision, spoken);
  check(`${name}: gets instructions`, (one.getInstructions() ?? "").includes("eq"), one.getInstructions());
  await drive(name, one, two, service);
  for (const client of [one, two, service]) await client.close();
}

async function refused(name, [options]) {
  try {
    const stranger = await connect(options, { "X-Client-Key": "fbk_wrong" });
    await stranger.listTools();
  } catch (error) {
    // When it chooses the revision itself it shows the status only.
    return check(`${name}: a wrong key is refused`, /X-Client-Key|HTTP 401/.test(`${error}`), `${error}`);
  }
  check(`${name}: a wrong key is refused`, false, "it was served");
}

await run(
  Object.entries(MODES).flatMap(([mode, options]) =>
    [tenants, refused].map((step) => [`typescript v2 ${mode}`, () => step(`typescript v2 ${mode}`, options)]),
  ),
);
