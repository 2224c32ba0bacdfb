/** Git's own smart HTTP server (`git http-backend`, RFC 3875 CGI) behind a Node request handler. */
import { execFileSync, spawn } from 'node:child_process';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { join } from 'node:path';

/** A bare repository `NAME.git` under `root` that accepts pushes. */
export function makeRepository(root: string, name: string): void {
  const directory = join(root, `${name}.git`);
  execFileSync('git', ['init', '--quiet', '--bare', '--initial-branch=main', directory]);
  execFileSync('git', ['-C', directory, 'config', 'http.receivepack', 'true']);
}

/** Serves one request of an authenticated user. */
export function serveGit(root: string, incoming: IncomingMessage, answer: ServerResponse): void {
  const url = new URL(incoming.url ?? '/', 'https://git');
  const backend = spawn('git', ['http-backend'], {
    env: {
      PATH: process.env['PATH'],
      GIT_PROJECT_ROOT: root,
      GIT_HTTP_EXPORT_ALL: '1',
      REMOTE_USER: 'demo',
      REQUEST_METHOD: incoming.method,
      PATH_INFO: decodeURIComponent(url.pathname),
      QUERY_STRING: url.search.slice(1),
      CONTENT_TYPE: incoming.headers['content-type'],
      CONTENT_LENGTH: incoming.headers['content-length'],
      HTTP_CONTENT_ENCODING: incoming.headers['content-encoding'],
      GIT_PROTOCOL: String(incoming.headers['git-protocol'] ?? ''),
    },
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  backend.stdin.on('error', () => undefined);
  incoming.pipe(backend.stdin);
  let head = Buffer.alloc(0);
  const onHead = (chunk: Buffer): void => {
    head = Buffer.concat([head, chunk]);
    const end = head.indexOf('\r\n\r\n');
    if (end < 0) return;
    backend.stdout.off('data', onHead);
    answerCgiHead(answer, head.subarray(0, end).toString('latin1'));
    answer.write(head.subarray(end + 4));
    backend.stdout.pipe(answer);
  };
  backend.stdout.on('data', onHead);
  backend.once('exit', () => {
    if (!answer.headersSent) answer.writeHead(500).end();
  });
}

function answerCgiHead(answer: ServerResponse, head: string): void {
  for (const line of head.split('\r\n')) {
    const at = line.indexOf(':');
    const name = line.slice(0, at);
    const value = line.slice(at + 1).trim();
    if (name.toLowerCase() === 'status') answer.statusCode = Number.parseInt(value, 10);
    else answer.setHeader(name, value);
  }
}
