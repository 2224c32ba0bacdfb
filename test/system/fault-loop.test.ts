/**
 * The fault loop: the same exchange, everything cold, again and again, and each time the next call breaks: the
 * first to the store, the second, … until one completes untouched; so for dials, for writes, and for every
 * piece on the wire to the client and to the origin. Each time: a coded answer or a closed connection, at most
 * one audit event and exactly one for what was let in (I4), no value anywhere else (I3), and the very next
 * request is served. An unhandled rejection fails the run.
 */
import { once } from 'node:events';
import { createSecureServer } from 'node:http2';
import type { Http2SecureServer, Http2ServerRequest, Http2ServerResponse } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { REFUSALS } from '../../src/kernel/errors.ts';
import { mintCanary } from '../support/canary.ts';
import { sendConnect, startTls } from '../support/client.ts';
import { composeScene } from '../support/composed-scene.ts';
import type { ComposedScene } from '../support/composed-scene.ts';
import { CuttingRelay } from '../support/cutting-relay.ts';
import { eventually } from '../support/eventually.ts';
import { FaultSeams } from '../support/fault-seams.ts';
import type { Seam } from '../support/fault-seams.ts';
import { openHttp2 } from '../support/http2-client.ts';
import type { TestSandbox } from '../support/product.ts';
import { TestAuthority } from '../support/test-authority.ts';

/** Faults after which a loop that does not end is taken to be endless. */
const FAULTS_MAX = 60;
const HOSTS_MAX = 500;
/** Any of the values, raw: the other spellings are the business of other tests. */
const CANARY = /canary[0-9a-f]{36}/;
const RESPONSE = 'r'.repeat(20_000);
type Version = 'http/1.1' | 'h2';

let origin: Http2SecureServer;
/** Host → what arrived as `Authorization`, one for each request. */
const arrived = new Map<string, string[]>();
let toOrigin: CuttingRelay;
let toProxy: CuttingRelay;
let scene: ComposedScene;
let seams: FaultSeams;
let hostsUsed = 0;
const values: string[] = [];

beforeAll(async () => {
  const authority = new TestAuthority();
  const leaf = authority.mintLeaf(['*.example.test']);
  origin = createSecureServer({ cert: leaf.certPem, key: leaf.keyPem, allowHTTP1: true });
  origin.on('session', (session) => session.on('error', () => {}));
  origin.on('request', serve).listen(0, '127.0.0.1');
  await once(origin, 'listening');
  toOrigin = await CuttingRelay.start({ port: (origin.address() as AddressInfo).port });
  const names = Array.from({ length: HOSTS_MAX }, (_, i) => `h${i}.example.test`);
  scene = await composeScene({
    hosts: Object.fromEntries(names.map((name) => [name, `127.0.0.1:${toOrigin.port}`])),
    originCa: authority.caPem,
  });
  toProxy = await CuttingRelay.start({ port: scene.proxy.port });
  seams = new FaultSeams({ proxyPort: scene.proxy.port, originPort: toOrigin.port });
});

afterAll(async () => {
  seams[Symbol.dispose]();
  await toProxy[Symbol.asyncDispose]();
  await scene[Symbol.asyncDispose]();
  await toOrigin[Symbol.asyncDispose]();
  origin.close();
});

/** Reads the body, answers with trailers. */
function serve(request: Http2ServerRequest, response: Http2ServerResponse): void {
  const host = request.headers.host ?? request.headers[':authority'] ?? '';
  const seen = arrived.get(host) ?? [];
  arrived.set(host, seen);
  seen.push(String(request.headers['authorization']));
  request.on('error', () => {}).resume();
  response.on('error', () => {});
  request.once('end', () => {
    response.writeHead(200, { trailer: 'x-sum' });
    response.write(RESPONSE);
    response.addTrailers({ 'x-sum': '1' });
    response.end();
  });
}

interface Stage {
  readonly host: string;
  readonly value: string;
  readonly sandbox: TestSandbox;
}

