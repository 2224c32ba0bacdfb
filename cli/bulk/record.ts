/** Questions about data of unknown shape, as files and answers bring it. */

export function isRecord(data: unknown): data is Readonly<Record<string, unknown>> {
  return typeof data === 'object' && data !== null && !Array.isArray(data);
}

/** The member, when it is a text. */
export function readText(data: unknown, name: string): string | undefined {
  const value = isRecord(data) ? data[name] : undefined;
  return typeof value === 'string' ? value : undefined;
}
