// Preloaded into the conformance suite (node --import), which has no option for headers: puts the key on every request to
// the server under test and on no other. The suite sends with fetch, undici and node:http, and all of these announce a
// request before it is written, so everything else stays byte for byte as the suite wants it (Host, Origin, white space).
import { subscribe } from 'node:diagnostics_channel';

const { host, origin } = new URL(process.env.CONFORMANCE_URL);
const key = process.env.CONFORMANCE_KEY;

subscribe('undici:request:create', ({ request }) => {
  if (request.origin === origin) request.addHeader('X-Client-Key', key);
});
subscribe('http.client.request.created', ({ request }) => {
  if (request.getHeader('host') === host) request.setHeader('X-Client-Key', key);
});
