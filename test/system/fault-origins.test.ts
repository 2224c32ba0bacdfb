/**
 * Origins that break at every point of an exchange, in every way: reset, a polite close, an end that TLS is not
 * told of, HTTP/2's own reset, silence. To HTTP/1.1 and HTTP/2 clients, from origins of either version. Each time
 * one coded answer or a cut-off response, one event with that code (I4), and when the origin is mended the next
 * request is served. The upload is no repeatable one: nothing is sent twice.
 */
import { readdirSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  BREAKING_POINTS,
  BreakingOrigin,
  FIRST_HALF,
  SECOND_HALF,
} from '../support/breaking-origin.ts';
import type { Breakage, BreakingPoint } from '../support/breaking-origin.ts';
import { mintCanary } from '../support/canary.ts';
import type { RawResponse } from '../support/client.ts';
import { eventually } from '../support/eventually.ts';
import { openHttp2, readResponse } from '../support/http2-client.ts';
import { startProduct } from '../support/product.ts';
import type { Product, TestSandbox } from '../support/product.ts';
import { TestAuthority } from '../support/test-authority.ts';

interface Route {
  readonly client: 'http/1.1' | 'h2';
  readonly origin: 'http/1.1' | 'h2';
}
const ROUTES: readonly Route[] = [
  { client: 'http/1.1', origin: 'http/1.1' },
  { client: 'h2', origin: 'http/1.1' },
  { client: 'h2', origin: 'h2' },
];
const BREAKAGES: readonly Breakage[] = ['reset', 'close', 'truncate', 'stream', 'hang'];

interface Case extends Route {
  readonly breakage: Breakage;
  readonly point: BreakingPoint;
  readonly host: string;
}

function isPossible(breakage: Breakage, protocol: Route['origin']): boolean {
  return breakage !== 'stream' || protocol === 'h2';
}

/** HTTP/2's reset needs a stream. */
function pointsOf(breakage: Breakage): readonly BreakingPoint[] {
  return breakage === 'stream' ? BREAKING_POINTS.slice(3) : BREAKING_POINTS;
}

const cases: Case[] = [];
for (const route of ROUTES) {
  for (const breakage of BREAKAGES) {
    if (!isPossible(breakage, route.origin)) continue;
    for (const point of pointsOf(breakage)) {
      cases.push({ ...route, breakage, point, host: `h${cases.length}.example.test` });
    }
  }
}

const origins = new Map<string, BreakingOrigin>();
const value = mintCanary();
let product: Product;
let descriptorsBefore = 0;

const countDescriptors = (): number => readdirSync(`/proc/${product.pid}/fd`).length;

beforeAll(async () => {
  const authority = new TestAuthority();
  const leaf = authority.mintLeaf(['*.example.test']);
  const hosts: Record<string, string> = {};
  for (const { host, origin: protocol, point, breakage } of cases) {
    const origin = await BreakingOrigin.start({ leaf, protocol, point, breakage });
    origins.set(host, origin);
    hosts[host] = origin.address;
  }
  const silence = 3_000;
  product = await startProduct({
    originCa: authority.caPem,
    hosts,
    settings: {
      limits: {
        connect_timeout_ms: silence,
        tls_handshake_timeout_ms: silence,
        response_head_timeout_ms: silence,
        body_silence_timeout_ms: silence,
        upstream_idle_timeout_ms: 1_000,
      },
    },
  });
  const auth = { type: 'bearer' };
  await product.createSecret('api', value, { auth, hosts: ['*.example.test'] });
  descriptorsBefore = countDescriptors();
});

afterAll(async () => {
  await product.assertNoLeak(value);
  await product[Symbol.asyncDispose]();
  for (const origin of origins.values()) await origin[Symbol.asyncDispose]();
});

/** `502 upstream_unreachable`, `200 whole`, `200 cut off`. */
async function upload({ client, host }: Case, sandbox: TestSandbox): Promise<string> {
  const length = String(FIRST_HALF.length + SECOND_HALF.length);
  if (client === 'http/1.1') {
    using tunnel = await product.openTunnel(sandbox, `${host}:443`);
    tunnel.sendRequest({ method: 'POST', path: '/', fields: ['Content-Length', length] });
    tunnel.send(FIRST_HALF);
    await delay(20);
    tunnel.send(SECOND_HALF);
    const status = Number((await peekHead(tunnel.reader)).slice(9, 12));
    return await tunnel.readResponse().then(
      (answer) => describeEnd(status, answer),
      () => `${status} cut off`,
    );
  }
  using tunnel = await openHttp2(product, sandbox, `${host}:443`);
  const plan = { method: 'POST', path: '/', fields: ['content-length', length] };
  const stream = tunnel.open(plan, { endStream: false });
  let status = 0;
  stream.once('response', (fields) => {
    status = Number(fields[':status']);
  });
  const response = readResponse(stream);
  stream.write(FIRST_HALF);
  await delay(20);
  stream.end(SECOND_HALF);
  return await response.then(
    (answer) => describeEnd(status, answer),
    () => `${status} cut off`,
  );
}

