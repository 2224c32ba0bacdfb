/**
 * The environment a sandbox is given: proxy variables, trust of our certificate authority in every
 * spelling tools look for, and one variable per binding with its placeholder. Spec proxy section 10. The
 * API, `sallyport run` and `sallyport env` all take it from here.
 */

/** PEM texts: our certificate alone, and the system roots together with it. */
export interface CaMaterial {
  readonly caPem: string;
  readonly bundlePem: string;
}

export interface SandboxEnvOptions {
  /** `http://HOST:PORT` of the proxy, or of a relay that adds the token. */
  readonly proxyUrl: string;
  /** The sandbox token, the word `TOKEN` where it goes, or `null` behind a relay. */
  readonly token?: string | null;
  readonly bindings: readonly { readonly envKey: string; readonly placeholder: string }[];
  /** The admin's own variables; ours win. */
  readonly envVars: Readonly<Record<string, string>>;
  readonly caFile: string;
  readonly bundleFile: string;
  /** For clients that cannot authenticate to a proxy: only behind a relay. */
  readonly javaTrustStoreFile?: string | null;
}

/** Where `env` of the API expects the files unless it is told another `ca_dir`. */
export const DEFAULT_CA_DIR = '/etc/sallyport';

/** The two files that belong to the variables, in `caDir`. */
export function caFilePaths(caDir: string): { caFile: string; bundleFile: string } {
  const directory = caDir === '/' ? '' : caDir.replace(/\/+$/, '');
  return { caFile: `${directory}/ca.pem`, bundleFile: `${directory}/ca-bundle.pem` };
}

const NO_PROXY = 'localhost,127.0.0.1,::1';
const PROXY_NAMES = ['HTTPS_PROXY', 'https_proxy', 'HTTP_PROXY', 'http_proxy'];
/** These add to the roots a program has. */
const CA_NAMES = ['NODE_EXTRA_CA_CERTS', 'DENO_CERT'];
/** These replace them, so they need the system roots too. */
const BUNDLE_NAMES = [
  'SSL_CERT_FILE',
  'REQUESTS_CA_BUNDLE',
  'CURL_CA_BUNDLE',
  'GIT_SSL_CAINFO',
  'AWS_CA_BUNDLE',
  'PIP_CERT',
  'CARGO_HTTP_CAINFO',
  'NIX_SSL_CERT_FILE',
  'GRPC_DEFAULT_SSL_ROOTS_FILE_PATH',
  'CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE',
  'HEX_CACERTS_PATH',
];
const FIXED_VARIABLES: Readonly<Record<string, string>> = {
  NO_PROXY,
  no_proxy: NO_PROXY,
  NODE_USE_ENV_PROXY: '1',
  GIT_HTTP_PROXY_AUTHMETHOD: 'basic',
  UV_NATIVE_TLS: '1',
};

const RESERVED_NAMES: ReadonlySet<string> = new Set([
  ...PROXY_NAMES,
  ...CA_NAMES,
  ...BUNDLE_NAMES,
  ...Object.keys(FIXED_VARIABLES),
  'JAVA_TOOL_OPTIONS',
]);

/** Is this variable ours to set? */
export function isReservedEnvKey(name: string): boolean {
  return RESERVED_NAMES.has(name);
}

/** The complete map. Pure. */
export function buildSandboxEnv(options: SandboxEnvOptions): Record<string, string> {
  const proxy = proxyUrlWithToken(options.proxyUrl, options.token ?? null);
  const env: Record<string, string> = { ...options.envVars };
  for (const { envKey, placeholder } of options.bindings) env[envKey] = placeholder;
  for (const name of PROXY_NAMES) env[name] = proxy;
  Object.assign(env, FIXED_VARIABLES);
  for (const name of CA_NAMES) env[name] = options.caFile;
  for (const name of BUNDLE_NAMES) env[name] = options.bundleFile;
  if (options.javaTrustStoreFile) {
    env['JAVA_TOOL_OPTIONS'] = javaOptions(options.proxyUrl, options.javaTrustStoreFile);
  }
  return env;
}

/** `http://sandbox:TOKEN@HOST:PORT`. Tokens are base64url, so nothing needs escaping. */
function proxyUrlWithToken(proxyUrl: string, token: string | null): string {
  if (token === null) return proxyUrl;
  return proxyUrl.replace('://', `://sandbox:${token}@`);
}

/** The JVM reads no proxy variable and never authenticates to a proxy for tunnels. */
function javaOptions(proxyUrl: string, trustStoreFile: string): string {
  const { hostname, port } = new URL(proxyUrl);
  const host = hostname.replace(/^\[|\]$/g, '');
  return [
    `-Dhttp.proxyHost=${host}`,
    `-Dhttp.proxyPort=${port}`,
    `-Dhttps.proxyHost=${host}`,
    `-Dhttps.proxyPort=${port}`,
    '-Dhttp.nonProxyHosts=localhost|127.*|[::1]',
    `-Djavax.net.ssl.trustStore=${trustStoreFile}`,
  ].join(' ');
}

export type EnvFormat = 'json' | 'shell' | 'dotenv';

/**
 * The map as text that a shell, a dotenv reader or a program takes in: nothing in a value is expanded.
 */
export function formatEnv(env: Readonly<Record<string, string>>, format: EnvFormat): string {
  if (format === 'json') return `${JSON.stringify(env, null, 2)}\n`;
  const prefix = format === 'shell' ? 'export ' : '';
  const quote = format === 'shell' ? quoteForShell : quoteForDotenv;
  return Object.entries(env)
    .map(([name, value]) => `${prefix}${name}=${quote(value)}\n`)
    .join('');
}

/** POSIX single quotes: everything is literal but the quote itself. */
function quoteForShell(value: string): string {
  return /^[\w@%+=:,./-]+$/.test(value) ? value : `'${value.replaceAll("'", String.raw`'\''`)}'`;
}

/** Single quotes are literal in every dialect; only a quote or a line end needs the other form. */
function quoteForDotenv(value: string): string {
  if (/^[\w@%+=:,./-]+$/.test(value)) return value;
  if (!/['\r\n]/.test(value)) return `'${value}'`;
  const escaped = value
    .replaceAll('\\', '\\\\')
    .replaceAll('"', '\\"')
    .replaceAll('$', '\\$')
    .replaceAll('\n', '\\n')
    .replaceAll('\r', '\\r');
  return `"${escaped}"`;
}
