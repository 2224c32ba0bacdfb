import { execFileSync } from 'node:child_process';
import { parseEnv } from 'node:util';
import { expect, test } from 'vitest';
import { buildSandboxEnv, caFilePaths, formatEnv } from '../../src/sandboxes/sandbox-env.ts';

const options = {
  proxyUrl: 'http://127.0.0.1:3128',
  token: 'sp_box_x',
  bindings: [{ envKey: 'KEY', placeholder: 'sallyport_p' }],
  envVars: { MINE: '1', HTTPS_PROXY: 'http://elsewhere' },
  ...caFilePaths('/run/ca/'),
};

test('every variable of the contract, nothing else', () => {
  const proxy = 'http://sandbox:sp_box_x@127.0.0.1:3128';
  const ca = '/run/ca/ca.pem';
  const bundle = '/run/ca/ca-bundle.pem';
  expect(buildSandboxEnv(options)).toEqual({
    HTTPS_PROXY: proxy,
    https_proxy: proxy,
    HTTP_PROXY: proxy,
    http_proxy: proxy,
    NO_PROXY: 'localhost,127.0.0.1,::1',
    no_proxy: 'localhost,127.0.0.1,::1',
    NODE_USE_ENV_PROXY: '1',
    GIT_HTTP_PROXY_AUTHMETHOD: 'basic',
    UV_NATIVE_TLS: '1',
    NODE_EXTRA_CA_CERTS: ca,
    DENO_CERT: ca,
    SSL_CERT_FILE: bundle,
    REQUESTS_CA_BUNDLE: bundle,
    CURL_CA_BUNDLE: bundle,
    GIT_SSL_CAINFO: bundle,
    AWS_CA_BUNDLE: bundle,
    PIP_CERT: bundle,
    CARGO_HTTP_CAINFO: bundle,
    NIX_SSL_CERT_FILE: bundle,
    GRPC_DEFAULT_SSL_ROOTS_FILE_PATH: bundle,
    CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE: bundle,
    HEX_CACERTS_PATH: bundle,
    KEY: 'sallyport_p',
    MINE: '1',
  });
});

test('behind a relay there is no token anywhere, and the JVM is told', () => {
  const env = buildSandboxEnv({ ...options, token: null, javaTrustStoreFile: '/run/ca/t.p12' });
  expect(env['HTTPS_PROXY']).toBe('http://127.0.0.1:3128');
  expect(env['JAVA_TOOL_OPTIONS']).toContain('-Dhttps.proxyHost=127.0.0.1');
  expect(env['JAVA_TOOL_OPTIONS']).toContain('-Djavax.net.ssl.trustStore=/run/ca/t.p12');
  expect(JSON.stringify(env)).not.toContain('sp_box_');
});

test('a shell takes back exactly what was given', () => {
  const given = { A: `it's "$HOME" \`id\` $(id) \\ \n two`, B: 'plain', C: '', D: '-n é !x' };
  const script = `${formatEnv(given, 'shell')}printf '%s\\0' "$A" "$B" "$C" "$D"`;
  const output = execFileSync('sh', ['-c', script], { encoding: 'utf8' });
  expect(output.split('\0').slice(0, 4)).toEqual(Object.values(given));
});

test('a dotenv reader takes back exactly what was given', () => {
  const given = {
    A: 'plain',
    B: 'two words # no comment',
    C: '$HOME \\n',
    D: 'a "b" c',
    E: 'one\ntwo',
  };
  expect(parseEnv(formatEnv(given, 'dotenv'))).toEqual(given);
});

test('json is json', () => {
  expect(JSON.parse(formatEnv({ A: '"' }, 'json'))).toEqual({ A: '"' });
});
