import { readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import { createFileSink, createStreamSink } from '../../src/audit/sink.ts';
import { startTrail } from '../../src/audit/trail.ts';
import { sampleConnection, sampleExchange } from '../contract/samples.ts';
import { silentLogger } from '../store/silent-logger.ts';
import { temporaryDirectory } from '../store/temporary-store.ts';
import { RecordingStore } from './recording-store.ts';

const ids = { organizationId: 'org', sandboxId: 'box' };

test('a file sink appends one JSON line an event, readable by its owner only', async () => {
  const file = path.join(temporaryDirectory(), 'audit.ndjson');
  for (const path of ['/one', '/two']) {
    const sink = createFileSink(file, silentLogger);
    sink.write([sampleExchange(ids, { path, secrets: [{ secretId: 's', version: 2 }] })]);
    await sink.close();
  }
  const lines = readFileSync(file, 'utf8').trimEnd().split('\n');
  expect(lines.map((line) => JSON.parse(line) as unknown)).toMatchObject([
    {
      ts: '1970-01-01T00:00:10.000Z',
      kind: 'request',
      org: 'org',
      sandbox_id: 'box',
      path: '/one',
      secrets: [{ secret_id: 's', version: 2 }],
    },
    { path: '/two' },
  ]);
  expect(statSync(file).mode & 0o777).toBe(0o600);
});

test('a stream sink writes what the trail hands to the store, also when the store fails', async () => {
  const stream = new PassThrough();
  const store = new RecordingStore();
  const trail = startTrail({
    store,
    limits: { auditQueueMax: 100 },
    onFull: 'drop',
    sink: createStreamSink(stream, silentLogger),
    logger: silentLogger,
    metrics: { auditDropped: () => undefined },
  });
  store.mode = 'fail';
  trail.record(sampleConnection(ids, { matchRule: 'allow_out: api.example.com' }));
  await expect(trail.flush()).rejects.toThrow('away');
  await expect(trail.flush()).rejects.toThrow('away');
  store.mode = 'store';
  await trail.flush();
  const text = String(stream.read());
  expect(text.split('\n')).toHaveLength(2);
  expect(JSON.parse(text)).toMatchObject({
    kind: 'connection',
    verdict: 'allowed',
    match_rule: 'allow_out: api.example.com',
  });
  await trail.close();
});

test('a reader that does not keep up costs lines, not memory (I7)', () => {
  const stream = new PassThrough();
  const sink = createStreamSink(stream, silentLogger);
  const events = Array.from({ length: 500 }, () =>
    sampleExchange(ids, { path: '/x'.repeat(1_000) }),
  );
  for (let batch = 0; batch < 100; batch += 1) sink.write(events);
  expect(stream.writableLength + stream.readableLength).toBeLessThan(20 * 1024 * 1024);
});

test('a file that cannot be written disturbs nobody', async () => {
  const parent = path.join(temporaryDirectory(), 'file');
  writeFileSync(parent, '');
  const sink = createFileSink(path.join(parent, 'audit.ndjson'), silentLogger);
  sink.write([sampleExchange(ids)]);
  await sink.close();
  sink.write([sampleExchange(ids)]);
  await expect(sink.close()).resolves.toBeUndefined();
});
