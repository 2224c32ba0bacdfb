/** The loopback relay against a scripted proxy over real sockets. */
import { createServer as createHttpServer, request as httpRequest } from 'node:http';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { startRelay, type Relay } from '../../proxy/relay.ts';
import { Hidden } from '../../src/kernel/hidden.ts';

const CREDENTIALS = `Basic ${Buffer.from('sandbox:not-a-real-token').toString('base64')}`;
const cleanups: (() => unknown)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  cleanups.push(() => void server.close());
  return (server.address() as AddressInfo).port;
}

/** A proxy that reads a head, hands it to `answer`, and records it. */
async function startScriptedProxy(
  answer: (head: string, socket: Socket) => void,
): Promise<{ port: number; heads: string[] }> {
  const heads: string[] = [];
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    cleanups.push(() => void socket.destroy());
    let text = '';
    const onData = (chunk: Buffer): void => {
      text += chunk.toString('latin1');
      const end = text.indexOf('\r\n\r\n');
      if (end < 0) return;
      socket.off('data', onData);
      const head = text.slice(0, end + 4);
      heads.push(head);
      const rest = Buffer.from(text.slice(end + 4), 'latin1');
      if (rest.length > 0) socket.unshift(rest);
      answer(head, socket);
    };
    socket.on('data', onData);
    socket.on('error', () => undefined);
  });
  return { port: await listen(server), heads };
}

async function relayTo(port: number): Promise<Relay> {
  const relay = await startRelay({
    upstream: { host: '127.0.0.1', port },
    token: new Hidden('not-a-real-token'),
    listen: { host: '127.0.0.1', port: 0 },
  });
  cleanups.push(() => relay.close());
  return relay;
}

function dial(relay: Relay): Socket {
  const socket = connect({ ...relay.endpoint, allowHalfOpen: true });
  cleanups.push(() => void socket.destroy());
  return socket;
}

/** Everything the other side sends until it ends. */
async function readAll(socket: Socket): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of socket) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('latin1');
}

describe('CONNECT', () => {
  test('adds the token, drops what the client sent in its place, keeps the rest', async () => {
    const proxy = await startScriptedProxy((_, socket) => socket.end('HTTP/1.1 200 OK\r\n\r\n'));
    const relay = await relayTo(proxy.port);
    const client = dial(relay);
    client.end(
      'CONNECT api.example.test:443 HTTP/1.1\r\nHost: api.example.test:443\r\n' +
        'User-Agent: probe/1\r\nproxy-authorization: Basic b3duOm93bg==\r\n\r\n',
    );
    await readAll(client);
    expect(proxy.heads).toHaveLength(1);
    const lines = proxy.heads[0]?.split('\r\n') ?? [];
    expect(lines[0]).toBe('CONNECT api.example.test:443 HTTP/1.1');
    expect(lines).toContain('User-Agent: probe/1');
    expect(lines.filter((line) => /^proxy-authorization:/i.test(line))).toEqual([
      `Proxy-Authorization: ${CREDENTIALS}`,
    ]);
  });

  test('works for a client that sends no Host', async () => {
    const proxy = await startScriptedProxy((_, socket) => socket.end('HTTP/1.1 200 OK\r\n\r\nhi'));
    const client = dial(await relayTo(proxy.port));
    client.end('CONNECT api.example.test:443 HTTP/1.0\r\n\r\n');
    expect(await readAll(client)).toMatch(/^HTTP\/1\.1 200 OK\r\n\r\nhi$/);
  });

  test('passes a refusal with its reason phrase and body, then ends', async () => {
    const proxy = await startScriptedProxy((_, socket) => {
      socket.write(
        'HTTP/1.1 403 internal_address_denied\r\nProxy-Status: sallyport; error=x\r\nContent-Length: 9\r\n\r\n{"a":',
      );
      setTimeout(() => socket.write('"b"}'), 20);
    });
    const client = dial(await relayTo(proxy.port));
    client.write('CONNECT 10.0.0.1:443 HTTP/1.1\r\nHost: 10.0.0.1:443\r\n\r\n');
    const answer = await readAll(client);
    expect(answer).toMatch(/^HTTP\/1\.1 403 internal_address_denied\r\n/);
    expect(answer).toContain('Proxy-Status: sallyport; error=x\r\n');
    expect(answer).toMatch(/Connection: close\r\n/);
    expect(answer.endsWith('\r\n\r\n{"a":"b"}')).toBe(true);
  });

  test('carries a megabyte each way and honours half-close', async () => {
    const sent = Buffer.alloc(1024 * 1024, 'x');
    const proxy = await startScriptedProxy((_, socket) => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
      let received = 0;
      socket.on('data', (chunk: Buffer) => (received += chunk.length));
      socket.on('end', () => socket.end(Buffer.concat([Buffer.from(`${received};`), sent])));
    });
    const client = dial(await relayTo(proxy.port));
    client.write('CONNECT a.example.test:443 HTTP/1.1\r\nHost: a.example.test:443\r\n\r\n');
    client.end(sent);
    const answer = await readAll(client);
    expect(answer.slice(0, 100)).toContain(`\r\n\r\n${sent.length};x`);
    expect(answer).toHaveLength('HTTP/1.1 200 OK\r\n\r\n'.length + 8 + sent.length);
  });

  test('bytes sent together with the head arrive first', async () => {
    const proxy = await startScriptedProxy((_, socket) => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
      socket.pipe(socket);
    });
    const client = dial(await relayTo(proxy.port));
    client.end('CONNECT a.test:1 HTTP/1.1\r\nHost: a.test:1\r\n\r\nEARLY');
    expect(await readAll(client)).toMatch(/\r\n\r\nEARLY$/);
  });

  test('a reset of the far side breaks the near one', async () => {
    const proxy = await startScriptedProxy((_, socket) => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n', () => setTimeout(() => socket.resetAndDestroy(), 20));
    });
    const client = dial(await relayTo(proxy.port));
    client.write('CONNECT a.test:1 HTTP/1.1\r\nHost: a.test:1\r\n\r\n');
    client.resume();
    client.on('error', () => undefined);
    await new Promise((resolve) => void client.once('close', resolve));
    expect(client.destroyed).toBe(true);
  });

  test('says 502 when the proxy is not there', async () => {
    const closed = createServer();
    const port = await listen(closed);
    await new Promise((resolve) => void closed.close(resolve));
    const client = dial(await relayTo(port));
    client.write('CONNECT a.test:1 HTTP/1.1\r\nHost: a.test:1\r\n\r\n');
    expect(await readAll(client)).toMatch(/^HTTP\/1\.1 502 relay_upstream_unreachable\r\n/);
  });

  test('close ends open tunnels', async () => {
    const proxy = await startScriptedProxy((_, socket) => socket.write('HTTP/1.1 200 OK\r\n\r\n'));
    const relay = await relayTo(proxy.port);
    const client = dial(relay);
    client.on('error', () => undefined);
    client.write('CONNECT a.test:1 HTTP/1.1\r\nHost: a.test:1\r\n\r\n');
    await new Promise((resolve) => void client.once('data', resolve));
    const gone = new Promise((resolve) => void client.once('close', resolve));
    await relay.close();
    await gone;
    expect(client.destroyed).toBe(true);
  });
});

