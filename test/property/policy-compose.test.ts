/**
 * Properties of strip-then-set and of selection: nothing the client sent in a credential's place goes
 * upstream, nothing else is touched, and the order of bindings decides nothing.
 */
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { composeRequest } from '../../src/inject/compose-request.ts';
import { Hidden } from '../../src/kernel/hidden.ts';
import { fieldsSetBy } from '../../src/policy/claim.ts';
import { decideExchange } from '../../src/policy/decide-exchange.ts';
import type { ExchangeDecision } from '../../src/policy/decision.ts';
import type { BoundSecret } from '../../src/policy/policy-store.ts';
import type { Placement } from '../../src/secrets/auth.ts';
import { bound, head, NOW_MS, placeholderOf, secret, snapshotOf } from '../policy/fixtures.ts';

const NAMES = ['authorization', 'x-api-key', 'x-other', 'accept', 'private-token'];
const KEYS = ['key', 'token', 'q'];
const ENV_KEYS = ['S0_KEY', 'S1_KEY', 'S2_KEY', 'S3_KEY'];
const CANARY = 'not-a-real-key-canary';

/** Any letter in either case, any `-` as `_`. */
const spelling = fc
  .tuple(fc.constantFrom(...NAMES), fc.infiniteStream(fc.boolean()))
  .map(([name, choices]) =>
    name
      .split('')
      .map((char) => {
        const choice = choices.next().value;
        if (choice !== true) return char;
        return char === '-' ? '_' : char.toUpperCase();
      })
      .join(''),
  );

const base64 = (text: string): string => Buffer.from(text).toString('base64');

const fieldValue = fc.oneof(
  fc.constantFrom('', 'Bearer mine', 'x', 'client-own-credential'),
  fc.constantFrom(...ENV_KEYS).map(placeholderOf),
  fc.constantFrom(...ENV_KEYS).map((key) => `Bearer ${placeholderOf(key)}`),
  fc.constantFrom(...ENV_KEYS).map((key) => `basic ${base64(`u:${placeholderOf(key)}`)}`),
);

const fields = fc
  .array(fc.tuple(spelling, fieldValue), { maxLength: 8 })
  .map((pairs) => pairs.flat());

const query = fc
  .array(
    fc.tuple(
      fc.constantFrom(...KEYS, '%6bey', 'KEY'),
      fc.constantFrom('', '=', '=a', '=%zz', `=${placeholderOf('S0_KEY')}`),
      fc.constantFrom('&', ';'),
    ),
    { maxLength: 5 },
  )
  .map((pairs) => (pairs.length === 0 ? '' : `?${pairs.flat().join('')}`));

const placement: fc.Arbitrary<Placement> = fc.oneof(
  fc.constant({ type: 'bearer' } as const),
  fc.constant({ type: 'basic' } as const),
  spelling.map((header) => ({ type: 'api-key', header }) as const),
  spelling.map((name) => ({ type: 'custom', headers: { [name]: 'T {{ value }}' } }) as const),
  fc.constantFrom(...KEYS).map((name) => ({ type: 'query', name }) as const),
);

const boundSecret = (index: number): fc.Arbitrary<BoundSecret> =>
  fc
    .record({
      auth: placement,
      wild: fc.boolean(),
      priority: fc.integer({ min: 0, max: 1 }),
      strip: fc.array(spelling, { maxLength: 2 }),
      stripQuery: fc.array(fc.constantFrom(...KEYS), { maxLength: 1 }),
      inject: fc.constantFrom('auto', 'placeholder'),
      disabled: fc.boolean(),
      detached: fc.boolean(),
      keep: fc.boolean(),
      methods: fc.constantFrom(null, ['GET'], ['POST']),
    })
    .map((choice) =>
      bound(
        secret(`s${index}`, {
          auth: choice.auth,
          hosts: [choice.wild ? '*.example.com' : 'api.example.com'],
          priority: choice.priority,
          alsoStrip: { headers: choice.strip, query: choice.stripQuery },
          disabled: choice.disabled && index === 3,
          onExisting: choice.keep ? 'keep' : 'replace',
          methods: choice.methods,
        }),
        {
          inject: choice.inject as 'auto',
          ...(choice.detached && index === 2 ? { detachedAtMs: NOW_MS } : {}),
        },
      ),
    );

const bindings = fc
  .integer({ min: 1, max: 4 })
  .chain((count) => fc.tuple(...Array.from({ length: count }, (_, index) => boundSecret(index))));

const normalize = (name: string): string => name.toLowerCase().replaceAll('_', '-');

function pairsOf(flat: readonly string[]): [string, string][] {
  return Array.from({ length: flat.length / 2 }, (_, index) => [
    flat[2 * index] ?? '',
    flat[2 * index + 1] ?? '',
  ]);
}

