/**
 * Every method of the storage contracts and the transaction it runs in. The table is complete by its
 * type, and it is the list of what the worker may be asked: a name that is not here is not called.
 */
import type { TransactionMode } from './database.ts';
import type { StoreContracts } from './store.ts';

type Methods = {
  readonly [Contract in keyof StoreContracts]: {
    readonly [Method in keyof StoreContracts[Contract]]: TransactionMode;
  };
};

export const CONTRACT_METHODS: Methods = {
  secrets: {
    insertSecret: 'durable',
    readSecret: 'read',
    readSecretById: 'read',
    listSecrets: 'read',
    updateSecret: 'durable',
    deleteSecret: 'durable',
    listVersions: 'read',
    destroyOldVersions: 'durable',
    readVersion: 'read',
    listBindingsOfSecret: 'read',
    listSandboxIdsOfSecret: 'read',
  },
  groups: {
    insertGroup: 'durable',
    readGroup: 'read',
    readGroupByName: 'read',
    listGroups: 'read',
    writeGroup: 'durable',
    deleteGroup: 'durable',
    listMembers: 'read',
  },
  sandboxes: {
    insertSandbox: 'durable',
    readSandbox: 'read',
    listSandboxes: 'read',
    listAllModeWorkspaces: 'read',
    updateSandbox: 'durable',
    deleteSandbox: 'durable',
    insertBinding: 'durable',
    detachBinding: 'durable',
    replaceToken: 'durable',
    listDueSandboxes: 'read',
  },
  organizations: {
    insertOrganization: 'durable',
    readOrganization: 'read',
    listOrganizations: 'read',
    deleteOrganization: 'durable',
    listWorkspaces: 'read',
    readWorkspace: 'read',
    insertWorkspace: 'durable',
    deleteWorkspace: 'durable',
    insertApiKey: 'durable',
    readApiKeyByHash: 'read',
    listApiKeys: 'read',
    deleteApiKey: 'durable',
    touchApiKeys: 'relaxed',
  },
  policy: {
    readPolicySource: 'read',
    listPlacedSecrets: 'read',
    readPlacedSecrets: 'read',
    readTokenOwner: 'read',
    listSourceRanges: 'read',
  },
  audit: {
    appendEvents: 'relaxed',
    listSecretAudit: 'read',
    listNetwork: 'read',
    listTrail: 'read',
    listTrailAfter: 'read',
    readLastEventId: 'read',
    listChains: 'read',
    verifyChainPage: 'read',
    pruneEvents: 'relaxed',
  },
  activity: { insertActivity: 'durable', listActivity: 'read' },
  usage: { recordUsage: 'relaxed' },
  webhooks: {
    insertWebhook: 'durable',
    readWebhook: 'read',
    listWebhooks: 'read',
    updateWebhook: 'durable',
    deleteWebhook: 'durable',
    listSubscriptions: 'read',
    enqueueNews: 'durable',
    insertSettled: 'relaxed',
    listDue: 'read',
    settleAttempt: 'relaxed',
    listDeliveries: 'read',
    pruneDeliveries: 'relaxed',
    claimFirstUses: 'relaxed',
  },
  envelopes: {
    countEnvelopes: 'read',
    listEnvelopes: 'read',
    replaceEnvelopes: 'durable',
  },
  instance: {
    readInstanceItem: 'read',
    insertInstanceItem: 'durable',
    replaceInstanceItem: 'durable',
  },
};

/** The transaction of `contract.method`; `undefined` when there is no such method. */
export function readMode(contract: string, method: string): TransactionMode | undefined {
  const contracts: Readonly<Record<string, Readonly<Record<string, TransactionMode>>>> =
    CONTRACT_METHODS;
  if (!Object.hasOwn(contracts, contract)) return undefined;
  const methods = contracts[contract];
  if (methods === undefined || !Object.hasOwn(methods, method)) return undefined;
  return methods[method];
}
