import { describeStoreContracts } from '../contract/store-contracts.ts';
import { openStore, temporaryDirectory } from './temporary-store.ts';

describeStoreContracts('SQLite', () => openStore(temporaryDirectory()));
