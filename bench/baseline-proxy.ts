/**
 * The baseline contender as a process of its own: `node:https` in front, http-proxy behind, one header
 * set, a kept-alive verifying pool. Arguments: origin port, server name, CA file, certificate, key.
 * Prints its port.
 */
import { readFileSync } from 'node:fs';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import httpProxy from 'http-proxy';

const [originPort = '', serverName = '', caFile = '', certFile = '', keyFile = ''] =
  process.argv.slice(2);

const agent = new https.Agent({
  keepAlive: true,
  maxSockets: 128,
  ca: readFileSync(caFile),
  servername: serverName,
});
const proxy = httpProxy.createProxyServer({
  target: { protocol: 'https:', host: '127.0.0.1', port: originPort },
  agent,
  headers: { host: serverName, authorization: 'Bearer not-a-real-key-for-the-bench' },
});
proxy.on('error', (_error, _request, response) => {
  response.destroy();
});
const options = { cert: readFileSync(certFile), key: readFileSync(keyFile) };
const server = https.createServer(options, (request, response) => proxy.web(request, response));
server.keepAliveTimeout = 300_000;
server.listen(0, '127.0.0.1', () => {
  process.stdout.write(`${(server.address() as AddressInfo).port}\n`);
});
process.on('SIGTERM', () => {
  server.closeAllConnections();
  server.close();
  agent.destroy();
});
