/**
 * The closed table of codes (proxy section 11), row by row, as a client sees it: status, reason phrase on
 * CONNECT, Proxy-Status, the JSON body, and whether a retry can help.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { mintCanary } from '../support/canary.ts';
import { dialProxy, openTunnel, proxyAuthorization, sendConnect } from '../support/client.ts';
import type { RawResponse } from '../support/client.ts';
import { eventually } from '../support/eventually.ts';
import { Origin } from '../support/origin.ts';
import { slow } from '../support/origin-replies.ts';
import { startProduct } from '../support/product.ts';
import type { Product, SandboxPlan, TestSandbox } from '../support/product.ts';
import { RawOrigin } from '../support/raw-origin.ts';
import { TestAuthority } from '../support/test-authority.ts';

const authority = new TestAuthority();
const value = mintCanary();
const NAMES = [
  'api.example.test',
  'other.example.test',
  'plain.example.test',
  'expired.example.test',
  'garbage.example.test',
  'down.example.test',
  'untrusted.example.test',
];
let origin: Origin;
let garbage: RawOrigin;
let untrusted: Origin;
let product: Product;

beforeAll(async () => {
  const leaf = authority.mintLeaf(NAMES);
  origin = await Origin.start({ leaf, handlers: { '/slow': slow(4_000) } });
  const scripts = [[{ await: '\r\n\r\n' }, { send: 'this is not HTTP\r\n\r\n' }]];
  garbage = await RawOrigin.start({ leaf, scripts });
  untrusted = await Origin.start({ leaf: new TestAuthority().mintLeaf(NAMES) });
  product = await startProduct({
    originCa: authority.caPem,
    hosts: {
      'api.example.test': origin.address,
      'other.example.test': origin.address,
      'plain.example.test': origin.address,
      'expired.example.test': origin.address,
      'garbage.example.test': garbage.address,
      'down.example.test': '127.0.0.1:1',
      'untrusted.example.test': untrusted.address,
      'private.example.test': '10.1.2.3',
      'metadata.example.test': '169.254.169.254',
    },
    settings: {
      egress: { dns: { servers: ['127.0.0.1:9'] } },
      limits: {
        response_head_timeout_ms: 1_500,
        head_timeout_ms: 1_500,
        dns_timeout_ms: 500,
        connections_per_sandbox_max: 12,
      },
    },
  });
  const hosts = ['api.example.test', 'garbage.example.test', 'down.example.test'];
  const auth = { type: 'bearer' };
  const all = [...hosts, 'untrusted.example.test'];
  await product.createSecret('api', value, { auth, hosts: all, methods: ['GET', 'POST', 'TRACE'] });
});

afterAll(async () => {
  await product[Symbol.asyncDispose]();
  await Promise.all([origin.close(), garbage.close(), untrusted.close()]);
});

const createSandbox = (more: SandboxPlan = {}): Promise<TestSandbox> =>
  product.createSandbox({ secrets: { KEY: 'api' }, ...more });

interface Expected {
  readonly code: string;
  readonly status: number;
  readonly proxyError: string;
  readonly retryable: boolean;
}

/** Everything section 11 says about one refusal. */
function expectRefusal(response: RawResponse, expected: Expected): void {
  const { code, status, proxyError, retryable } = expected;
  expect({ status: response.status, text: response.text() }).toMatchObject({ status });
  const proxyStatus = `sallyport; error=${proxyError}; details="${code}"`;
  expect(response.field('proxy-status')).toBe(proxyStatus);
  expect(response.field('cache-control')).toBe('no-store');
  const body = response.json() as { error: Record<string, unknown>; message: string };
  expect(body.error).toMatchObject({ type: 'sallyport_refusal', code, retryable });
  expect(body.error['message']).toBe(body.message);
  expect(body.error['hint']).toMatch(/\w/);
  expect(body.error['request_id']).toMatch(/\w/);
  const advice = [response.field('x-should-retry'), response.field('retry-after') !== undefined];
  expect(advice).toEqual(retryable ? [undefined, true] : ['false', false]);
}

const denied = (code: string, status = 403): Expected => ({
  code,
  status,
  proxyError: 'http_request_denied',
  retryable: false,
});

async function refusedConnect(sandbox: TestSandbox, target: string): Promise<RawResponse> {
  using answer = await sendConnect({
    proxy: product.proxy,
    authority: target,
    token: sandbox.token,
  });
  return answer.response;
}

