/** Which protocol an origin gets, who shares a connection, how many streams one sandbox has, what ends it. */
import { PassThrough } from 'node:stream';
import { afterEach, describe, expect, test } from 'vitest';
import type { Origin, UpstreamRequest } from '../../src/egress/upstream.ts';
import { Hidden } from '../../src/kernel/hidden.ts';
import { requestTo, run, start } from './exchange-recorder.ts';
import {
  answerOk,
  secureOriginAt,
  startFrameOrigin,
  startHttp2Origin,
  tls,
  trust,
} from './http2-origin.ts';
import type { Http2Origin } from './http2-origin.ts';
import { answering, OK } from './raw-origin.ts';
import { closeAll, closeLater, originWith, settle, upstreamWith } from './upstream-kit.ts';

afterEach(closeAll);

type OriginOptions = Partial<Parameters<typeof startHttp2Origin>[0]>;

async function http2Origin(options: OriginOptions = {}): Promise<Http2Origin> {
  return closeLater(await startHttp2Origin({ onStream: (stream) => answerOk(stream), ...options }));
}

function h2To(
  { port }: { readonly port: number },
  more: Partial<Origin> = {},
  request: Partial<UpstreamRequest> = {},
): UpstreamRequest {
  return requestTo(secureOriginAt(port, more), { protocol: 'h2', ...request });
}

function serialTo({ port }: { readonly port: number }): UpstreamRequest {
  return requestTo(secureOriginAt(port));
}

/** Streams that never end, so that they can be counted. */
const NEVER = { onStream: (): void => undefined };

describe('which protocol', () => {
  test('HTTP/2 only for clients of HTTP/2, HTTP/1.1 for the others, each on its own connection', async () => {
    const origin = await http2Origin({ allowHttp1: true });
    const upstream = upstreamWith({ trust });
    expect((await run(upstream, h2To(origin))).body).toBe('ok');
    expect((await run(upstream, serialTo(origin))).body).toBe('one');
    expect(origin.streams).toHaveLength(1);
    expect(origin.serial).toEqual(['/']);
    expect(origin.sockets).toHaveLength(2);
  });

  test('an origin without HTTP/2: both kinds of client share its connections', async () => {
    const origin = await originWith(answering(OK), { tls });
    const upstream = upstreamWith({ trust });
    for (const request of [h2To(origin), serialTo(origin), h2To(origin), serialTo(origin)]) {
      expect((await run(upstream, request)).body).toBe('ok');
      await settle();
    }
    expect(origin.connections).toHaveLength(1);
    expect(upstream.connections).toBe(1);
  });

  test('a streamed body and its trailers to such an origin: only where they were announced', async () => {
    const origin = await originWith(
      (record, chunk) =>
        chunk.endsWith('\r\n\r\n') &&
        record.received.includes('\r\n0\r\n') &&
        record.socket.write(OK),
      { tls },
    );
    const upstream = upstreamWith({ trust });
    for (const fields of [[], ['trailer', 'x-sum']]) {
      const body = new PassThrough();
      const requestTrailers = (): string[] => ['x-sum', '1'];
      const more = { method: 'POST', fields, body, requestTrailers };
      const recorder = start(upstream, h2To(origin, {}, more));
      body.end('text');
      await recorder.done;
      expect(recorder.body).toBe('ok');
    }
    const received = origin.connections.map((record) => record.received).join('');
    expect(received.match(/\r\n0\r\n(x-sum: 1\r\n)?\r\n/g)).toEqual([
      '\r\n0\r\n\r\n',
      '\r\n0\r\nx-sum: 1\r\n\r\n',
    ]);
  });

  test('a burst to an origin nobody knows: one handshake when it shares, one each when it does not', async () => {
    const sharing = await http2Origin();
    const serial = await originWith(answering(OK), { tls });
    const upstream = upstreamWith({ trust });
    const burst = (origin: { readonly port: number }): Promise<string[]> =>
      Promise.all(
        Array.from({ length: 8 }, () => run(upstream, h2To(origin)).then(({ body }) => body)),
      );
    expect(await burst(sharing)).toEqual(Array(8).fill('ok'));
    expect(sharing.sockets).toHaveLength(1);
    expect(await burst(serial)).toEqual(Array(8).fill('ok'));
    expect(serial.connections).toHaveLength(8);
  });

  test('egress.http1_only: not offered to these hosts', async () => {
    const origin = await http2Origin({ allowHttp1: true });
    const upstream = upstreamWith({ trust, isHttp1Only: (host) => host === 'api.example.com' });
    expect((await run(upstream, h2To(origin))).body).toBe('one');
    expect((await run(upstream, h2To(origin, { host: 'other.example.com' }))).body).toBe('ok');
  });

  test.each(['NTLM abc', 'Negotiate abc='])(
    '%s authenticates a connection: not on a shared one',
    async (value) => {
      const origin = await http2Origin({ allowHttp1: true });
      const upstream = upstreamWith({ trust });
      const fields = ['authorization', value];
      expect((await run(upstream, h2To(origin, {}, { fields }))).body).toBe('one');
      await run(upstream, serialTo(origin));
      expect(origin.sockets).toHaveLength(2);
    },
  );

  test('an origin that learns HTTP/2 is met over it as soon as a connection is opened', async () => {
    const origin = await originWith(answering(OK.replace('\r\n', '\r\nConnection: close\r\n')), {
      tls,
    });
    const { port } = origin;
    const upstream = upstreamWith({ trust });
    await run(upstream, h2To(origin));
    await origin.close();
    const later = await http2Origin({ port });
    expect((await run(upstream, h2To(later))).body).toBe('ok');
    expect(later.streams).toHaveLength(1);
    expect((await run(upstream, h2To(later))).body).toBe('ok');
    expect(later.sockets).toHaveLength(1);
  });
});

