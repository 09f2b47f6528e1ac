// A round-robin proxy: each request goes to the next of the listeners, whatever connection it came on.
//
//   node proxy.mjs HTTP_URL…
//
// Prints its address on loopback, and, at SIGTERM, how many requests each listener got. Requests and answers pass as they are: header
// lines with their order, case and repetitions, bodies and streams while they come. Who hangs up on one side is hung up on at the other.
import { createServer, request } from 'node:http';

const targets = process.argv.slice(2).map((url) => new URL(url));
const counts = targets.map(() => 0);
let next = 0;

const server = createServer((incoming, outgoing) => {
  const at = next++ % targets.length;
  counts[at] += 1;
  const { hostname, port } = targets[at];
  const { method, url: path, rawHeaders: headers } = incoming;
  // No agent: no connection is kept, so nothing ties two requests together.
  const onward = request({ hostname, port, method, path, headers, setHost: false, agent: false }, (answer) => {
    outgoing.writeHead(answer.statusCode, answer.statusMessage, answer.rawHeaders);
    answer.pipe(outgoing);
    answer.on('error', () => outgoing.destroy());
  });
  onward.on('error', () => outgoing.destroy());
  outgoing.on('close', () => onward.destroy());
  incoming.pipe(onward);
});
server.listen(0, '127.0.0.1', () => console.log(`http://127.0.0.1:${server.address().port}`));
process.on('SIGTERM', () => {
  console.log(`requests ${counts.join(' ')}`);
  process.exit(0);
});
