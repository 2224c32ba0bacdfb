/** Hosts that leaves must work for, each for a reason that broke somebody's proxy. */
import type { Host } from '../../src/wire/host.ts';

const LONG_LABEL = 'a'.repeat(63);

export const LEAF_HOSTS: readonly Host[] = [
  { kind: 'name', text: 'api.example.com' },
  // A CN over 64 characters cannot be minted: the name is in the SAN alone.
  { kind: 'name', text: `${LONG_LABEL}.${LONG_LABEL}.example.com` },
  { kind: 'name', text: 'xn--bcher-kva.example' },
  { kind: 'name', text: 'under_score.example.com' },
  { kind: 'name', text: 'localhost' },
  { kind: 'ipv4', text: '192.0.2.7' },
  { kind: 'ipv6', text: '2001:db8::7' },
];
