/** WebSocket handshakes with an origin: what is sent, what an agreeing and a declining origin cause. */
import type { Duplex } from 'node:stream';
import { afterEach, expect, test } from 'vitest';
import { createDialer } from '../../src/egress/dial.ts';
import { createTrust } from '../../src/egress/trust.ts';
import { createUpgradeDialer } from '../../src/egress/upgrade-exchange.ts';
import type { UpgradeObserver } from '../../src/egress/upgrade-exchange.ts';
import type { UpstreamResponseHead } from '../../src/egress/upstream.ts';
import { DEFAULT_LIMITS } from '../../src/kernel/limits.ts';
import { ExchangeRecorder, originAt, requestTo } from './exchange-recorder.ts';
import { answering } from './raw-origin.ts';
import type { OnBytes } from './raw-origin.ts';
import { closeAll, originWith } from './upstream-kit.ts';

const trust = createTrust({ extraCaPems: [] });
const SWITCH = 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n';
const FIELDS = ['Sec-WebSocket-Key', 'x3JJHMbDL1EzLkh9GBhXDw==', 'Sec-WebSocket-Version', '13'];

class UpgradeRecorder extends ExchangeRecorder implements UpgradeObserver {
  upgraded: { head: UpstreamResponseHead; socket: Duplex; firstBytes: string } | undefined;

  onUpgrade(head: UpstreamResponseHead, socket: Duplex, firstBytes: Buffer): void {
    this.calls.push('upgrade');
    this.upgraded = { head, socket, firstBytes: firstBytes.toString('latin1') };
  }
}

afterEach(closeAll);

async function upgrade(onBytes: OnBytes, responseHeadTimeoutMs = 5_000) {
  const origin = await originWith(onBytes);
  const limits = { ...DEFAULT_LIMITS, responseHeadTimeoutMs };
  const upgrades = createUpgradeDialer({ dialer: createDialer({ trust, limits }), limits });
  const recorder = new UpgradeRecorder();
  const request = requestTo(originAt(origin.port), { target: '/ws', fields: FIELDS });
  recorder.exchange = upgrades.dispatch(request, recorder);
  return { origin, recorder };
}

test('the handshake goes out with its fields, and the socket comes back with what followed the head', async () => {
  const { origin, recorder } = await upgrade(
    answering(`${SWITCH}Sec-WebSocket-Accept: abc\r\n\r\nfirst frame`),
  );
  await expect.poll(() => recorder.calls).toEqual(['headWritten', 'upgrade']);
  expect(origin.connections[0]?.received).toBe(
    'GET /ws HTTP/1.1\r\nHost: api.example.com\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
      'Sec-WebSocket-Key: x3JJHMbDL1EzLkh9GBhXDw==\r\nSec-WebSocket-Version: 13\r\n\r\n',
  );
  expect(recorder.upgraded?.head.status).toBe(101);
  expect(recorder.upgraded?.head.fields).toContain('Sec-WebSocket-Accept');
  expect(recorder.upgraded?.firstBytes).toBe('first frame');
  const socket = recorder.upgraded?.socket;
  const echoed = new Promise((resolve) => socket?.once('data', (data) => resolve(String(data))));
  socket?.write('ping');
  await expect.poll(() => origin.connections[0]?.received).toMatch(/ping$/);
  origin.connections[0]?.socket.write('pong');
  expect(await echoed).toBe('pong');
  socket?.destroy();
  expect(recorder.calls).toEqual(['headWritten', 'upgrade']);
});

test('an origin that declines answers like any other', async () => {
  const { origin, recorder } = await upgrade(
    answering('HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\nX-Why: no\r\n\r\nno'),
  );
  await recorder.done;
  expect(recorder.calls).toEqual(['headWritten', 'response', 'data', 'end']);
  expect(recorder.head?.fields).toContain('X-Why');
  await expect.poll(() => origin.connections[0]?.isClosed).toBe(true);
});

test('a 101 to something else is a protocol error', async () => {
  const { origin, recorder } = await upgrade(
    answering('HTTP/1.1 101 Switching\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n'),
  );
  await recorder.done;
  expect(recorder.failure?.code).toBe('upstream_protocol_error');
  await expect.poll(() => origin.connections[0]?.isClosed).toBe(true);
});

test('a declining answer cut short, a reset and silence are failures', async () => {
  const cut = await upgrade((record) => {
    record.socket.end('HTTP/1.1 403 No\r\nContent-Length: 10\r\n\r\nabc');
  });
  await cut.recorder.done;
  expect(cut.recorder.failure?.proxyError).toBe('http_response_incomplete');
  const reset = await upgrade((record) => {
    record.socket.resetAndDestroy();
  });
  await reset.recorder.done;
  expect(reset.recorder.failure?.code).toBe('upstream_unreachable');
  expect(reset.origin.connections).toHaveLength(1);
  const silent = await upgrade(() => undefined, 100);
  await silent.recorder.done;
  expect(silent.recorder.failure?.code).toBe('upstream_timeout');
});

test('an abort before the answer closes the connection and says nothing', async () => {
  const { origin, recorder } = await upgrade(() => undefined);
  await expect.poll(() => recorder.calls).toEqual(['headWritten']);
  recorder.exchange?.abort();
  await expect.poll(() => origin.connections[0]?.isClosed).toBe(true);
  expect(recorder.calls).toEqual(['headWritten']);
});
