/** Which exchanges share a connection, how many there are, and what closes them. */
import { afterEach, describe, expect, test } from 'vitest';
import { originAt, requestTo, run, start } from './exchange-recorder.ts';
import { answering, OK } from './raw-origin.ts';
import { closeAll, originWith, settle, upstreamWith } from './upstream-kit.ts';

afterEach(closeAll);

const HEAD_ONLY = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n';

describe('sharing', () => {
  test('exchanges of one organization to one address share a connection', async () => {
    const origin = await originWith(answering(OK));
    const upstream = upstreamWith();
    for (const sandboxId of ['sbx_1', 'sbx_2', 'sbx_1']) {
      await run(upstream, requestTo(originAt(origin.port, { sandboxId })));
      await settle();
    }
    expect(origin.connections).toHaveLength(1);
  });

  test.each([
    ['organization', { organizationId: 'org_2' }],
    ['host', { host: 'other.example.com' }],
    ['port', { port: 8080 }],
    ['address', { addresses: [{ family: 4 as const, text: '127.0.0.2' }] }],
  ])('another %s gets its own', async (_, more) => {
    const origin = await originWith(answering(OK), { host: '0.0.0.0' });
    const upstream = upstreamWith();
    await run(upstream, requestTo(originAt(origin.port)));
    await settle();
    await run(upstream, requestTo(originAt(origin.port, more)));
    expect(origin.connections).toHaveLength(2);
  });

  test('with pool_scope sandbox, another sandbox gets its own', async () => {
    const origin = await originWith(answering(OK));
    const upstream = upstreamWith({ poolScope: 'sandbox' });
    for (const sandboxId of ['sbx_1', 'sbx_2']) {
      await run(upstream, requestTo(originAt(origin.port, { sandboxId })));
      await settle();
    }
    expect(origin.connections).toHaveLength(2);
  });

  test('I5: a connection to an address this exchange has not checked is not used', async () => {
    const origin = await originWith(answering(OK), { host: '0.0.0.0' });
    const upstream = upstreamWith();
    const first = { family: 4 as const, text: '127.0.0.1' };
    const second = { family: 4 as const, text: '127.0.0.2' };
    await run(upstream, requestTo(originAt(origin.port, { addresses: [first, second] })));
    await settle();
    await run(upstream, requestTo(originAt(origin.port, { addresses: [second] })));
    expect(origin.connections.map(({ socket }) => socket.localAddress)).toEqual([
      '127.0.0.1',
      '127.0.0.2',
    ]);
    await settle();
    await run(upstream, requestTo(originAt(origin.port, { addresses: [second, first] })));
    expect(origin.connections).toHaveLength(2);
  });

  test.each(['NTLM', 'Negotiate abc='])(
    'a connection that saw %s is not reused',
    async (scheme) => {
      const answer = `HTTP/1.1 401 No\r\nWWW-Authenticate: ${scheme}\r\nContent-Length: 0\r\n\r\n`;
      const cases = [
        [answer, []],
        [OK, ['Authorization', scheme]],
      ] as const;
      for (const [reply, fields] of cases) {
        const origin = await originWith(answering(reply));
        const upstream = upstreamWith();
        await run(upstream, requestTo(originAt(origin.port), { fields }));
        await settle();
        await run(upstream, requestTo(originAt(origin.port)));
        expect(origin.connections).toHaveLength(2);
        await expect.poll(() => origin.connections[0]?.isClosed).toBe(true);
      }
    },
  );

  test('Connection: close from the origin is honoured', async () => {
    const reply = OK.replace('\r\n', '\r\nConnection: close\r\n');
    const origin = await originWith(answering(reply));
    const upstream = upstreamWith();
    for (const more of [{}, {}, { method: 'HEAD' }]) {
      await run(upstream, requestTo(originAt(origin.port), more));
      await settle();
    }
    expect(origin.connections).toHaveLength(3);
    expect(upstream.connections).toBe(0);
  });
});