/** A host, a secret and a sandbox that nothing in the product has seen. */
async function setStage(): Promise<Stage> {
  const host = `h${hostsUsed}.example.test`;
  hostsUsed += 1;
  const value = mintCanary();
  values.push(value);
  const name = `secret_${hostsUsed}`;
  const auth = { type: 'bearer' };
  await scene.admin.must('POST', '/secrets', { name, value, auth, hosts: [host] });
  return { host, value, sandbox: await scene.createSandbox({ KEY: name }) };
}

interface Outcome {
  /** 0: the connection ended without a whole answer. */
  readonly status: number;
  /** Of a refusal. */
  readonly code: string | undefined;
  /** The refusal was of the CONNECT. */
  readonly isOnConnect: boolean;
}

function codeOf(proxyStatus: string | undefined): string | undefined {
  return /^sallyport; error=\w+; details="(\w+)"/.exec(proxyStatus ?? '')?.[1];
}

interface Ask {
  readonly version: Version;
  readonly method: 'GET' | 'POST';
}

const BROKEN: Outcome = { status: 0, code: undefined, isOnConnect: false };

async function exchange({ version, method }: Ask, { host, sandbox }: Stage, port: number) {
  const body = method === 'POST' ? { body: 'b'.repeat(3_000) } : {};
  const authority = `${host}:443`;
  const proxy = { host: '127.0.0.1', port };
  const plan = { proxy, authority, token: sandbox.token };
  try {
    if (version === 'h2') {
      using tunnel = await openHttp2({ ...scene, proxy }, sandbox, authority);
      const answer = await tunnel.request({ method, path: '/', ...body });
      const code = codeOf(answer.field('proxy-status'));
      return { status: answer.status, code, isOnConnect: false };
    }
    using connect = await sendConnect(plan);
    const { response } = connect;
    if (response.status !== 200) {
      const code = codeOf(response.field('proxy-status'));
      return { status: response.status, code, isOnConnect: true };
    }
    using tunnel = await startTls(connect.connection, authority, { ca: scene.caPem });
    tunnel.socket.on('data', (chunk: Buffer) => scene.clientBytes.push(chunk));
    const answer = await tunnel.request({ method, path: '/', ...body });
    const code = codeOf(answer.field('proxy-status'));
    return { status: answer.status, code, isOnConnect: false };
  } catch (error) {
    const refused = /^CONNECT: (\d+) (\w+)/.exec((error as Error).message);
    if (refused === null) return BROKEN;
    return { status: Number(refused[1]), code: refused[2], isOnConnect: true };
  }
}

async function rowsOf({ sandbox }: Stage): Promise<readonly unknown[]> {
  await scene.core.trail.flush();
  const { data } = (await scene.admin.must('GET', `/sandboxes/${sandbox.id}/network`)) as {
    readonly data: readonly unknown[];
  };
  return data;
}

/** Every client's connection has closed, and with it every record; to the origin none is kept that is gone. */
async function nothingOpen(): Promise<void> {
  await eventually(async () => {
    const text = (await scene.admin.get('/metrics')).text;
    const held = [...text.matchAll(/^sallyport_connections\{kind="\w+"\} \d+$/gm)].map(String);
    expect(held.length).toBeGreaterThan(0);
    expect(held.filter((line) => !line.endsWith(' 0'))).toEqual([]);
    expect(text).toContain(`\nsallyport_upstream_connections ${toOrigin.openCount}\n`);
  });
}

interface Loop extends Ask {
  arm(nth: number): void;
  disarm(): void;
  hasFired(): boolean;
  readonly port: () => number;
}

