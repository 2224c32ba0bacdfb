/** The product between raw attackers and the recording origin, with one secret in two fields. */
import { mintCanary } from '../support/canary.ts';
import { openTunnel } from '../support/client.ts';
import { startProduct } from '../support/product.ts';
import { TestAuthority } from '../support/test-authority.ts';
import { RecordingOrigin } from './recording-origin.ts';
import type { CorpusPlan } from './run-corpus.ts';

const HOST = 'api.example.test';

export interface CorpusScene extends AsyncDisposable {
  readonly plan: CorpusPlan;
}

export async function startCorpusScene(): Promise<CorpusScene> {
  const value = mintCanary();
  const authority = new TestAuthority();
  const origin = await RecordingOrigin.start(authority.mintLeaf([HOST]));
  const product = await startProduct({
    hosts: { [HOST]: origin.address },
    originCa: authority.caPem,
  });
  await product.createSecret('api', value, {
    auth: {
      type: 'custom',
      headers: { Authorization: 'Bearer {{ value }}', 'X-Api-Key': '{{ value }}' },
    },
    hosts: [HOST],
  });
  const sandbox = await product.createSandbox({ secrets: { API_KEY: 'api' } });
  const dial = async () => {
    const tunnel = await openTunnel({
      proxy: product.proxy,
      authority: `${HOST}:443`,
      token: sandbox.token,
      ca: product.caPem,
    });
    return tunnel.socket;
  };
  const injected = { authorization: `Bearer ${value}`, 'x-api-key': value };
  return {
    plan: { origin, host: HOST, injected, dial },
    [Symbol.asyncDispose]: async () => {
      await product[Symbol.asyncDispose]();
      await origin[Symbol.asyncDispose]();
    },
  };
}
