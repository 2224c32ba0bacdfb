/** The listener over TLS put together: the operator's certificate, or leaves of our own CA. */
import { readFileSync } from 'node:fs';
import type { LeafContexts } from '../proxy/leaf-contexts.ts';
import type { TlsListenPlan } from '../proxy/start-proxy.ts';
import { givenCertificate, mintedCertificates } from '../proxy/tls-contexts.ts';
import type { ContextChoice } from '../proxy/tls-listener.ts';
import { StartError } from '../src/kernel/errors.ts';
import type { ProxyTlsSettings, Settings } from '../src/settings/settings.ts';
import { parseHost } from '../src/wire/host.ts';

/** `null`: there is none. StartError for a certificate or key that cannot be used. */
export function composeProxyTls(settings: Settings, leaves: LeafContexts): TlsListenPlan | null {
  const { tls } = settings.proxy;
  if (tls === null) return null;
  return { ...tls.listen, names: tls.names, contextFor: chooseContext(tls, leaves) };
}

function chooseContext({ files, names }: ProxyTlsSettings, leaves: LeafContexts): ContextChoice {
  if (files !== null) return readCertificate(files);
  const [first, ...others] = names.map(parseHost);
  if (first === undefined) throw new Error('the settings made sure of a name');
  return mintedCertificates(leaves, first, others);
}

function readCertificate(files: NonNullable<ProxyTlsSettings['files']>): ContextChoice {
  try {
    const certPem = readFileSync(files.certFile, 'utf8');
    return givenCertificate(certPem, readFileSync(files.keyFile, 'utf8'));
  } catch (error) {
    throw new StartError(
      'The certificate or key of proxy.tls cannot be used.',
      'Check that proxy.tls.cert_file and proxy.tls.key_file are readable PEM files and belong together.',
      { cause: error },
    );
  }
}
