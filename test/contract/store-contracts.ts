/**
 * The contract suite: what every database must do, told once and run against each real one. A database
 * joins by calling `describeStoreContracts` with a way to open an empty store.
 */
import { describe } from 'vitest';
import type { Store } from '../../src/store/store.ts';
import { describeActivityContract } from './activity-contract.ts';
import { describeAuditContract } from './audit-contract.ts';
import { describeGroupContract } from './group-contract.ts';
import { describeOrganizationContract } from './organization-contract.ts';
import { describePolicyContract } from './policy-contract.ts';
import { describeSandboxContract } from './sandbox-contract.ts';
import { describeSecretContract } from './secret-contract.ts';
import { describeTrailContract } from './trail-contract.ts';
import { describeUsageContract } from './usage-contract.ts';
import { describeVersionContract } from './version-contract.ts';

/** Opens a store on an empty database; whoever made it closes it when the test ends. */
export type MakeStore = () => Promise<Store>;

export function describeStoreContracts(name: string, makeStore: MakeStore): void {
  describe(`${name} keeps the storage contracts`, () => {
    describeOrganizationContract(makeStore);
    describeSecretContract(makeStore);
    describeGroupContract(makeStore);
    describeSandboxContract(makeStore);
    describePolicyContract(makeStore);
    describeAuditContract(makeStore);
    describeTrailContract(makeStore);
    describeActivityContract(makeStore);
    describeUsageContract(makeStore);
    describeVersionContract(makeStore);
  });
}