describe('limits', () => {
  test('at the limit of a pool exchanges wait and are served in turn', async () => {
    let busy = 0;
    let busiest = 0;
    const origin = await originWith(
      answering((record) => {
        busiest = Math.max(busiest, ++busy);
        setTimeout(() => {
          busy -= 1;
          record.socket.write(OK);
        }, 5);
        return null;
      }),
    );
    const upstream = upstreamWith({ limits: { upstreamConnectionsPerPoolMax: 3 } });
    const recorders = await Promise.all(
      Array.from({ length: 20 }, () => run(upstream, requestTo(originAt(origin.port)))),
    );
    expect(recorders.map((recorder) => recorder.body)).toEqual(Array(20).fill('ok'));
    expect(busiest).toBe(3);
    expect(origin.connections.length).toBe(3);
  });

  test('at the overall limit an idle connection of another origin makes room', async () => {
    const one = await originWith(answering(OK));
    const two = await originWith(answering(OK));
    const upstream = upstreamWith({ limits: { upstreamConnectionsMax: 1 } });
    await run(upstream, requestTo(originAt(one.port)));
    await settle();
    const recorder = await run(upstream, requestTo(originAt(two.port)));
    expect(recorder.body).toBe('ok');
    expect(upstream.connections).toBe(1);
    await expect.poll(() => one.connections[0]?.isClosed).toBe(true);
  });

  test('both kinds of connection count as one pool', async () => {
    const origin = await originWith(answering(OK));
    const upstream = upstreamWith({ limits: { upstreamConnectionsPerPoolMax: 1 } });
    for (const method of ['GET', 'OPTIONS', 'GET']) {
      const target = method === 'OPTIONS' ? '*' : '/';
      const recorder = await run(upstream, requestTo(originAt(origin.port), { method, target }));
      expect(recorder.body).toBe('ok');
      expect(upstream.connections).toBe(1);
    }
  });

  test('one that is aborted while it waits leaves the line; the time of waiting is bounded', async () => {
    const origin = await originWith(answering(HEAD_ONLY));
    const limits = { upstreamConnectionsPerPoolMax: 1, responseHeadTimeoutMs: 200 };
    const upstream = upstreamWith({ limits });
    const first = start(upstream, requestTo(originAt(origin.port)));
    await first.responded;
    const aborted = start(upstream, requestTo(originAt(origin.port)));
    aborted.exchange?.abort();
    const late = await run(upstream, requestTo(originAt(origin.port)));
    expect(late.failure?.code).toBe('upstream_timeout');
    expect(aborted.calls).toEqual([]);
  });

  test.each([{}, { method: 'OPTIONS', target: '*' }])(
    'idle connections close by themselves',
    async (more) => {
      const origin = await originWith(answering(OK));
      const upstream = upstreamWith({ limits: { upstreamIdleTimeoutMs: 60 } });
      await run(upstream, requestTo(originAt(origin.port), more));
      expect(upstream.connections).toBe(1);
      await expect.poll(() => upstream.connections).toBe(0);
      await expect.poll(() => origin.connections[0]?.isClosed).toBe(true);
    },
  );

  test.each([{}, { method: 'OPTIONS', target: '*' }])(
    'an origin that keeps connections for a second is not asked again',
    async (more) => {
      const reply = OK.replace('\r\n', '\r\nConnection: keep-alive\r\nKeep-Alive: timeout=1\r\n');
      const origin = await originWith(answering(reply));
      const upstream = upstreamWith();
      await run(upstream, requestTo(originAt(origin.port), more));
      await expect.poll(() => upstream.connections).toBe(0);
    },
  );
});

describe('closing', () => {
  test('closeWhere ends idle and busy connections of what is denied, and nothing is retried', async () => {
    const origin = await originWith(
      answering((record) => (record.received.includes('/busy') ? null : OK)),
      { host: '0.0.0.0' },
    );
    const upstream = upstreamWith();
    const there = originAt(origin.port);
    const busy = start(upstream, requestTo(there, { target: '/busy' }));
    await expect.poll(() => busy.calls).toEqual(['headWritten']);
    await run(upstream, requestTo(there));
    const elsewhere = originAt(origin.port, { addresses: [{ family: 4, text: '127.0.0.2' }] });
    await run(upstream, requestTo(elsewhere));
    await settle();
    upstream.closeWhere(
      ({ address, sandboxId }) => sandboxId === 'sbx_1' && address.text === '127.0.0.1',
    );
    await busy.done;
    expect(busy.failure?.code).toBe('upstream_unreachable');
    expect(upstream.connections).toBe(1);
    expect(origin.connections).toHaveLength(3);
    await expect
      .poll(() => origin.connections.map((connection) => connection.isClosed))
      .toEqual([true, true, false]);
  });

  test('close ends everything, also those who wait, and nothing is dialled afterwards', async () => {
    const origin = await originWith(() => undefined);
    const upstream = upstreamWith({ limits: { upstreamConnectionsPerPoolMax: 1 } });
    const busy = start(upstream, requestTo(originAt(origin.port)));
    await expect.poll(() => busy.calls).toEqual(['headWritten']);
    const waiting = start(upstream, requestTo(originAt(origin.port)));
    await upstream.close();
    await Promise.all([busy.done, waiting.done]);
    expect(waiting.failure?.code).toBe('shutting_down');
    const late = await run(upstream, requestTo(originAt(origin.port)));
    expect(late.failure?.code).toBe('shutting_down');
    expect(upstream.connections).toBe(0);
    expect(origin.connections).toHaveLength(1);
  });
});
