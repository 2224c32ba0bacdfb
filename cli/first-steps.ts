/**
 * What `serve` prints for a person: where it listens, and at the very first start the admin key with three
 * lines to paste into another shell of the same clone. A test pastes exactly these lines.
 */
interface Welcome {
  readonly proxyAddress: string;
  readonly proxyTlsAddress: string | null;
  readonly adminAddress: string;
  /** Only at the first start. */
  readonly adminKey: string | null;
  readonly isTls: boolean;
}

const SALLYPORT = 'npm run -s sallyport --';
/** A public echo that answers 200 to any bearer token and 401 to none. */
export const FIRST_HOST = 'httpbin.org';
const FIRST_URL = `https://${FIRST_HOST}/bearer`;

/** Ends with a newline. */
export function formatWelcome(welcome: Welcome): string {
  const adminUrl = `${welcome.isTls ? 'https' : 'http'}://${welcome.adminAddress}`;
  const lines = [
    `Sallyport proxy    http://${welcome.proxyAddress}`,
    ...(welcome.proxyTlsAddress === null
      ? []
      : [`           and     https://${welcome.proxyTlsAddress}`]),
    `Sallyport admin    ${adminUrl}`,
  ];
  if (welcome.adminKey !== null) {
    lines.push(
      '',
      `Admin key, shown this once:  ${welcome.adminKey}`,
      '',
      'A first request, to paste into another shell in this directory:',
      '',
      ...formatFirstSteps(adminUrl, welcome.adminKey).map((line) => `  ${line}`),
    );
  }
  lines.push('', 'Control-C stops it.');
  return `${lines.join('\n')}\n`;
}

/** Register a secret; put a sandbox's environment into this shell; make a request. */
function formatFirstSteps(adminUrl: string, adminKey: string): readonly string[] {
  const connection = `export SALLYPORT_URL=${adminUrl} SALLYPORT_API_KEY=${adminKey}`;
  return [
    `${connection}; echo not-a-real-key-1 | ${SALLYPORT} secret create first --bearer --host ${FIRST_HOST}`,
    `eval "$(${SALLYPORT} sandbox create first --secret first=FIRST_KEY --export)"`,
    `curl -i ${FIRST_URL}`,
  ];
}
