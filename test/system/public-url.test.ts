/** `proxy.public_url`: what sandboxes are told where the address the proxy listens on is not theirs. */
import { expect, test } from 'vitest';
import { startProduct } from '../support/product.ts';

test('the environment of a sandbox names the public address, with its token', async () => {
  await using product = await startProduct({
    settings: { proxy: { public_url: 'http://proxy.example.test:8080/' } },
  });
  const sandbox = await product.createSandbox();
  const expected = `http://sandbox:${sandbox.token}@proxy.example.test:8080`;
  for (const name of ['HTTPS_PROXY', 'https_proxy', 'HTTP_PROXY', 'http_proxy']) {
    expect(sandbox.env[name]).toBe(expected);
  }
});
