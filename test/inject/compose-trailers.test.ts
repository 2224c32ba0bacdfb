/** A credential of the client does not get past the strip by coming after the body. */
import { expect, test } from 'vitest';
import { composeTrailers } from '../../src/inject/compose-trailers.ts';
import { decideExchange } from '../../src/policy/decide-exchange.ts';
import { bound, head, NOW_MS, secret, snapshotOf } from '../policy/fixtures.ts';

test('claimed, hop-by-hop and framing trailers are left out, the rest is untouched', () => {
  const strip = { headers: ['X-Api-Key'], query: [] };
  const snapshot = snapshotOf({ bound: [bound(secret('key', { alsoStrip: strip }))] });
  const request = head('POST https://api.example.com/');
  const decision = decideExchange(snapshot, request, { nowMs: NOW_MS });
  const winners = decision.verdict === 'forward' ? decision.winners : [];
  const trailers = [
    ['X-Sum', '1'],
    ['AUTHORIZATION', 'Bearer mine'],
    ['x_api_key', 'mine'],
    ['Content-Length', '3'],
    ['Proxy-Authorization', 'x'],
    ['x-sum', '2'],
  ].flat();
  expect(composeTrailers(trailers, winners)).toEqual(['X-Sum', '1', 'x-sum', '2']);
});
