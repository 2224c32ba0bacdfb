/**
 * What Node itself costs, as a process of its own: `node:https` in front, undici `dispatch` behind, a few
 * fixed header fields, nothing decided or written down. Arguments as `baseline-proxy.ts`. Prints its port.
 */
import { readFileSync } from 'node:fs';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import { Pool } from 'undici';

const [originPort = '', serverName = '', caFile = '', certFile = '', keyFile = ''] =
  process.argv.slice(2);
const pool = new Pool(`https://127.0.0.1:${originPort}`, {
  connections: 128,
  pipelining: 1,
  connect: { ca: readFileSync(caFile), servername: serverName },
});
const headers = ['host', serverName, 'authorization', 'Bearer not-a-real-key-for-the-bench'];
const server = https.createServer(
  { cert: readFileSync(certFile), key: readFileSync(keyFile) },
  (request, response) => {
    const path = request.url ?? '/';
    pool.dispatch(
      { method: 'GET', path, headers },
      {
        onRequestStart: () => {},
        onResponseStart: (controller, status) => {
          const { rawHeaders } = controller;
          const fields = Array.isArray(rawHeaders)
            ? rawHeaders.map((part) => part.toString('latin1'))
            : [];
          response.writeHead(status, fields);
        },
        onResponseData: (_controller, chunk) => {
          response.write(chunk);
        },
        onResponseEnd: () => {
          response.end();
        },
        onResponseError: () => {
          response.destroy();
        },
      },
    );
  },
);
server.keepAliveTimeout = 300_000;
server.listen(0, '127.0.0.1', () => {
  process.stdout.write(`${(server.address() as AddressInfo).port}\n`);
});
process.on('SIGTERM', () => {
  server.closeAllConnections();
  server.close();
  void pool.destroy();
});
