/**
 * The options of `secret create` and `secret update` that say who may use a secret and until when, turned
 * into the fields of the API. What was not given is left out, so that an update keeps it.
 */
import type { Command } from 'commander';
import { usageFault } from './command-fault.ts';
import { collect } from './option-parsers.ts';

export interface SecretUseOptions {
  readonly disable?: boolean;
  readonly enable?: boolean;
  readonly expires?: string;
  readonly workspace?: readonly string[];
  readonly anyWorkspace?: boolean;
}

/** Adds them to a command. */
export function addSecretUseOptions(command: Command): Command {
  return command
    .option('--disable', 'refuse its use until --enable')
    .option('--enable', 'end --disable')
    .option('--expires <time>', 'refuse its use from then on, as 2027-01-31T00:00:00Z, or never')
    .option('--workspace <name>', 'only sandboxes of this workspace; repeat for more', collect)
    .option('--any-workspace', 'sandboxes of every workspace (the default)');
}

/** CommandFault for options that exclude each other. */
export function readSecretUseFields(options: SecretUseOptions): Record<string, unknown> {
  const { disable, enable, expires, workspace, anyWorkspace } = options;
  if (disable === true && enable === true) throw usageFault('--disable excludes --enable');
  if (workspace !== undefined && anyWorkspace === true) {
    throw usageFault('--workspace excludes --any-workspace');
  }
  return {
    ...(disable === true || enable === true ? { disabled: disable === true } : {}),
    ...(expires === undefined ? {} : { expires_at: expires === 'never' ? '' : expires }),
    ...(anyWorkspace === true ? { allowed_workspaces_type: 'ALL' } : {}),
    ...(workspace === undefined
      ? {}
      : { allowed_workspaces_type: 'SOME', allowed_workspaces: workspace }),
  };
}
