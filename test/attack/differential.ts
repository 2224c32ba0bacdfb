/**
 * The differential judge: raw bytes go through the proxy, and what arrives is compared with what a second
 * reader, which knows nothing of ours, makes of the same bytes. Nothing may arrive that this reader does
 * not read at the same place: same method, same target, same body. A refusal is always right here; that
 * good requests are served is the corpus' business.
 */
import type { Duplex } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { ATTACKER_TOKEN } from './attack-case.ts';
import { exchangeRaw } from './raw-exchange.ts';
import type { Arrivals, RecordingOrigin } from './recording-origin.ts';
import type { CorpusPlan } from './run-corpus.ts';
import { readTolerantRequest, valuesOf } from './strict-reader.ts';
import type { StrictRequest } from './strict-reader.ts';
import type { Injected } from './verdict.ts';

/** What an attacker's bytes say, and why the reading ends. */
export interface Reading {
  readonly requests: readonly StrictRequest[];
  readonly end: 'all read' | 'incomplete' | 'fault';
}

let sentinels = 0;

/** Sends `text` (latin1, with `{{host}}`) on a fresh connection and half-closes it. Faults in words. */
export async function compareReadings(plan: CorpusPlan, raw: string): Promise<string[]> {
  const text = raw.replaceAll('{{host}}', plan.host);
  plan.origin.take();
  const bytes = Buffer.from(text, 'latin1');
  const reading = readAll(text);
  const attack = await exchangeRaw(await plan.dial(), bytes, {
    responses: Number.POSITIVE_INFINITY,
    isHalfClosed: true,
    // What is still incomplete may be waited for; the half-close ends most of it earlier.
    isCutOff: reading.end === 'incomplete',
  });
  const sentinelTarget = `/sentinel-${++sentinels}`;
  const answer = await sendSentinel(await plan.dial(), plan.host, sentinelTarget);
  await settle(plan.origin);
  const arrivals = plan.origin.take();
  return [
    ...(answer === sentinelTarget ? [] : [`the next request got ${JSON.stringify(answer)}`]),
    ...(attack.hung && reading.end !== 'incomplete' ? ['the client was left hanging'] : []),
    ...judgeArrivals(arrivals, sentinelTarget, reading, plan.injected),
  ];
}

export function readAll(text: string): Reading {
  const requests: StrictRequest[] = [];
  for (let at = 0; at < text.length;) {
    const step = readTolerantRequest(text, at);
    if (step.state !== 'request') return { requests, end: step.state };
    requests.push(step.request);
    at = step.next;
  }
  return { requests, end: 'all read' };
}

function judgeArrivals(
  arrivals: Arrivals,
  sentinelTarget: string,
  reading: Reading,
  injected: Injected,
): string[] {
  const arrived = arrivals.requests.filter(({ target }) => target !== sentinelTarget);
  const faults = arrivals.faults.map((fault) => `the origin read ${fault}`);
  if (arrivals.openTails > 0) faults.push('an unfinished request holds an open connection');
  // Some may have been refused, the others keep their order.
  let next = 0;
  for (const request of arrived) {
    const found = reading.requests.findIndex((sent, at) => at >= next && isSame(sent, request));
    if (found < 0) faults.push(`nobody sent ${JSON.stringify(request)}`);
    else next = found + 1;
    faults.push(...credentialFaults(request, injected));
  }
  return faults;
}

/** `https://host/path` inside the tunnel goes on in origin-form. */
function isSame(sent: StrictRequest, arrived: StrictRequest): boolean {
  const target = sent.target.replace(/^https:\/\/[^/?]*/i, '');
  const path = target.startsWith('/') || target === '*' ? target : `/${target}`;
  const isTarget = arrived.target === path || (path === '/' && arrived.target === '*');
  return sent.method === arrived.method && isTarget && sent.body === arrived.body;
}

function credentialFaults(request: StrictRequest, injected: Injected): string[] {
  const faults: string[] = [];
  for (const [name, value] of Object.entries(injected)) {
    const values = valuesOf(request.fields, name);
    if (values.length !== 1 || values[0] !== value) faults.push(`${values.length} of ${name}`);
  }
  for (const name of ['authorization', 'x-api-key']) {
    const texts = [...valuesOf(request.fields, name), ...valuesOf(request.trailers, name)];
    if (texts.some((one) => one.includes(ATTACKER_TOKEN))) faults.push('the attacker got a field');
  }
  return faults;
}

async function sendSentinel(stream: Duplex, host: string, target: string): Promise<string> {
  const bytes = Buffer.from(`GET ${target} HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
  const { bodies, statuses } = await exchangeRaw(stream, bytes, { responses: 1 });
  return bodies[0] ?? `status ${statuses[0] ?? 'none'}`;
}

async function settle(origin: RecordingOrigin): Promise<void> {
  for (let round = 0; origin.openTails > 0 && round < 100; round++) await delay(10);
}
