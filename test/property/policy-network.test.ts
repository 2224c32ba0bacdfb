/** `decideNetwork` against a naive reading of spec section 3 that resolves first and asks in its order. */
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import type { AddressGuard } from '../../src/policy/address-guard.ts';
import { decideNetwork } from '../../src/policy/decide-network.ts';
import type { Address } from '../../src/wire/address.ts';
import { parseAuthority } from '../../src/wire/host.ts';
import { bound, secret, snapshotOf } from '../policy/fixtures.ts';

const HOSTS = ['example.com', 'api.example.com', 'a.b.example.com', 'other.example'];
const ADDRESSES = ['93.184.216.34', '93.184.217.1', '1.1.1.1', '10.0.0.1'];
const PORTS = [443, 8443, 25];

/** Entry → does it name this host; does it contain this address. Written out, not computed. */
const ENTRIES: Record<string, { hosts: string[]; addresses: string[] }> = {
  'example.com': { hosts: ['example.com'], addresses: [] },
  'other.example': { hosts: ['other.example'], addresses: [] },
  '*.example.com': { hosts: ['api.example.com', 'a.b.example.com'], addresses: [] },
  '93.184.216.34': { hosts: [], addresses: ['93.184.216.34'] },
  '93.184.0.0/16': { hosts: [], addresses: ['93.184.216.34', '93.184.217.1'] },
  '0.0.0.0/0': { hosts: [], addresses: ADDRESSES },
  '::/0': { hosts: [], addresses: [] },
};

const guard: AddressGuard = {
  classify: (address) => (address.text.startsWith('10.') ? 'private' : null),
};

const entry = fc
  .tuple(fc.constantFrom(...Object.keys(ENTRIES)), fc.constantFrom(null, 443, 8443))
  .map(([text, port]) => ({ text, port }));

interface Rule {
  readonly text: string;
  readonly port: number | null;
}

function written({ text, port }: Rule): string {
  if (port === null) return text;
  return text.includes('::') ? `[${text}]:${port}` : `${text}:${port}`;
}

interface Case {
  readonly allow: readonly Rule[];
  readonly deny: readonly Rule[];
  readonly host: string;
  readonly port: number;
  readonly answers: readonly string[];
  readonly deniesByDefault: boolean;
  readonly isBound: boolean;
}

const anyCase: fc.Arbitrary<Case> = fc.record({
  allow: fc.array(entry, { maxLength: 3 }),
  deny: fc.array(entry, { maxLength: 3 }),
  host: fc.constantFrom(...HOSTS),
  port: fc.constantFrom(...PORTS),
  answers: fc.uniqueArray(fc.constantFrom(...ADDRESSES), { minLength: 1, maxLength: 3 }),
  deniesByDefault: fc.boolean(),
  isBound: fc.boolean(),
});

/** Spec section 3, step by step; true means allowed. */
function naive(given: Case): boolean {
  const allow = given.allow.filter(({ port }) => port === null || port === given.port);
  const deny = given.deny.filter(({ port }) => port === null || port === given.port);
  const names = ({ text }: Rule): boolean => ENTRIES[text]?.hosts.includes(given.host) ?? false;
  const holds = ({ text }: Rule, address: string): boolean =>
    ENTRIES[text]?.addresses.includes(address) ?? false;
  const isBoundHost = given.isBound && given.host === 'api.example.com';
  if (given.port === 25 && !isBoundHost) return false;
  if (given.answers.includes('10.0.0.1')) return false;
  if (deny.some(names)) return false;
  if (allow.some((rule) => names(rule) || given.answers.every((a) => holds(rule, a)))) return true;
  if (deny.some((rule) => given.answers.some((address) => holds(rule, address)))) return false;
  if (given.allow.length > 0) return false;
  return !given.deniesByDefault || isBoundHost;
}

test('the same verdict as the naive reading, resolved or not', () => {
  const verdicts = new Set<string>();
  fc.assert(
    fc.property(anyCase, (given) => {
      const snapshot = snapshotOf({
        sandbox: {
          network: { allowOut: given.allow.map(written), denyOut: given.deny.map(written) },
        },
        bound: given.isBound ? [bound(secret('key', { ports: [443, 25] }))] : [],
      });
      const target = parseAuthority(`${given.host}:${given.port}`, null);
      const environment = {
        guard,
        defaultVerdict: given.deniesByDefault ? ('deny' as const) : ('allow' as const),
        mode: 'enforce' as const,
        ports: [{ from: 443, to: 65_535 }],
      };
      const answers = given.answers.map((text): Address => ({ family: 4, text }));
      const decision = decideNetwork(snapshot, target, answers, environment);
      expect(decision.verdict).toBe(naive(given) ? 'allow' : 'refuse');
      expect(decision.verdict === 'allow' ? decision.addresses : answers).toEqual(answers);
      const early = decideNetwork(snapshot, target, null, environment);
      expect(early.verdict).not.toBe('allow');
      expect(early.verdict === 'refuse' && decision.verdict !== 'refuse').toBe(false);
      verdicts.add(`${early.verdict} ${decision.verdict}`);
      // Observing refuses what the guard refuses and nothing else, and names what enforcing would say.
      const observed = decideNetwork(snapshot, target, answers, {
        ...environment,
        mode: 'observe',
      });
      const isInside = given.answers.includes('10.0.0.1');
      const said = observed.verdict === 'refuse' ? observed.refusal.code : observed.observed?.code;
      const enforced = decision.verdict === 'refuse' ? decision.refusal.code : undefined;
      expect(said).toBe(isInside ? 'internal_address_denied' : enforced);
      expect(observed.verdict).toBe(isInside ? 'refuse' : 'allow');
    }),
    { numRuns: 3_000 },
  );
  expect([...verdicts].sort()).toEqual(['refuse refuse', 'resolve allow', 'resolve refuse']);
});
