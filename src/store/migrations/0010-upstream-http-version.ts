/** Which HTTP version the origin answered with. Of older rows it is not known. */
import type { Migration } from './migration.ts';

export const upstreamHttpVersion: Migration = {
  version: 10,
  async up({ schema }) {
    await schema.alterTable('audit_events').addColumn('upstream_http_version', 'text').execute();
  },
};
