/** One message to the store's thread: a contract method in its transaction, or a command. */
import { unreachable } from '../kernel/assert.ts';
import type { Database, Transaction } from './database.ts';
import { writeBackup } from './backup.ts';
import { readMode } from './contract-methods.ts';
import type { StoreRequest } from './messages.ts';
import { activityQueries } from './queries/activity-queries.ts';
import { auditQueries } from './queries/audit-queries.ts';
import { envelopeQueries } from './queries/envelope-queries.ts';
import { groupQueries } from './queries/group-queries.ts';
import { instanceQueries } from './queries/instance-queries.ts';
import { organizationQueries } from './queries/organization-queries.ts';
import { policyQueries } from './queries/policy-queries.ts';
import { sandboxQueries } from './queries/sandbox-queries.ts';
import { secretQueries } from './queries/secret-queries.ts';
import { usageQueries } from './queries/usage-queries.ts';
import { webhookQueries } from './queries/webhook-queries.ts';
import type { StoreContracts } from './store.ts';

const QUERIES: {
  readonly [Contract in keyof StoreContracts]: (
    transaction: Transaction,
  ) => StoreContracts[Contract];
} = {
  secrets: secretQueries,
  groups: groupQueries,
  sandboxes: sandboxQueries,
  organizations: organizationQueries,
  policy: policyQueries,
  audit: auditQueries,
  activity: activityQueries,
  usage: usageQueries,
  instance: instanceQueries,
  envelopes: envelopeQueries,
  webhooks: webhookQueries,
};

/** Resolves with what the method resolves with; rejects with what it rejects with. */
export async function answerRequest(database: Database, request: StoreRequest): Promise<unknown> {
  switch (request.kind) {
    case 'call':
      return callContract(database, request.contract, request.method, request.args);
    case 'backup':
      return writeBackup(request.file, (partial) => database.copyTo(partial));
    case 'ping':
      return database.transact('read', async ({ query }) => {
        await query.selectFrom('schema_version').select('version').executeTakeFirst();
      });
    case 'close':
      return database.close();
    default:
      return unreachable(request);
  }
}

async function callContract(
  database: Database,
  contract: string,
  method: string,
  args: readonly unknown[],
): Promise<unknown> {
  const mode = readMode(contract, method);
  if (mode === undefined) throw new Error(`there is no ${contract}.${method}`);
  return database.transact(mode, (transaction) => {
    const queries = QUERIES[contract as keyof StoreContracts](transaction);
    const call = (
      queries as unknown as Record<string, (...args: readonly unknown[]) => Promise<unknown>>
    )[method];
    if (call === undefined) throw new Error(`there is no ${contract}.${method}`);
    return call(...args);
  });
}