describe('sharing', () => {
  test('sandboxes of one organization share; another organization, host, port, address, client certificate does not', async () => {
    const origin = await http2Origin({ host: '0.0.0.0' });
    const upstream = upstreamWith({ trust });
    await Promise.all([
      run(upstream, h2To(origin, { sandboxId: 'sbx_1' })),
      run(upstream, h2To(origin, { sandboxId: 'sbx_2' })),
    ]);
    await run(upstream, h2To(origin, { sandboxId: 'sbx_3' }));
    expect(origin.sockets).toHaveLength(1);
    const others: Partial<Origin>[] = [
      { organizationId: 'org_2' },
      { host: 'other.example.com' },
      { port: 8443 },
      { addresses: [{ family: 4, text: '127.0.0.2' }] },
      { clientIdentity: { id: 'ver_1', secretId: 'sec_1', pem: new Hidden(tls.cert + tls.key) } },
    ];
    for (const more of others) await run(upstream, h2To(origin, more));
    expect(origin.sockets).toHaveLength(1 + others.length);
    expect(upstream.connections).toBe(1 + others.length);
  });

  test('I5: an exchange gets a stream only on a connection to an address it has checked itself', async () => {
    const origin = await http2Origin({ host: '0.0.0.0' });
    const upstream = upstreamWith({ trust });
    const first = { family: 4 as const, text: '127.0.0.1' };
    const second = { family: 4 as const, text: '127.0.0.2' };
    await run(upstream, h2To(origin, { addresses: [first, second] }));
    await run(upstream, h2To(origin, { addresses: [second] }));
    expect(origin.sockets.map(({ localAddress }) => localAddress)).toEqual([
      first.text,
      second.text,
    ]);
    await run(upstream, h2To(origin, { addresses: [second, first] }));
    expect(origin.sockets).toHaveLength(2);
  });

  test('with pool_scope sandbox each has its own, with all of its streams', async () => {
    const origin = await http2Origin(NEVER);
    const upstream = upstreamWith({ trust, poolScope: 'sandbox' });
    const begin = (sandboxId: string, count: number): void => {
      for (let i = 0; i < count; i += 1) start(upstream, h2To(origin, { sandboxId }));
    };
    begin('sbx_1', 1);
    await expect.poll(() => origin.streams.length).toBe(1);
    begin('sbx_1', 99);
    begin('sbx_2', 1);
    await expect.poll(() => origin.streams.length).toBe(101);
    expect(origin.sockets).toHaveLength(2);
  });
});