describe('on the CONNECT, the reason phrase is the code', () => {
  test('proxy_auth_required, and the connection serves the next CONNECT', async () => {
    const sandbox = await createSandbox();
    using bare = await sendConnect({ proxy: product.proxy, authority: 'api.example.test:443' });
    expect(bare.response.reason).toBe('proxy_auth_required');
    expectRefusal(bare.response, denied('proxy_auth_required', 407));
    expect(bare.response.field('proxy-authenticate')).toBe('Basic realm="sallyport"');
    expect(bare.response.field('content-length')).toBe(String(bare.response.body.length));
    const plan = { proxy: product.proxy, authority: 'api.example.test:443', token: sandbox.token };
    const second = await sendConnect(plan, bare.connection);
    expect(second.response.status).toBe(200);
  });

  const targets: readonly [string, string, SandboxPlan, Expected][] = [
    [
      'host_denied',
      'plain.example.test:443',
      { network: { deny_out: ['plain.example.test'] } },
      denied('host_denied'),
    ],
    [
      'host_not_allowed',
      'plain.example.test:443',
      { network: { allow_out: ['api.example.test'] } },
      denied('host_not_allowed'),
    ],
    ['port_denied', 'plain.example.test:25', {}, denied('port_denied')],
    [
      'internal_address_denied, private',
      'private.example.test:443',
      {},
      { ...denied('internal_address_denied'), proxyError: 'destination_ip_prohibited' },
    ],
    [
      'internal_address_denied, metadata',
      'metadata.example.test:443',
      {},
      { ...denied('internal_address_denied'), proxyError: 'destination_ip_prohibited' },
    ],
    [
      'dns_failed',
      'nowhere.example.test:443',
      {},
      { code: 'dns_failed', status: 502, proxyError: 'dns_error', retryable: true },
    ],
    [
      'bad_request',
      'fe80::1%eth0:443',
      {},
      { code: 'bad_request', status: 400, proxyError: 'http_request_error', retryable: false },
    ],
  ];
  test.each(targets)('%s', async (_name, target, more, expected) => {
    const response = await refusedConnect(await createSandbox(more), target);
    expect(response.reason).toBe(expected.code);
    const proxyError = response.field('proxy-status')?.includes('dns_timeout') === true;
    expectRefusal(response, proxyError ? { ...expected, proxyError: 'dns_timeout' } : expected);
    expect(response.text()).not.toContain('10.1.2.3');
    expect(response.text()).not.toContain('169.254');
  });

  test('upstream_unreachable on a tunnel that is not intercepted: dialled before the 200', async () => {
    await product.createSandbox();
    const bare = await product.createSandbox();
    const response = await refusedConnect(bare, 'down.example.test:443');
    expect(response.reason).toBe('upstream_unreachable');
    const code = 'upstream_unreachable';
    const proxyError = 'connection_refused';
    expectRefusal(response, { code, status: 502, proxyError, retryable: true });
  });

  test('sandbox_paused', async () => {
    const sandbox = await createSandbox();
    await product.admin.must('POST', `/sandboxes/${sandbox.id}/pause`);
    const response = await refusedConnect(sandbox, 'api.example.test:443');
    expect(response.reason).toBe('sandbox_paused');
    expectRefusal(response, denied('sandbox_paused'));
  });

  test('an expired sandbox is asked to authenticate', async () => {
    const sandbox = await createSandbox({ more: { ttl_seconds: 1 } });
    await eventually(async () => {
      const response = await refusedConnect(sandbox, 'api.example.test:443');
      expect(response.reason).toBe('proxy_auth_required');
    }, 5_000);
  });

  test('too_many_connections, of this sandbox only', async () => {
    const [greedy, modest] = [await createSandbox(), await createSandbox()];
    const plan = { proxy: product.proxy, authority: 'plain.example.test:443' };
    const answers = [];
    for (let i = 0; i < 13; i += 1) {
      answers.push(await sendConnect({ ...plan, token: greedy.token }));
    }
    const last = answers.at(-1)?.response;
    expect(answers.slice(0, 12).every(({ response }) => response.status === 200)).toBe(true);
    expect(last?.reason).toBe('too_many_connections');
    using other = await sendConnect({ ...plan, token: modest.token });
    expect(other.response.status).toBe(200);
    for (const answer of answers) answer[Symbol.dispose]();
  });
});

