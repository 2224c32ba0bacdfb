/** What an admin does with `@superserve/sdk`: key and address come from the environment alone. */
import { Sandbox, Secret } from '@superserve/sdk';

const [call, ...args] = process.argv.slice(2);

const calls = {
  async begin(value) {
    const secret = await Secret.create({ name: 'openai-prod', value, provider: 'openai' });
    const sandbox = await Sandbox.create({
      name: 'agent',
      secrets: { OPENAI_API_KEY: 'openai-prod' },
      network: { allowOut: ['api.openai.com'], denyOut: ['0.0.0.0/0'] },
    });
    return { id: sandbox.id, used: secret.lastUsedAt ?? null };
  },

  async report(id) {
    const secret = await Secret.get('openai-prod');
    const sandbox = await Sandbox.connect(id);
    const { events } = await sandbox.getNetworkLog();
    return {
      used: secret.lastUsedAt instanceof Date,
      sandboxes: await secret.getSandboxes(),
      audit: await secret.getAudit(),
      network: events,
    };
  },

  async rotate(value) {
    const secret = await Secret.get('openai-prod');
    return { id: (await secret.rotate(value)).id === secret.id };
  },

  async detach(id) {
    const sandbox = await Sandbox.connect(id);
    await sandbox.detachSecret('OPENAI_API_KEY');
    return { secrets: (await sandbox.getInfo()).secrets ?? [] };
  },
};

console.log(JSON.stringify(await calls[call](...args)));