describe('how many streams', () => {
  test('one sandbox has a quarter of a connection; the rest is there for others', async () => {
    const origin = await http2Origin({ ...NEVER, maxConcurrentStreams: 8 });
    const upstream = upstreamWith({ trust, limits: { upstreamConnectionsPerPoolMax: 1 } });
    start(upstream, h2To(origin, { sandboxId: 'sbx_1' }));
    await expect.poll(() => origin.streams.length).toBe(1);
    for (let i = 0; i < 5; i += 1) start(upstream, h2To(origin, { sandboxId: 'sbx_1' }));
    start(upstream, h2To(origin, { sandboxId: 'sbx_2' }));
    await expect.poll(() => origin.streams.length).toBe(3);
    await settle();
    expect(origin.streams).toHaveLength(3);
    expect(upstream.connections).toBe(1);
  });

  test('more of one sandbox goes on further connections, as many as a pool has, then waits its turn', async () => {
    const origin = await http2Origin({ ...NEVER, maxConcurrentStreams: 8 });
    const upstream = upstreamWith({ trust, limits: { upstreamConnectionsPerPoolMax: 3 } });
    const first = start(upstream, h2To(origin));
    await expect.poll(() => origin.streams.length).toBe(1);
    const others = Array.from({ length: 9 }, () => start(upstream, h2To(origin)));
    await expect.poll(() => origin.streams.length).toBe(6);
    await settle();
    expect(origin.streams.map(({ connection }) => connection)).toEqual([1, 1, 2, 2, 3, 3]);
    for (let answered = 0; answered < 10; answered += 1) {
      await expect.poll(() => origin.streams.length).toBeGreaterThan(answered);
      const stream = origin.streams[answered]?.stream;
      if (stream !== undefined) answerOk(stream);
    }
    await Promise.all([first, ...others].map(({ done }) => done));
    expect(others.map(({ body }) => body)).toEqual(Array(9).fill('ok'));
    expect(origin.sockets).toHaveLength(3);
  });

  test('limits.http2_streams_max holds where the origin allows more', async () => {
    const origin = await http2Origin(NEVER);
    const limits = { http2StreamsMax: 4, upstreamConnectionsPerPoolMax: 1 };
    const upstream = upstreamWith({ trust, poolScope: 'sandbox', limits });
    for (let i = 0; i < 6; i += 1) start(upstream, h2To(origin));
    await expect.poll(() => origin.streams.length).toBe(4);
    await settle();
    expect(origin.streams).toHaveLength(4);
  });

  test('who waits too long for a stream is told so; who goes away leaves the line', async () => {
    const origin = await http2Origin({ ...NEVER, maxConcurrentStreams: 1 });
    const limits = { upstreamConnectionsPerPoolMax: 1, responseHeadTimeoutMs: 300 };
    const upstream = upstreamWith({ trust, limits });
    const body = new PassThrough();
    const first = start(upstream, h2To(origin, {}, { method: 'POST', body }));
    await expect.poll(() => origin.streams.length).toBe(1);
    await settle();
    const gone = start(upstream, h2To(origin));
    gone.exchange?.abort();
    const waiting = await run(upstream, h2To(origin));
    expect(waiting.failure?.code).toBe('upstream_timeout');
    expect(waiting.calls).toEqual(['failure']);
    first.exchange?.abort();
    await settle();
    expect(origin.streams).toHaveLength(1);
  });
});

describe('a connection on which nothing comes any more', () => {
  test('gets no new streams while others can be opened, all the same when none can, and again when it speaks', async () => {
    const origin = await http2Origin(NEVER);
    const limits = { connectTimeoutMs: 60, upstreamConnectionsPerPoolMax: 2 };
    const upstream = upstreamWith({ trust, limits });
    const ask = async (): Promise<number | undefined> => {
      const count = origin.streams.length;
      start(upstream, h2To(origin));
      await expect.poll(() => origin.streams.length).toBe(count + 1);
      return origin.streams.at(-1)?.connection;
    };
    const silence = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 100));
    expect([await ask(), await ask()]).toEqual([1, 1]);
    await silence();
    expect([await ask(), await ask()]).toEqual([2, 2]);
    await silence();
    expect(await ask()).toBe(1);
    origin.streams[2]?.stream.respond({ ':status': 200 });
    await settle();
    expect(await ask()).toBe(2);
  });
});