describe('inside the tunnel', () => {
  const badRequest: Expected = {
    code: 'bad_request',
    status: 400,
    proxyError: 'http_request_error',
    retryable: false,
  };
  const head = 'Host: api.example.test\r\n';
  const raws: readonly [string, string, Expected][] = [
    [
      'bad_request: Content-Length with Transfer-Encoding',
      `POST / HTTP/1.1\r\n${head}Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
      badRequest,
    ],
    ['bad_request: two Host', `GET / HTTP/1.1\r\n${head}${head}\r\n`, badRequest],
    [
      'header_too_large: fields',
      `GET / HTTP/1.1\r\n${head}${'X-A: 1\r\n'.repeat(300)}\r\n`,
      { ...badRequest, code: 'header_too_large', status: 431 },
    ],
    [
      'header_too_large: bytes',
      `GET / HTTP/1.1\r\n${head}X-A: ${'a'.repeat(70_000)}\r\n\r\n`,
      { ...badRequest, code: 'header_too_large', status: 431 },
    ],
    [
      'method_not_allowed: TRACE',
      `TRACE / HTTP/1.1\r\n${head}\r\n`,
      denied('method_not_allowed', 405),
    ],
    [
      'method_not_allowed: CONNECT',
      `CONNECT api.example.test:443 HTTP/1.1\r\n${head}\r\n`,
      denied('method_not_allowed', 405),
    ],
    [
      'misdirected_request: Host',
      'GET / HTTP/1.1\r\nHost: other.example.test\r\n\r\n',
      { ...badRequest, code: 'misdirected_request', status: 421 },
    ],
    [
      'misdirected_request: absolute-form',
      `GET https://other.example.test/ HTTP/1.1\r\n${head}\r\n`,
      { ...badRequest, code: 'misdirected_request', status: 421 },
    ],
    [
      'credential_not_permitted',
      `DELETE / HTTP/1.1\r\n${head}\r\n`,
      denied('credential_not_permitted'),
    ],
  ];
  test.each(raws)('%s', async (_name, raw, expected) => {
    origin.clear();
    const sandbox = await createSandbox();
    using tunnel = await product.openTunnel(sandbox, 'api.example.test:443');
    expectRefusal(await tunnel.request(raw), expected);
    expect(origin.requests).toEqual([]);
  });

  test('request_timeout: a head that never ends (slow loris)', async () => {
    const sandbox = await createSandbox();
    using tunnel = await product.openTunnel(sandbox, 'api.example.test:443');
    tunnel.send('GET / HTTP/1.1\r\nHost: api.exam');
    const answer = await tunnel.readResponse();
    expect(answer.status).toBe(408);
    await tunnel.reader.waitForEnd();
  });

  const upstream: readonly [string, string, Expected][] = [
    [
      'upstream_unreachable',
      'down.example.test',
      {
        code: 'upstream_unreachable',
        status: 502,
        proxyError: 'connection_refused',
        retryable: true,
      },
    ],
    [
      'upstream_tls_failed',
      'untrusted.example.test',
      {
        code: 'upstream_tls_failed',
        status: 502,
        proxyError: 'tls_certificate_error',
        retryable: false,
      },
    ],
    [
      'upstream_protocol_error',
      'garbage.example.test',
      {
        code: 'upstream_protocol_error',
        status: 502,
        proxyError: 'http_protocol_error',
        retryable: false,
      },
    ],
  ];
  test.each(upstream)('%s', async (_name, host, expected) => {
    const sandbox = await createSandbox();
    using tunnel = await product.openTunnel(sandbox, `${host}:443`);
    expectRefusal(await tunnel.request({ path: '/' }), expected);
    expect(untrusted.requests).toEqual([]);
    await product.assertNoLeak(value);
  });

  test('upstream_timeout', async () => {
    const sandbox = await createSandbox();
    using tunnel = await product.openTunnel(sandbox, 'api.example.test:443');
    const answer = await tunnel.request({ path: '/slow' });
    expect(answer.status).toBe(504);
    const proxyError = 'http_response_timeout';
    expectRefusal(answer, { code: 'upstream_timeout', status: 504, proxyError, retryable: true });
  });
});