/** Start of the head that is not informational; left unread. */
async function peekHead(reader: { readonly pending: Buffer; readonly ended: boolean }) {
  return eventually(() => {
    const text = reader.pending.toString('latin1').replace(/^HTTP\/1.1 1.*?\r\n\r\n/s, '');
    if (!text.includes('\r\n\r\n')) throw new Error(`no head: ${text}`);
    return text;
  }, 10_000);
}

function describeEnd(status: number, answer: Pick<RawResponse, 'field' | 'text'>): string {
  const code = /details="(\w+)"/.exec(answer.field('proxy-status') ?? '')?.[1];
  if (code !== undefined) return `${status} ${code}`;
  return `${status} ${answer.text() === 'half, whole' ? 'whole' : 'not whole'}`;
}

interface Row {
  readonly status?: number;
  readonly error_code?: string | null;
}

async function rowsOf(sandbox: TestSandbox): Promise<Row[]> {
  const { data } = (await product.admin.must('GET', `/sandboxes/${sandbox.id}/network`)) as {
    readonly data: Row[];
  };
  return data;
}

/** What the client got, what the trail says of it, and how often the origin was asked. */
async function play(broken: Case): Promise<string> {
  const origin = origins.get(broken.host);
  if (origin === undefined) throw new Error('no origin');
  const sandbox = await product.createSandbox({ secrets: { KEY: 'api' } });
  const got = await upload(broken, sandbox);
  const asked = origin.connectionCount;
  const rows = await eventually(async () => {
    const all = await rowsOf(sandbox);
    expect(all).toHaveLength(1);
    return all;
  });
  origin.isMended = true;
  const next = await upload(broken, sandbox);
  if (next !== '200 whole')
    return `${got} ${told(rows)} the next one: ${next} ${JSON.stringify(await rowsOf(sandbox))}`;
  await eventually(async () => expect(await rowsOf(sandbox)).toHaveLength(2));
  return told(rows) === got ? `${got}, ${asked}` : `${got}, told as ${told(rows)}, ${asked}`;
}

function told(rows: readonly Row[]): string {
  return rows
    .map((row) => `${row.status} ${row.error_code ?? ''}`)
    .join()
    .replace('upstream_aborted', 'cut off');
}

/** Nothing of a response had come: whoever asked may ask again. Once, and the body was sent: not by us. */
const GONE = '502 upstream_unreachable, 1';
const NONSENSE = '502 upstream_protocol_error, 1';
const LATE = '504 upstream_timeout, 1';
const CUT_OFF = '200 cut off, 1';
type Outcomes = Readonly<Partial<Record<BreakingPoint, string>>>;

const AFTER_THE_HEAD: Outcomes = {
  'head sent': CUT_OFF,
  'half the body sent': CUT_OFF,
  'half the trailers sent': CUT_OFF,
};
const ON_A_STREAM: Outcomes = {
  'head read': GONE,
  'half the body read': GONE,
  'interim response sent': NONSENSE,
  'half the head sent': NONSENSE,
  ...AFTER_THE_HEAD,
};
const ENDED: Outcomes = { connected: GONE, 'hello read': GONE, secured: GONE, ...ON_A_STREAM };
const EXPECTED: Readonly<Record<Breakage, Outcomes>> = {
  reset: ENDED,
  close: ENDED,
  truncate: ENDED,
  stream: ON_A_STREAM,
  hang: {
    connected: LATE,
    'hello read': LATE,
    secured: LATE,
    'head read': LATE,
    'half the body read': LATE,
    'interim response sent': LATE,
    'half the head sent': LATE,
    ...AFTER_THE_HEAD,
  },
};

describe.each(ROUTES)('I4 $client client, $origin origin', ({ client, origin }) => {
  test.each(BREAKAGES.filter((some) => isPossible(some, origin)))('%s', async (breakage) => {
    const mine = cases.filter(
      (some) => some.client === client && some.origin === origin && some.breakage === breakage,
    );
    const outcomes = await Promise.all(
      mine.map(async (broken) => [broken.point, await play(broken)] as const),
    );
    expect(Object.fromEntries(outcomes)).toEqual(EXPECTED[breakage]);
  });
});

test('I7 afterwards nothing is held', async () => {
  await eventually(async () => {
    const text = (await product.admin.get('/metrics')).text;
    const held = [...text.matchAll(/^sallyport_connections\{kind="\w+"\} \d+$/gm)].map(String);
    expect(held.length).toBeGreaterThan(0);
    expect(held.filter((line) => !line.endsWith(' 0'))).toEqual([]);
    expect(text).toContain('\nsallyport_upstream_connections 0\n');
    expect(cases.filter(({ host }) => origins.get(host)?.openCount !== 0)).toEqual([]);
    // The test's own connections to the admin API are kept alive, a few of them.
    expect(countDescriptors()).toBeLessThan(descriptorsBefore + 30);
  }, 8_000);
});
