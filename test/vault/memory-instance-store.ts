/** An InstanceStore in memory, for tests of what is stored in it; the real one has its contract tests. */
import type { InstanceStore } from '../../src/store/instance-store.ts';

export function memoryInstanceStore(): InstanceStore {
  const items = new Map<string, Uint8Array>();
  return {
    readInstanceItem: (name) => Promise.resolve(items.get(name)),
    insertInstanceItem: (name, content) => {
      const stored = items.get(name) ?? Uint8Array.from(content);
      items.set(name, stored);
      return Promise.resolve(stored);
    },
  };
}