/** Breaks the first, the second, … until nothing broke; returns how many did. */
async function loop(faults: Loop): Promise<number> {
  for (let nth = 1; nth <= FAULTS_MAX; nth += 1) {
    const stage = await setStage();
    const { host, value } = stage;
    faults.arm(nth);
    const outcome = await exchange(faults, stage, faults.port());
    const wasWhole = outcome.status === 200 && outcome.code === undefined;
    expect([nth, judge(outcome), faults.hasFired() || wasWhole]).toEqual([nth, 'fine', true]);
    // What is stored behind the answer may break as well.
    await scene.core.trail.flush().catch(() => undefined);
    faults.disarm();
    await nothingOpen();
    const events = (await rowsOf(stage)).length;
    const wasLetIn = (arrived.get(host)?.length ?? 0) > 0 || outcome.status > 0;
    const mustBeTold = wasLetIn && outcome.code !== 'policy_unavailable';
    expect([nth, events]).toEqual([nth, mustBeTold ? 1 : Math.min(events, 1)]);

    const next = await exchange({ ...faults, method: 'GET' }, stage, scene.proxy.port);
    expect([nth, next.status, next.code]).toEqual([nth, 200, undefined]);
    expect(new Set(arrived.get(host))).toEqual(new Set([`Bearer ${value}`]));
    await nothingOpen();
    expect([nth, (await rowsOf(stage)).length]).toEqual([nth, events + 1]);
    if (!faults.hasFired()) return nth - 1;
  }
  throw new Error(`something broke at each of ${FAULTS_MAX} tries`);
}

/** Whole, refused with a code of the table and its status, or cut off. */
function judge({ status, code }: Outcome): string {
  if (status === 0 || (status === 200 && code === undefined)) return 'fine';
  if (code === undefined || !Object.hasOwn(REFUSALS, code)) return `${status} without a code`;
  const { status: own } = REFUSALS[code as keyof typeof REFUSALS];
  return own === status && own >= 500 ? 'fine' : `${status} ${code}`;
}

const VERSIONS: readonly Version[] = ['http/1.1', 'h2'];
const METHODS = ['GET', 'POST'] as const;
const ASKS = VERSIONS.flatMap((version) => METHODS.map((method) => ({ version, method })));

function atSeam(seam: Seam, ask: Ask): Loop {
  return {
    ...ask,
    arm: (nth) => seams.arm(seam, nth),
    disarm: () => seams.disarm(),
    hasFired: () => seams.hasFired,
    port: () => scene.proxy.port,
  };
}

function onWire(relay: () => CuttingRelay, ask: Ask, port: () => number): Loop {
  return {
    ...ask,
    arm: (nth) => relay().arm(nth),
    disarm: () => relay().disarm(),
    hasFired: () => relay().hasCut,
    port,
  };
}

describe.each(ASKS)('I4 I8 $version, $method', (ask) => {
  // Token, policy, and the events behind the answer.
  test.each<[Seam, number]>([
    ['store', 3],
    ['store lost', 3],
    ['store slow', 3],
    ['dial', 1],
    ['write', ask.version === 'h2' ? 1 : 3],
  ])('the Nth call fails: %s', async (seam, atLeast) => {
    expect(await loop(atSeam(seam, ask))).toBeGreaterThanOrEqual(atLeast);
  });

  test('the connection to the client is reset at its Nth piece', async () => {
    const faults = onWire(
      () => toProxy,
      ask,
      () => toProxy.port,
    );
    expect(await loop(faults)).toBeGreaterThanOrEqual(5);
  });

  test('the connection to the origin is reset at its Nth piece', async () => {
    const faults = onWire(
      () => toOrigin,
      ask,
      () => scene.proxy.port,
    );
    expect(await loop(faults)).toBeGreaterThanOrEqual(4);
  });
});

test('I3 I7 afterwards: no value anywhere, nothing held', async () => {
  expect(values.length).toBeGreaterThan(50);
  const said = Buffer.concat([...scene.clientBytes, ...scene.admin.transcript]).toString('latin1');
  expect(said.match(CANARY) ?? []).toEqual([]);
  expect(CANARY.test(values[0] ?? '')).toBe(true);
  await expect(nothingOpen()).resolves.toBeUndefined();
});
