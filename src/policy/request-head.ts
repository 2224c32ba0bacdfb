/**
 * One request as policy sees it: canonical authority, method, target and field lines exactly as sent.
 * `fields` is the flat array of name, value, name, value, in order, with case and duplicates kept, as
 * `rawHeaders` of Node.
 */
import type { Host } from '../wire/host.ts';

export interface RequestHead {
  readonly scheme: 'https' | 'http';
  readonly host: Host;
  readonly port: number;
  readonly method: string;
  /** Origin-form: path and query as sent, begins with `/`, or `*`. */
  readonly target: string;
  readonly fields: readonly string[];
}
