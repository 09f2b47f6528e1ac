// Runs in the process of a function, before its module: answers what the runtime sends over the process's socket.
//
// The socket's path is the first argument. A module gives its handler by `export default`, or to `Deno.serve`.
// Requests come from the runtime only: its headers say who calls.

const ours = "x-fluxbase-";
const [socket, title] = Deno.args;
const listen = Deno.serve.bind(Deno);
const error = console.error.bind(console);
let handler;

// One function of a module in error, a forgotten promise for example, must not end the calls of others.
globalThis.addEventListener("unhandledrejection", (event) => {
  event.preventDefault();
  error("unhandled rejection:", event.reason);
});
globalThis.addEventListener("error", (event) => {
  event.preventDefault();
  error("uncaught:", event.error);
});

function failed(execution) {
  const body = { error: "the function failed; the log of its runtime says why", execution_id: execution };
  return Response.json(body, { status: 500 });
}

async function answer(request) {
  const at = request.url.indexOf("/", "http+unix://".length);
  const path = request.url.slice(at);
  if (path === "/-/alive") return new Response("yes");
  const claims = JSON.parse(request.headers.get(ours + "claims") ?? "null");
  const execution = request.headers.get(ours + "execution-id");
  try {
    const asked = new Request("http://localhost" + path, request);
    const response = await handler(asked, { function: title, claims, executionId: execution });
    if (response instanceof Response) return response;
    error("the handler returned no Response:", response);
  } catch (thrown) {
    error(thrown);
  }
  return failed(execution);
}

function start(what) {
  if (handler) return;
  handler = what;
  listen({ path: socket, onListen() {}, onError: (thrown) => (error(thrown), failed(null)) }, answer);
}

Deno.serve = (...given) => {
  const options = given.find((one) => one && typeof one === "object") ?? {};
  const what = given.find((one) => typeof one === "function") ?? options.handler ?? options.fetch;
  if (typeof what !== "function") throw new TypeError("Deno.serve needs a handler");
  start(what);
  const addr = { transport: "tcp", hostname: "localhost", port: 80 };
  options.onListen?.(addr);
  return { addr, finished: new Promise(() => {}), shutdown: async () => {}, ref() {}, unref() {} };
};

// What the module exports wins over what it gave to Deno.serve while it was loaded.
export function exported(value) {
  if (typeof value === "function") {
    handler ? (handler = value) : start(value);
  } else if (typeof value?.fetch === "function") {
    const fetch = value.fetch.bind(value);
    handler ? (handler = fetch) : start(fetch);
  } else if (!handler) {
    error("it exports no handler. Write: export default (request) => new Response(\"Hello\")");
    Deno.exit(1);
  }
}
