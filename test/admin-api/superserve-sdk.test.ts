/**
 * The unmodified `@superserve/sdk` from npm against a real port: every secrets, provider, sandbox,
 * attach/detach and network-log method, and the examples of its documentation.
 */
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startAdmin, type AdminListener } from '../../admin-api/start.ts';
import { DEFAULT_LIMITS } from '../../src/kernel/limits.ts';
import { startAdminFixture, type AdminFixture } from './admin-fixture.ts';

// Its types are not at hand where only the checks run: `test/sdk` is installed before the tests.
// oxlint-disable-next-line typescript/no-explicit-any
let sdk: any;
let admin: AdminFixture;
let listener: AdminListener;
let connection: { apiKey: string; baseUrl: string };

beforeAll(async () => {
  const folder = path.join(import.meta.dirname, '../sdk/node_modules/@superserve/sdk');
  sdk = await import(path.join(folder, 'dist/index.js'));
  admin = await startAdminFixture();
  listener = await startAdmin({
    handler: admin.handler,
    listen: { host: '127.0.0.1', port: 0 },
    logger: admin.deps.logger,
    limits: DEFAULT_LIMITS,
  });
  connection = { apiKey: admin.key, baseUrl: `http://${listener.address}` };
});
afterAll(async () => {
  await listener.close();
  await admin[Symbol.asyncDispose]();
});

const VALUE = 'not-a-real-value-0001';

describe('Secret', () => {
  test('create, get, list, getInfo, rotate, getSandboxes, getAudit, delete', async () => {
    const secret = await sdk.Secret.create({
      ...connection,
      name: 'openai-prod',
      value: VALUE,
      provider: 'openai',
    });
    expect(secret).toMatchObject({
      name: 'openai-prod',
      authType: 'bearer',
      authConfig: {},
      providerShortcut: 'openai',
      hosts: ['api.openai.com'],
      lastUsedAt: undefined,
    });
    expect(secret.createdAt).toBeInstanceOf(Date);
    const found = await sdk.Secret.get('openai-prod', connection);
    expect(found.id).toBe(secret.id);
    const list = await sdk.Secret.list(connection);
    expect(list.map((one: { name: string }) => one.name)).toEqual(['openai-prod']);
    const rotated = await secret.rotate('not-a-real-value-0002');
    expect(rotated.id).toBe(secret.id);
    expect(await secret.getInfo()).toMatchObject({ name: 'openai-prod' });
    expect(await secret.getSandboxes()).toEqual([]);
    expect(await secret.getAudit({ limit: 10, before: 99, status: 'errors' })).toEqual([]);
    await secret.delete();
    await secret.delete();
    await sdk.Secret.deleteByName('openai-prod', connection);
    await expect(sdk.Secret.get('openai-prod', connection)).rejects.toBeInstanceOf(
      sdk.NotFoundError,
    );
  });

  test('the custom auth of its documentation', async () => {
    const linear = await sdk.Secret.create({
      ...connection,
      name: 'linear-key',
      value: VALUE,
      hosts: ['api.linear.app'],
      auth: { type: 'api-key', header: 'Authorization' },
    });
    expect(linear).toMatchObject({ authType: 'api-key', authConfig: { header: 'Authorization' } });
    const perHost = [
      { hosts: ['api.github.com'], type: 'bearer' },
      { hosts: ['github.com'], type: 'basic', username: 'x-access-token' },
    ];
    const github = await sdk.Secret.create({
      ...connection,
      name: 'github-token',
      value: VALUE,
      hosts: ['api.github.com', 'github.com'],
      auth: { perHost },
    });
    expect(github).toMatchObject({ authType: 'per_host', authConfig: { per_host: perHost } });
  });

  test('its errors are the typed ones', async () => {
    const options = { ...connection, name: 'x', value: VALUE };
    await expect(sdk.Secret.create(options)).rejects.toMatchObject({
      name: 'ValidationError',
      code: 'bad_request',
    });
    const taken = { ...options, name: 'taken', provider: 'xai' };
    await sdk.Secret.create(taken);
    await expect(sdk.Secret.create(taken)).rejects.toMatchObject({ name: 'ConflictError' });
    const anonymous = { ...taken, apiKey: 'sp_live_unknown' };
    await expect(sdk.Secret.create(anonymous)).rejects.toMatchObject({
      name: 'AuthenticationError',
      statusCode: 401,
    });
  });
});