describe('absolute form', () => {
  async function startEchoProxy(): Promise<{
    port: number;
    seen: { url: string; fields: string[]; body: string }[];
  }> {
    const seen: { url: string; fields: string[]; body: string }[] = [];
    const server = createHttpServer((incoming, answer) => {
      let body = '';
      incoming.on('data', (chunk: Buffer) => (body += chunk.toString()));
      incoming.on('end', () => {
        seen.push({ url: incoming.url ?? '', fields: incoming.rawHeaders, body });
        answer.writeHead(407, 'proxy_auth_required', ['X-Twice', 'a', 'X-Twice', 'b']);
        answer.end(`echo:${body}`);
      });
    });
    return { port: await listen(server), seen };
  }

  test('two requests on one connection both carry the token; reason, fields and body come back', async () => {
    const proxy = await startEchoProxy();
    const relay = await relayTo(proxy.port);
    const client = dial(relay);
    const one =
      'POST http://a.example.test/x?y=1 HTTP/1.1\r\nHost: a.example.test\r\nX-A: 1\r\nx-a: 2\r\nContent-Length: 3\r\n\r\nabc';
    client.write(one);
    client.end(one.replace('abc', 'xyz'));
    const answer = await readAll(client);
    expect(answer.match(/HTTP\/1\.1 407 proxy_auth_required\r\n/g)).toHaveLength(2);
    expect(answer.match(/X-Twice: a\r\nX-Twice: b\r\n/g)).toHaveLength(2);
    expect(answer).toContain('echo:abc');
    expect(answer).toContain('echo:xyz');
    for (const { url, fields } of proxy.seen) {
      expect(url).toBe('http://a.example.test/x?y=1');
      expect(fields.join('|')).toContain('X-A|1|x-a|2');
      expect(fields[fields.indexOf('Proxy-Authorization') + 1]).toBe(CREDENTIALS);
    }
    expect(proxy.seen).toHaveLength(2);
  });

  test('a chunked upload streams through', async () => {
    const proxy = await startEchoProxy();
    const relay = await relayTo(proxy.port);
    const outgoing = httpRequest({
      ...relay.endpoint,
      method: 'PUT',
      path: 'http://a.example.test/',
      headers: { host: 'a.example.test' },
    });
    outgoing.write('one ');
    outgoing.end('two');
    const status = await new Promise((resolve) => {
      outgoing.on('response', (answer) => {
        answer.resume();
        answer.on('end', () => resolve(answer.statusCode));
      });
    });
    expect(status).toBe(407);
    expect(proxy.seen[0]?.body).toBe('one two');
  });

  test('a WebSocket handshake over plain http is switched', async () => {
    const proxy = await startScriptedProxy((_, socket) => {
      socket.write(
        'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n',
      );
      socket.pipe(socket);
    });
    const client = dial(await relayTo(proxy.port));
    client.write(
      'GET http://a.test/ws HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nPING',
    );
    client.end();
    const answer = await readAll(client);
    expect(answer).toMatch(/^HTTP\/1\.1 101 Switching Protocols\r\n/);
    expect(answer.endsWith('PING')).toBe(true);
    expect(proxy.heads[0]).toContain('Upgrade: websocket\r\n');
    expect(proxy.heads[0]).toContain('Connection: Upgrade\r\n');
    expect(proxy.heads[0]).toContain(`Proxy-Authorization: ${CREDENTIALS}\r\n`);
  });
});
