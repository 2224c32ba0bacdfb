import { once } from 'node:events';
import http from 'node:http';
import net from 'node:net';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openTunnel, sendConnect } from './client.ts';
import { Origin, valuesOf } from './origin.ts';
import { earlyHints, withTrailers } from './origin-replies.ts';
import { RawOrigin } from './raw-origin.ts';
import { TestAuthority } from './test-authority.ts';

/** The smallest CONNECT proxy: what the test tools are tried against, not what is tested. */
function makeBareProxy(target: () => number): http.Server {
  const server = http.createServer();
  server.on('connect', (request, socket) => {
    if (request.headers['proxy-authorization'] === undefined) {
      socket.end('HTTP/1.1 407 proxy_auth_required\r\nContent-Length: 2\r\n\r\nno');
      return;
    }
    const far = net.connect(target(), '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
      far.pipe(socket).pipe(far);
    });
    far.on('error', () => socket.destroy());
    socket.on('error', () => far.destroy());
  });
  return server;
}

const authority = new TestAuthority();
const leaf = authority.mintLeaf(['api.example.test']);
let origin: Origin;
let proxy: http.Server;
let endpoint: { host: string; port: number };

beforeAll(async () => {
  const handlers = {
    '/trailers': withTrailers(['a', 'b'], ['X-Sum', '42']),
    '/hints': earlyHints('</a.css>; rel=preload'),
  };
  origin = await Origin.start({ leaf, handlers });
  proxy = makeBareProxy(() => origin.port);
  proxy.listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  endpoint = { host: '127.0.0.1', port: (proxy.address() as AddressInfo).port };
});

afterAll(async () => {
  proxy.closeAllConnections();
  proxy.close();
  await origin.close();
});

describe('the raw client', () => {
  test('reads the reason phrase and the body of a refused CONNECT', async () => {
    using answer = await sendConnect({ proxy: endpoint, authority: 'api.example.test:443' });
    expect(answer.response.status).toBe(407);
    expect(answer.response.reason).toBe('proxy_auth_required');
    expect(answer.response.text()).toBe('no');
  });

  test('speaks several requests over one tunnel, and the origin records them', async () => {
    const plan = { proxy: endpoint, authority: 'api.example.test:443', token: 't' };
    using tunnel = await openTunnel({ ...plan, ca: authority.caPem });
    const first = await tunnel.request({ path: '/one', fields: ['X-A', '1', 'x-a', '2'] });
    expect(first.json()).toEqual({ ok: true });
    expect(valuesOf(origin.last.rawHeaders, 'X-A')).toEqual(['1', '2']);
    expect(origin.last.serverName).toBe('api.example.test');
    const body = { method: 'POST', path: '/two', body: 'hello', chunked: true };
    await tunnel.request({ ...body, trailers: ['X-End', 'yes'] });
    expect(origin.last.body.toString()).toBe('hello');
    expect(origin.last.rawTrailers).toEqual(['X-End', 'yes']);
    expect(origin.connectionCount).toBe(1);
  });

  test('returns trailers and interim responses', async () => {
    const plan = { proxy: endpoint, authority: 'api.example.test:443', token: 't' };
    using tunnel = await openTunnel({ ...plan, ca: authority.caPem });
    const trailed = await tunnel.request({ path: '/trailers' });
    expect(trailed.text()).toBe('ab');
    expect(trailed.trailers).toEqual(['X-Sum', '42']);
    const hinted = await tunnel.request({ path: '/hints' });
    expect(hinted.interim.map(({ status }) => status)).toEqual([103]);
    expect(hinted.text()).toBe('after hints');
  });

  test('does not trust an authority it was not given', async () => {
    const plan = { proxy: endpoint, authority: 'api.example.test:443', token: 't' };
    await expect(openTunnel({ ...plan, ca: new TestAuthority().caPem })).rejects.toThrow(
      /certificate/,
    );
  });
});

describe('the raw origin', () => {
  test('plays its script and keeps the bytes', async () => {
    await using raw = await RawOrigin.start({
      scripts: [
        [{ await: '\r\n\r\n' }, { send: 'HTTP/1.1 200 OK\r\n\r\n' }, { end: 'half-close' }],
      ],
    });
    const socket = net.connect(raw.port, '127.0.0.1');
    socket.write('GET / HTTP/1.1\r\n\r\n');
    const chunks = await socket.toArray();
    expect(Buffer.concat(chunks as Buffer[]).toString()).toBe('HTTP/1.1 200 OK\r\n\r\n');
    expect(raw.allText).toBe('GET / HTTP/1.1\r\n\r\n');
  });
});
