import { MessageChannel, Worker } from 'node:worker_threads';
import type { MessagePort } from 'node:worker_threads';
import { describe, expect, onTestFinished, test } from 'vitest';
import { ControlError } from '../../src/kernel/errors.ts';
import { FIXED } from '../../src/kernel/limits.ts';
import { StoreFailure, carryError, restoreError } from '../../src/store/messages.ts';
import type { StoreAnswer, StoreRequest } from '../../src/store/messages.ts';
import { RemoteStore } from '../../src/store/remote-store.ts';
import { insertTenant } from '../contract/samples.ts';
import { openStore, temporaryDirectory } from './temporary-store.ts';

/** A remote store whose other end the test holds. */
function connected(): { remote: RemoteStore; far: MessagePort; requests: StoreRequest[] } {
  const { port1, port2 } = new MessageChannel();
  onTestFinished(() => port1.close());
  const remote = new RemoteStore({
    worker: port1,
    monotonicMs: () => performance.now(),
    onDuration: () => undefined,
  });
  port1.on('message', (answer: StoreAnswer) => remote.receive(answer));
  const requests: StoreRequest[] = [];
  port2.on('message', (request: StoreRequest) => requests.push(request));
  return { remote, far: port2, requests };
}

describe('a store that is gone', () => {
  test('rejects what was pending and everything later', async () => {
    const { remote } = connected();
    const pending = remote.contracts.secrets.readSecret('o', 'n');
    remote.fail('the store thread failed');
    await expect(pending).rejects.toBeInstanceOf(StoreFailure);
    await expect(remote.contracts.policy.readPolicySource('s')).rejects.toThrow(
      'the store thread failed',
    );
  });

  test('does not keep a call waiting for ever, and drops an answer that comes too late', async () => {
    const { remote, far, requests } = connected();
    const slow = remote.ask('ping', { kind: 'ping' }, 20);
    await expect(slow).rejects.toThrow('did not answer ping within 20 ms');
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a port, not a window
    far.postMessage({ kind: 'result', id: requests[0]?.id ?? 1, value: 'late' });
    const next = remote.ask('ping', { kind: 'ping' });
    await expect.poll(() => requests.length).toBe(2);
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a port, not a window
    far.postMessage({ kind: 'result', id: requests[1]?.id ?? 0, value: 'in time' });
    expect(await next).toBe('in time');
  });

  test('says when a write may have been done that was not answered', async () => {
    const uncertain: string[] = [];
    const remote = new RemoteStore({
      worker: { postMessage: () => undefined },
      monotonicMs: () => performance.now(),
      onDuration: () => undefined,
      onUncertain: () => uncertain.push('said'),
    });
    const call = (contract: string, method: string, timeoutMs: number) =>
      remote.ask(method, { kind: 'call', contract, method, args: [] }, timeoutMs);
    await expect(call('policy', 'readTokenOwner', 5)).rejects.toThrow('did not answer');
    await expect(call('audit', 'appendEvents', 5)).rejects.toThrow('did not answer');
    expect(uncertain).toEqual([]);
    await expect(call('secrets', 'deleteSecret', 5)).rejects.toThrow('did not answer');
    expect(uncertain).toEqual(['said']);
    const pending = call('secrets', 'updateSecret', 60_000);
    remote.fail('gone');
    await expect(pending).rejects.toThrow('gone');
    expect(uncertain).toEqual(['said', 'said']);
  });

  test('answers again when another worker took its place', async () => {
    const { remote, far, requests } = connected();
    remote.fail('gone');
    await expect(remote.ask('ping', { kind: 'ping' })).rejects.toThrow('gone');
    const { port1, port2 } = new MessageChannel();
    onTestFinished(() => port1.close());
    port1.on('message', (answer: StoreAnswer) => remote.receive(answer));
    port2.on('message', ({ id }: StoreRequest) => {
      // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a port, not a window
      port2.postMessage({ kind: 'result', id, value: 'here' });
    });
    remote.revive(port1);
    expect(await remote.ask('ping', { kind: 'ping' })).toBe('here');
    expect(requests).toEqual([]);
    far.close();
  });

  test('does not let calls pile up: beyond the bound they fail at once (I7)', async () => {
    const { remote } = connected();
    const waiting = Array.from({ length: FIXED.storeCallsMax }, () =>
      remote.ask('ping', { kind: 'ping' }),
    );
    await expect(remote.ask('ping', { kind: 'ping' })).rejects.toThrow('too many calls');
    remote.fail('over');
    const outcomes = await Promise.allSettled(waiting);
    expect(outcomes.every((outcome) => outcome.status === 'rejected')).toBe(true);
  });

  test('its thread may die in the middle: callers get an error, the process goes on', async () => {
    const { port1, port2 } = new MessageChannel();
    onTestFinished(() => port1.close());
    const worker = new Worker(
      `const { parentPort } = require('node:worker_threads');
       parentPort.on('message', () => process.exit(7));`,
      { eval: true },
    );
    const remote = new RemoteStore({
      worker,
      monotonicMs: () => performance.now(),
      onDuration: () => undefined,
    });
    worker.on('exit', () => remote.fail('the store thread ended'));
    await expect(remote.contracts.audit.appendEvents([])).rejects.toThrow('thread ended');
    port2.close();
  });
});

describe('errors', () => {
  test('keep their class and what they say on the way from the thread', async () => {
    const store = await openStore(temporaryDirectory());
    await insertTenant(store, 'acme');
    const error: unknown = await insertTenant(store, 'acme').catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(ControlError);
    expect(error).toMatchObject({
      code: 'conflict',
      message: 'An organization named acme exists already.',
    });
  });

  test('carry details and hide nothing that was safe', () => {
    const original = new ControlError('bad_request', {
      message: 'no',
      details: [{ path: 'auth.type', message: 'unknown' }],
    });
    const restored = restoreError(structuredClone(carryError(original)));
    expect(restored).toMatchObject({
      code: 'bad_request',
      message: 'no',
      details: original.details,
    });
  });
});

test('only contract methods can be called', async () => {
  const store = await openStore(temporaryDirectory());
  const keys = Object.keys(store.secrets);
  expect(keys).toContain('readSecret');
  expect(keys).not.toContain('constructor');
});

test('close waits for what was asked', async () => {
  const dataDir = temporaryDirectory();
  const store = await openStore(dataDir);
  const inserting = insertTenant(store, 'acme');
  await Promise.all([inserting, store.close(), store.close()]);
  await expect(store.ping()).rejects.toBeInstanceOf(StoreFailure);
  const again = await openStore(dataDir);
  expect(await again.organizations.readOrganization('acme')).toBeDefined();
});