describe('of secrets', () => {
  test('credential_host_mismatch: the placeholder on another intercepted host', async () => {
    const more = { auth: { type: 'bearer' }, hosts: ['other.example.test'] };
    await product.createSecret('other', mintCanary(), more);
    const sandbox = await createSandbox({ secrets: { KEY: 'api', OTHER: 'other' } });
    using tunnel = await product.openTunnel(sandbox, 'other.example.test:443');
    const fields = ['X-Token', sandbox.placeholders['KEY'] ?? ''];
    const answer = await tunnel.request({ path: '/', fields });
    expect(answer.status).toBe(403);
    expectRefusal(answer, denied('credential_host_mismatch'));
  });

  test('ambiguous_secret names the secrets, and the placeholder decides', async () => {
    const more = { auth: { type: 'bearer' }, hosts: ['api.example.test'] };
    await product.createSecret('twin', mintCanary(), more);
    const sandbox = await createSandbox({ secrets: { KEY: 'api', TWIN: 'twin' } });
    using tunnel = await product.openTunnel(sandbox, 'api.example.test:443');
    const answer = await tunnel.request({ path: '/' });
    expect(answer.status).toBe(403);
    expectRefusal(answer, denied('ambiguous_secret'));
    expect(answer.text()).toMatch(/api.*twin|twin.*api/);
    const fields = ['Authorization', `Bearer ${sandbox.placeholders['TWIN'] ?? ''}`];
    expect((await tunnel.request({ path: '/', fields })).status).toBe(200);
  });

  test('plaintext_refused: a placeholder over http://', async () => {
    const sandbox = await createSandbox();
    using connection = await dialProxy(product.proxy);
    const credentials = proxyAuthorization(sandbox.token);
    const fields = ['Host', 'api.example.test', 'Proxy-Authorization', credentials];
    const answer = await connection.request({
      path: 'http://api.example.test/',
      fields: [...fields, 'Authorization', `Bearer ${sandbox.placeholders['KEY'] ?? ''}`],
    });
    expect(answer.status).toBe(403);
    expectRefusal(answer, denied('plaintext_refused'));
  });

  test('credential_revoked, credential_disabled, credential_expired', async () => {
    const more = { auth: { type: 'bearer' }, hosts: ['expired.example.test'] };
    await product.createSecret('fading', mintCanary(), more);
    const sandbox = await product.createSandbox({ secrets: { FADING: 'fading' } });
    using tunnel = await product.openTunnel(sandbox, 'expired.example.test:443');
    const ask = (): Promise<RawResponse> => tunnel.request({ path: '/' });
    expect((await ask()).status).toBe(200);
    await product.admin.must('PATCH', '/secrets/fading', { disabled: true });
    expectRefusal(await ask(), denied('credential_disabled', 503));
    const expiresAt = new Date(Date.now() + 700).toISOString();
    await product.admin.must('PATCH', '/secrets/fading', {
      disabled: false,
      expires_at: expiresAt,
    });
    await delay(1_000);
    expectRefusal(await ask(), denied('credential_expired', 503));
    await product.admin.must('DELETE', '/secrets/fading');
    expectRefusal(await ask(), denied('credential_revoked', 503));
  });
});

describe('shapes of a refusal', () => {
  test('text for git and for who accepts no JSON', async () => {
    const sandbox = await createSandbox();
    using tunnel = await product.openTunnel(sandbox, 'api.example.test:443');
    for (const fields of [
      ['User-Agent', 'git/2.39.5'],
      ['Accept', 'text/html'],
    ]) {
      const answer = await tunnel.request({ method: 'DELETE', path: '/', fields });
      expect(answer.status).toBe(403);
      expect(answer.field('content-type')).toMatch(/^text\/plain/);
      expect(answer.text()).toContain('credential_not_permitted');
    }
  });

  test('a tunnel survives a refusal that is not about framing', async () => {
    const sandbox = await createSandbox();
    using tunnel = await product.openTunnel(sandbox, 'api.example.test:443');
    expect((await tunnel.request({ method: 'DELETE', path: '/' })).status).toBe(403);
    expect((await tunnel.request({ path: '/' })).status).toBe(200);
  });
});

describe('what only the audit sees', () => {
  async function waitForCode(sandbox: TestSandbox, code: string): Promise<void> {
    await eventually(async () => {
      const path = `/sandboxes/${sandbox.id}/network`;
      expect(JSON.stringify(await product.admin.must('GET', path))).toContain(`"${code}"`);
    });
  }

  test('not_tls', async () => {
    const sandbox = await createSandbox();
    const plan = { proxy: product.proxy, authority: 'api.example.test:443', token: sandbox.token };
    using answer = await sendConnect(plan);
    answer.connection.send('SSH-2.0-OpenSSH_9.2\r\n');
    await answer.connection.reader.waitForEnd();
    await expect(waitForCode(sandbox, 'not_tls')).resolves.toBeUndefined();
  });

  test('sni_mismatch', async () => {
    const sandbox = await createSandbox();
    const plan = { proxy: product.proxy, authority: 'api.example.test:443', token: sandbox.token };
    const wrong = openTunnel({ ...plan, ca: product.caPem, serverName: 'other.example.test' });
    await expect(wrong).rejects.toThrow(/handshake|disconnected|alert|ECONNRESET/);
    await expect(waitForCode(sandbox, 'sni_mismatch')).resolves.toBeUndefined();
  });

  test('client_tls_failed: a client that does not trust our CA', async () => {
    const sandbox = await createSandbox();
    const plan = { proxy: product.proxy, authority: 'api.example.test:443', token: sandbox.token };
    await expect(openTunnel({ ...plan, ca: authority.caPem })).rejects.toThrow(/certificate/);
    await expect(waitForCode(sandbox, 'client_tls_failed')).resolves.toBeUndefined();
  });
});

test('I3: after all of this the value is nowhere', async () => {
  await expect(product.assertNoLeak(value)).resolves.toBeUndefined();
});
