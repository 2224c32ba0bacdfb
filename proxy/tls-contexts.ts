/**
 * Which certificate the TLS listener shows: the operator's, whatever name is asked for; or a leaf of our own
 * CA for one of the configured names, minted and renewed like those of interceptions.
 */
import { createSecureContext } from 'node:tls';
import type { Host } from '../src/wire/host.ts';
import type { LeafContexts } from './leaf-contexts.ts';
import type { ContextChoice } from './tls-listener.ts';

/** Throws what OpenSSL says of a pair that is none. */
export function givenCertificate(certPem: string, keyPem: string): ContextChoice {
  const context = createSecureContext({ cert: certPem, key: keyPem, minVersion: 'TLSv1.2' });
  return () => context;
}

/** `first` is shown to whoever asks for none of the hosts. */
export function mintedCertificates(
  leaves: LeafContexts,
  first: Host,
  others: readonly Host[],
): ContextChoice {
  const byName = new Map(others.map((host) => [host.text, host]));
  return (name) => leaves.contextFor(byName.get(name.toLowerCase().replace(/\.$/, '')) ?? first);
}