function summary(decision: ExchangeDecision): string {
  if (decision.verdict === 'refuse') {
    const { code } = decision.refusal;
    // Which of several dead secrets is named first does follow the order of binding.
    return code.startsWith('credential_') ? 'credential' : code;
  }
  return decision.winners
    .map((winner) => winner.secretId)
    .sort()
    .join('+');
}

describe('composing', () => {
  test('I6: a claimed field or key of the client never leaves, everything else does, untouched', () => {
    let injected = 0;
    fc.assert(
      fc.property(bindings, fields, query, (list, fields, query) => {
        const request = head(`GET https://api.example.com/p${query}`, fields);
        const decision = decideExchange(snapshotOf({ bound: list }), request, { nowMs: NOW_MS });
        if (decision.verdict === 'refuse') return;
        const winners = decision.winners.map((winner) => ({ winner, value: new Hidden(CANARY) }));
        const composed = composeRequest({ head: request, winners, connectionOptions: [] });
        injected += winners.length;
        const claimed = new Set(decision.winners.flatMap((winner) => winner.stripFields));
        const kept = pairsOf(fields).filter(([name]) => !claimed.has(normalize(name)));
        const sent = pairsOf(composed.fields);
        expect(sent.slice(0, kept.length)).toEqual(kept);
        for (const [, value] of sent.slice(kept.length)) {
          const decoded = Buffer.from(value.replace(/^Basic /, ''), 'base64').toString();
          expect(value.includes(CANARY) || decoded.endsWith(`:${CANARY}`)).toBe(true);
        }
        const keys = new Set(decision.winners.flatMap((winner) => winner.stripQuery));
        const sentQuery = composed.target.split('?')[1] ?? '';
        const remaining = sentQuery.split(/[&;]/).filter((pair) => !pair.endsWith(`=${CANARY}`));
        for (const pair of remaining) {
          const key = decodeURIComponent(pair.split('=')[0] ?? '');
          expect(keys.has(key)).toBe(false);
        }
      }),
      { numRuns: 1_500 },
    );
    expect(injected).toBeGreaterThan(100);
  });

  test('a placeholder of this sandbox never leaves in a field or the query', () => {
    fc.assert(
      fc.property(bindings, fields, query, (list, fields, query) => {
        const request = head(`GET https://api.example.com/p${query}`, fields);
        const decision = decideExchange(snapshotOf({ bound: list }), request, { nowMs: NOW_MS });
        if (decision.verdict === 'refuse') return;
        const winners = decision.winners.map((winner) => ({ winner, value: new Hidden(CANARY) }));
        const composed = composeRequest({ head: request, winners, connectionOptions: [] });
        const text = [composed.target, ...composed.fields].join('\n');
        for (const { binding } of list) {
          expect(text).not.toContain(binding.placeholder);
          expect(text).not.toContain(base64(`u:${binding.placeholder}`));
        }
      }),
      { numRuns: 1_000 },
    );
  });
});

describe('selection', () => {
  test('does not depend on the order of bindings', () => {
    const shuffled = bindings.chain((list) =>
      fc.tuple(
        fc.constant(list),
        fc.shuffledSubarray(list, { minLength: list.length, maxLength: list.length }),
      ),
    );
    const seen = new Set<string>();
    fc.assert(
      fc.property(shuffled, fields, query, ([list, other], fields, query) => {
        const request = head(`GET https://api.example.com/p${query}`, fields);
        const one = decideExchange(snapshotOf({ bound: list }), request, { nowMs: NOW_MS });
        const two = decideExchange(snapshotOf({ bound: other }), request, { nowMs: NOW_MS });
        seen.add(summary(one));
        expect(summary(two)).toBe(summary(one));
      }),
      { numRuns: 1_500 },
    );
    expect(seen.size).toBeGreaterThan(5);
  });

  test('winners never set the same place, and tracing changes nothing', () => {
    fc.assert(
      fc.property(bindings, fields, query, (list, fields, query) => {
        const request = head(`GET https://api.example.com/p${query}`, fields);
        const snapshot = snapshotOf({ bound: list });
        const decision = decideExchange(snapshot, request, { nowMs: NOW_MS });
        const traced = decideExchange(snapshot, request, { nowMs: NOW_MS, trace: true });
        expect(summary(traced)).toBe(summary(decision));
        expect(traced.considered).toHaveLength(list.length);
        if (decision.verdict === 'refuse') return;
        const places = decision.winners.flatMap(({ placement }) =>
          placement.type === 'query' ? [`?${placement.name}`] : fieldsSetBy(placement),
        );
        expect(new Set(places).size).toBe(places.length);
      }),
      { numRuns: 500 },
    );
  });
});