describe('closing', () => {
  test('an unused connection closes after its time, one with a stream does not', async () => {
    const origin = await http2Origin({
      onStream: (stream, { fields }) => {
        if (!fields.includes('/stay')) answerOk(stream);
      },
    });
    const upstream = upstreamWith({ trust, limits: { upstreamIdleTimeoutMs: 60 } });
    const staying = start(upstream, h2To(origin, {}, { target: '/stay' }));
    await run(upstream, h2To(origin));
    await new Promise((resolve) => setTimeout(resolve, 150));
    expect(upstream.connections).toBe(1);
    staying.exchange?.abort();
    await expect.poll(() => upstream.connections).toBe(0);
    await expect.poll(() => origin.sockets[0]?.destroyed).toBe(true);
  });

  test('at the overall limit an unused connection makes room', async () => {
    const one = await http2Origin();
    const two = await http2Origin();
    const upstream = upstreamWith({ trust, limits: { upstreamConnectionsMax: 1 } });
    await run(upstream, h2To(one));
    expect((await run(upstream, h2To(two))).body).toBe('ok');
    expect(upstream.connections).toBe(1);
    await expect.poll(() => one.sockets[0]?.destroyed).toBe(true);
  });

  test('closeWhere resets the streams of a denied sandbox and leaves those of others', async () => {
    const origin = await http2Origin(NEVER);
    const upstream = upstreamWith({ trust });
    const denied = start(upstream, h2To(origin, { sandboxId: 'sbx_1' }));
    const allowed = start(upstream, h2To(origin, { sandboxId: 'sbx_2' }));
    await expect.poll(() => origin.streams.length).toBe(2);
    upstream.closeWhere(
      ({ sandboxId, address }) => sandboxId === 'sbx_1' && address.text === '127.0.0.1',
    );
    await denied.done;
    expect(denied.failure?.code).toBe('upstream_unreachable');
    await expect.poll(() => origin.streams[0]?.stream.closed).toBe(true);
    expect(origin.streams[1]?.stream.closed).toBe(false);
    expect(allowed.calls).toEqual(['headWritten']);
    upstream.closeWhere(({ sandboxId }) => sandboxId === 'sbx_2');
    await allowed.done;
    expect(upstream.connections).toBe(0);
    await expect.poll(() => origin.sockets[0]?.destroyed).toBe(true);
    expect(origin.streams).toHaveLength(2);
  });

  test('retireWhere lets streams end and gives no new ones', async () => {
    const origin = await http2Origin(NEVER);
    const upstream = upstreamWith({ trust });
    const running = start(upstream, h2To(origin));
    await expect.poll(() => origin.streams.length).toBe(1);
    upstream.retireWhere(({ organizationId }) => organizationId === 'org_1');
    start(upstream, h2To(origin));
    await expect.poll(() => origin.streams.length).toBe(2);
    expect(origin.streams.map(({ connection }) => connection)).toEqual([1, 2]);
    const [first] = origin.streams;
    if (first !== undefined) answerOk(first.stream);
    await running.done;
    expect(running.body).toBe('ok');
    await expect.poll(() => upstream.connections).toBe(1);
  });

  test('close ends streams, those who wait and those whose connection is being opened', async () => {
    const origin = await http2Origin(NEVER);
    const hanging = closeLater(await startFrameOrigin(() => undefined));
    const limits = { upstreamConnectionsPerPoolMax: 1, http2StreamsMax: 1 };
    const upstream = upstreamWith({ trust, limits });
    const busy = start(upstream, h2To(origin));
    await expect.poll(() => origin.streams.length).toBe(1);
    const waiting = start(upstream, h2To(origin));
    const dialling = start(upstream, h2To(hanging));
    await upstream.close();
    await Promise.all([busy.done, waiting.done, dialling.done]);
    expect(waiting.failure?.code).toBe('shutting_down');
    expect(dialling.failure?.code).toBe('shutting_down');
    await expect.poll(() => upstream.connections).toBe(0);
    expect((await run(upstream, h2To(origin))).failure?.code).toBe('shutting_down');
  });

  test('all who wait for one handshake learn why it failed', async () => {
    const origin = await http2Origin();
    const { port } = origin;
    await origin.close();
    const upstream = upstreamWith({ trust });
    const refused = await Promise.all([1, 2, 3].map(() => run(upstream, h2To({ port }))));
    expect(refused.map(({ failure }) => failure?.code)).toEqual(
      Array(3).fill('upstream_unreachable'),
    );
    const strange = await http2Origin();
    const untrusted = await run(upstreamWith(), h2To(strange));
    expect(untrusted.failure?.code).toBe('upstream_tls_failed');
    expect(upstream.connections).toBe(0);
  });

  test('who goes away during a handshake leaves its connection to the next', async () => {
    const origin = await http2Origin();
    const upstream = upstreamWith({ trust });
    start(upstream, h2To(origin)).exchange?.abort();
    await expect.poll(() => origin.sockets.length).toBe(1);
    expect((await run(upstream, h2To(origin))).body).toBe('ok');
    expect(origin.sockets).toHaveLength(1);
    expect(origin.streams).toHaveLength(1);
  });
});