test('Provider.list: the catalogue, with the shapes of the published client', async () => {
  const providers = await sdk.Provider.list(connection);
  expect(providers.length).toBeGreaterThan(100);
  expect(providers.find(({ name }: { readonly name: string }) => name === 'anthropic')).toEqual({
    name: 'anthropic',
    display: 'Anthropic',
    authType: 'api-key',
    authConfig: { header: 'x-api-key' },
    hosts: ['api.anthropic.com'],
    tokenShape: 'sk-ant-api03-...',
  });
});

describe('Sandbox', () => {
  test('create as documented, connect, list, update, pause, resume, kill', async () => {
    await sdk.Secret.create({ ...connection, name: 'openai', value: VALUE, provider: 'openai' });
    const sandbox = await sdk.Sandbox.create({
      ...connection,
      name: 'data-analyzer',
      timeoutSeconds: 3600,
      metadata: { env: 'prod', owner: 'agent-7' },
      envVars: { LOG_LEVEL: 'debug' },
      secrets: { OPENAI_API_KEY: 'openai' },
      network: { allowOut: ['api.openai.com', '*.github.com'], denyOut: ['0.0.0.0/0'] },
    });
    expect(await sandbox.getInfo()).toMatchObject({
      status: 'active',
      timeoutSeconds: 3600,
      metadata: { env: 'prod', owner: 'agent-7' },
      network: { allowOut: ['api.openai.com', '*.github.com'], denyOut: ['0.0.0.0/0'] },
      secrets: [{ envKey: 'OPENAI_API_KEY', secretName: 'openai', revoked: false }],
    });
    const connected = await sdk.Sandbox.connect(sandbox.id, connection);
    expect(connected.id).toBe(sandbox.id);
    const found = await sdk.Sandbox.list({ ...connection, metadata: { env: 'prod' } });
    expect(found.map((one: { id: string }) => one.id)).toEqual([sandbox.id]);
    await sandbox.update({
      metadata: { env: 'test' },
      autoDeleteSeconds: 60,
      timeoutSeconds: null,
      network: { allowOut: ['api.anthropic.com', 'api.openai.com'], denyOut: ['0.0.0.0/0'] },
    });
    await sandbox.pause();
    const paused = await sandbox.getInfo();
    expect(paused).toMatchObject({ status: 'paused', metadata: { env: 'test' } });
    expect(paused.autoDeleteAt).toBeInstanceOf(Date);
    await expect(sandbox.pause()).rejects.toBeInstanceOf(sdk.ConflictError);
    await sdk.Sandbox.updateById(sandbox.id, { autoDeleteSeconds: null }, connection);
    await sandbox.resume();
    expect(await sandbox.getInfo()).toMatchObject({ status: 'active', timeoutSeconds: undefined });
    await sandbox.kill();
    await sandbox.kill();
    await sdk.Sandbox.killById(sandbox.id, connection);
    await expect(sandbox.getInfo()).rejects.toBeInstanceOf(sdk.NotFoundError);
  });

  test.each([
    { name: 'my-sandbox' },
    { name: 'my-sandbox', fromTemplate: 'superserve/python-3.11' },
    { name: 'run-1', fromTemplate: { id: '3c90c3cc-0d44-4b50-8888-8dd25736052a' } },
    { name: 'run-2', fromSnapshot: '3c90c3cc-0d44-4b50-8888-8dd25736052a', autoDeleteSeconds: 0 },
    {
      name: 'restricted',
      network: {
        allowOut: ['api.openai.com', '*.github.com', '140.82.112.0/20'],
        denyOut: ['0.0.0.0/0'],
      },
    },
  ])('create %j', async (options) => {
    const sandbox = await sdk.Sandbox.create({ ...connection, ...options });
    expect(sandbox).toMatchObject({ name: options.name, status: 'active' });
  });

  test('an unknown secret is a validation error', async () => {
    const options = { ...connection, name: 'x', secrets: { KEY: 'nobody' } };
    await expect(sdk.Sandbox.create(options)).rejects.toMatchObject({
      name: 'ValidationError',
      code: 'secret_not_found',
    });
  });

  test('attachSecret, detachSecret, and who is bound', async () => {
    const options = { ...connection, name: 'attached', value: VALUE, provider: 'stripe' };
    const secret = await sdk.Secret.create(options);
    const sandbox = await sdk.Sandbox.create({ ...connection, name: 'box' });
    await sandbox.attachSecret('STRIPE_KEY', 'attached');
    expect(await secret.getSandboxes()).toEqual([
      { sandboxId: sandbox.id, sandboxName: 'box', envKey: 'STRIPE_KEY', status: 'active' },
    ]);
    await expect(sandbox.attachSecret('STRIPE_KEY', 'attached')).rejects.toBeInstanceOf(
      sdk.ConflictError,
    );
    await sandbox.detachSecret('STRIPE_KEY');
    expect(await secret.getSandboxes()).toEqual([]);
  });

  test('the network log and the audit, as its types say', async () => {
    const options = { ...connection, name: 'logged', value: VALUE, provider: 'stripe' };
    const secret = await sdk.Secret.create(options);
    const sandbox = await sdk.Sandbox.create({ ...connection, name: 'logged-box' });
    const organization = await admin.store.organizations.readOrganization('default');
    const common = {
      organizationId: organization?.id ?? '',
      sandboxId: sandbox.id as string,
      requestId: 'r',
      host: 'api.stripe.com',
      port: 443,
      code: null,
      detail: null,
      wouldRefuse: null,
      bytesIn: 1,
      bytesOut: 2,
      latencyMs: 3,
      secrets: [{ secretId: secret.id as string, version: 1 }],
    };
    await admin.store.audit.appendEvents([
      {
        ...common,
        kind: 'connection',
        tsMs: 1_000,
        decision: 'intercept',
        dstIp: '192.0.2.1',
        verdict: 'allowed',
        matchRule: null,
        secrets: [],
      },
      {
        ...common,
        kind: 'exchange',
        tsMs: 2_000,
        decision: 'allow',
        method: 'GET',
        scheme: 'https',
        path: '/v1/charges',
        status: 200,
        upstreamStatus: 200,
        httpVersion: '1.1',
        upstreamHttpVersion: '1.1',
      },
    ]);
    const first = await sandbox.getNetworkLog({ limit: 1 });
    expect(first).toMatchObject({ hasMore: true, events: [{ kind: 'request', status: 200 }] });
    expect(first.events[0].secretId).toBe(secret.id);
    const second = await sandbox.getNetworkLog({ limit: 1, before: first.nextCursor });
    expect(second).toMatchObject({ hasMore: false, events: [{ kind: 'connection' }] });
    expect(second.events[0]).toMatchObject({ dstIp: '192.0.2.1', verdict: 'allowed' });
    expect(second.nextCursor).toBeUndefined();
    const since = new Date(1_500).toISOString();
    expect((await sandbox.getNetworkLog({ since, verdict: 'allowed' })).events).toEqual([]);
    expect(await secret.getAudit()).toMatchObject([
      { sandboxName: 'logged-box', method: 'GET', path: '/v1/charges', upstreamStatus: 200 },
    ]);
  });
});
