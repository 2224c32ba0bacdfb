/**
 * The oldest Node that is safe to run: 24.9 to 24.15 silently drop header fields beyond about 1,000, and
 * 24.18.1 does not. Imports nothing, so that it works on every Node that can load the file.
 */
const FLOOR = [24, 18, 1] as const;

/** A sentence saying what is wrong with this Node version (`process.versions.node`), or `undefined`. */
export function readNodeFault(version: string): string | undefined {
  const parts = version.split('.').map((part) => Number.parseInt(part, 10));
  for (const [index, least] of FLOOR.entries()) {
    const part = parts[index] ?? 0;
    if (part > least) return undefined;
    if (part < least) {
      return (
        `Sallyport needs Node ${FLOOR.join('.')} or newer, and this is Node ${version}. ` +
        'Run it through npm (npm start, npm run -s sallyport -- …), which uses the Node that npm ci installed.'
      );
    }
  }
  return undefined;
}
