/** Storage contract of what belongs to the instance itself: a few named, sealed or plain blobs. */
export interface InstanceStore {
  readInstanceItem(name: string): Promise<Uint8Array | undefined>;
  /** Inserts if absent and returns what is stored afterwards: two nodes starting at once agree. */
  insertInstanceItem(name: string, content: Uint8Array): Promise<Uint8Array>;
  /** Puts `content` where exactly `expected` is stored; false, and nothing changed, where it is not. */
  replaceInstanceItem(name: string, expected: Uint8Array, content: Uint8Array): Promise<boolean>;
}
