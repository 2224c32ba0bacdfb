/**
 * Ready handlers for `Origin`: what real APIs do that a proxy must carry. Each is a function that makes a
 * handler, so a test reads as a list of paths and behaviours.
 */
import { spawn } from 'node:child_process';
import type http from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import type { OriginHandler } from './origin.ts';

/** Fixed answer. `fields` is flat: name, value, … */
export function reply(status: number, body = '', fields: readonly string[] = []): OriginHandler {
  return async (_request, response, readBody) => {
    await readBody();
    response.writeHead(status, [...fields]);
    response.end(body);
  };
}

/** Server-sent events, one every `everyMs`, until `count` or until the client leaves. */
export function events(count: number, everyMs: number): OriginHandler {
  return async (_request, response) => {
    response.writeHead(200, ['Content-Type', 'text/event-stream', 'Cache-Control', 'no-cache']);
    for (let i = 0; i < count && !response.destroyed; i += 1) {
      response.write(`id: ${i}\ndata: event ${i}\n\n`);
      await delay(everyMs);
    }
    response.end();
  };
}

/** Head at once, body never: a stream that stays open until somebody closes it. */
export function endless(firstChunk = 'begin\n'): OriginHandler {
  return (_request, response) => {
    response.writeHead(200, ['Content-Type', 'application/octet-stream']);
    response.write(firstChunk);
  };
}

/** Answers after `waitMs`. */
export function slow(waitMs: number, body = 'late'): OriginHandler {
  return async (_request, response, readBody) => {
    await readBody();
    await delay(waitMs);
    response.end(body);
  };
}

/** A chunked body followed by trailers (flat). */
export function withTrailers(
  chunks: readonly string[],
  trailers: readonly string[],
): OriginHandler {
  return async (_request, response, readBody) => {
    await readBody();
    const names = trailers.filter((_text, i) => i % 2 === 0);
    response.writeHead(200, ['Content-Type', 'text/plain', 'Trailer', names.join(', ')]);
    for (const chunk of chunks) response.write(chunk);
    const pairs = names.map((name, i): [string, string] => [name, trailers[2 * i + 1] ?? '']);
    response.addTrailers(pairs);
    response.end();
  };
}

/** 103 with the given `Link`, then 200. */
export function earlyHints(link: string): OriginHandler {
  return async (_request, response, readBody) => {
    await readBody();
    response.writeEarlyHints({ link });
    await delay(5);
    response.end('after hints');
  };
}

/** `bytes` of a repeating pattern, with a Content-Length, respecting backpressure. */
export function big(bytes: number, chunkBytes = 65_536): OriginHandler {
  const chunk = Buffer.alloc(chunkBytes, 'sallyport');
  return async (_request, response) => {
    response.writeHead(200, ['Content-Length', String(bytes)]);
    for (let sent = 0; sent < bytes && !response.destroyed; sent += chunkBytes) {
      const piece = chunk.subarray(0, Math.min(chunkBytes, bytes - sent));
      if (!response.write(piece)) await drained(response);
    }
    response.end();
  };
}

async function drained(response: http.ServerResponse): Promise<void> {
  await new Promise<void>((resolve) => {
    const finish = (): void => {
      response.off('drain', finish).off('close', finish);
      resolve();
    };
    response.on('drain', finish).on('close', finish);
  });
}

/** A redirect. */
export function redirect(location: string, status = 302): OriginHandler {
  return reply(status, '', ['Location', location]);
}

/** Reads the head, says nothing, cuts the connection. */
export function cut(): OriginHandler {
  return (request) => {
    request.socket.destroy();
  };
}

/** Promises `promised` bytes, sends fewer, cuts the connection. */
export function cutMidBody(promised: number, sent: string): OriginHandler {
  return async (request, response) => {
    response.writeHead(200, ['Content-Length', String(promised)]);
    response.write(sent);
    await delay(20);
    request.socket.destroy();
  };
}

function gitEnvironment(request: http.IncomingMessage, root: string): NodeJS.ProcessEnv {
  const url = new URL(request.url ?? '/', 'http://origin.invalid');
  return {
    PATH: process.env['PATH'],
    GIT_PROJECT_ROOT: root,
    GIT_HTTP_EXPORT_ALL: '1',
    REMOTE_USER: 'test',
    REQUEST_METHOD: request.method,
    PATH_INFO: url.pathname,
    QUERY_STRING: url.search.slice(1),
    CONTENT_TYPE: request.headers['content-type'] ?? '',
    HTTP_CONTENT_ENCODING: request.headers['content-encoding'] ?? '',
    GIT_PROTOCOL: String(request.headers['git-protocol'] ?? ''),
  };
}

/** Git's own smart-HTTP server over the bare repositories in `root`; 401 without Basic credentials. */
export function gitBackend(root: string): OriginHandler {
  return async (request, response, readBody) => {
    const body = await readBody();
    if (!/^basic /i.test(request.headers.authorization ?? '')) {
      response.writeHead(401, ['WWW-Authenticate', 'Basic realm="git"']);
      response.end();
      return;
    }
    const environment = gitEnvironment(request, root);
    const child = spawn('git', ['http-backend'], {
      env: { ...environment, CONTENT_LENGTH: String(body.length) },
      stdio: ['pipe', 'pipe', 'ignore'],
    });
    child.stdin.on('error', () => {});
    child.stdin.end(body);
    const chunks: Buffer[] = [];
    for await (const chunk of child.stdout) chunks.push(chunk as Buffer);
    const answer = Buffer.concat(chunks);
    const end = answer.indexOf('\r\n\r\n');
    const lines = answer.subarray(0, end).toString('latin1').split('\r\n');
    const fields = lines.map((line) => line.split(/:\s*/, 2));
    const status = fields.find(([name]) => name?.toLowerCase() === 'status')?.[1];
    const rest = fields.filter(([name]) => name?.toLowerCase() !== 'status');
    response.writeHead(
      status === undefined ? 200 : Number.parseInt(status, 10),
      rest.flatMap(([name = '', value = '']) => [name, value]),
    );
    response.end(answer.subarray(end + 4));
  };
}
