/** The instance's own items on the database. */
import type { Transaction } from '../database.ts';
import type { InstanceStore } from '../instance-store.ts';

export function instanceQueries({ query }: Transaction): InstanceStore {
  async function readInstanceItem(name: string): Promise<Uint8Array | undefined> {
    const row = await query
      .selectFrom('instance_items')
      .select('content')
      .where('name', '=', name)
      .executeTakeFirst();
    return row?.content;
  }

  return {
    readInstanceItem,
    async insertInstanceItem(name, content) {
      await query
        .insertInto('instance_items')
        .values({ name, content })
        .onConflict((conflict) => conflict.column('name').doNothing())
        .execute();
      return (await readInstanceItem(name)) ?? content;
    },
    async replaceInstanceItem(name, expected, content) {
      const result = await query
        .updateTable('instance_items')
        .set({ content })
        .where('name', '=', name)
        .where('content', '=', expected)
        .executeTakeFirst();
      return result.numUpdatedRows === 1n;
    },
  };
}
