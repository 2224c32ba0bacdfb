/**
 * The far side of the demo: one local HTTPS server that is three hosts. It wants real credentials, says 401
 * otherwise, and remembers what it saw. Its certificate authority is made at run time and thrown away.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { TestAuthority } from '../test/support/test-authority.ts';
import { serveGit } from './git-backend.ts';

export const API_HOST = 'api.example.test';
export const GIT_HOST = 'git.example.test';
export const OTHER_HOST = 'collector.example.test';

interface SeenRequest {
  readonly host: string;
  readonly line: string;
  readonly authorization: string | undefined;
}

export interface DemoOrigin {
  readonly port: number;
  readonly caPem: string;
  readonly seen: readonly SeenRequest[];
  close(): Promise<void>;
}

/** `key` is what both the API (Bearer) and git (Basic) accept; repositories lie in `gitRoot`. */
export async function startDemoOrigin(key: string, gitRoot: string): Promise<DemoOrigin> {
  const authority = new TestAuthority('Sallyport demo origin authority');
  const { certPem, keyPem } = authority.mintLeaf([API_HOST, GIT_HOST, OTHER_HOST]);
  const seen: SeenRequest[] = [];
  const accepted: Readonly<Record<string, string>> = {
    [API_HOST]: `Bearer ${key}`,
    [GIT_HOST]: `Basic ${Buffer.from(`x-access-token:${key}`).toString('base64')}`,
  };
  const server = createServer({ cert: certPem, key: keyPem }, (incoming, answer) => {
    const host = incoming.headers.host ?? '';
    const { authorization } = incoming.headers;
    seen.push({ host, line: `${incoming.method} ${incoming.url}`, authorization });
    if (accepted[host] === undefined || authorization !== accepted[host]) refuse(answer);
    else if (host === GIT_HOST) serveGit(gitRoot, incoming, answer);
    else greet(incoming, answer);
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    caPem: authority.caPem,
    seen,
    close: () => closeServer(server),
  };
}

function refuse(answer: ServerResponse): void {
  answer.writeHead(401, { 'WWW-Authenticate': 'Basic realm="demo"', 'Content-Length': 0 }).end();
}

function greet(incoming: IncomingMessage, answer: ServerResponse): void {
  incoming.resume();
  answer.writeHead(200, { 'Content-Type': 'application/json' });
  answer.end('{"hello":"the key was right"}\n');
}

async function closeServer(server: Server): Promise<void> {
  const closed = new Promise<void>((resolve) => void server.close(() => resolve()));
  server.closeAllConnections();
  await closed;
}
