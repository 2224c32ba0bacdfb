/** Where the database is: the one place that reads `store.url`. */
import path from 'node:path';
import { StartError } from '../kernel/errors.ts';

/** `store.url` and `data_dir` as an absolute path. StartError for a database this version does not speak. */
export function databaseFile(url: string | null, dataDir: string): string {
  if (url === null) return path.resolve(dataDir, 'sallyport.db');
  const file = url.startsWith('sqlite:') ? url.slice('sqlite:'.length) : '';
  if (file === '') {
    const scheme = /^[a-z+]+:/.exec(url)?.[0] ?? 'no scheme';
    throw new StartError(
      `store.url has ${scheme}, which this version does not support.`,
      'Leave store.url out for <data_dir>/sallyport.db, or write sqlite:PATH.',
    );
  }
  return path.resolve(file);
}
