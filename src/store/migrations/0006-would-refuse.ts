/** What `egress.mode: observe` let pass: the code that would have refused it. Older rows were enforced. */
import type { Migration } from './migration.ts';

export const wouldRefuse: Migration = {
  version: 6,
  async up({ schema }) {
    await schema.alterTable('audit_events').addColumn('would_refuse', 'text').execute();
  },
};
