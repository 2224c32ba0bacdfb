/**
 * The file for clients that replace their trust store instead of adding to it (`SSL_CERT_FILE` and its
 * kin): the roots of the system, then ours. PEM in, PEM out.
 */

/** Either order of line ends and missing final newlines in `systemPem` do no harm. */
export function makeBundle(systemPem: string, caPem: string): string {
  return [systemPem, caPem]
    .map((pem) => pem.trim())
    .filter((pem) => pem !== '')
    .map((pem) => `${pem}\n`)
    .join('');
}
