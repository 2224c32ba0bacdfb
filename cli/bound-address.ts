/** The address a listener got, as text and back. Pure. */

export interface BoundAddress {
  readonly host: string;
  readonly port: number;
}

/** `HOST:PORT`, as it is printed and dialled. */
export function formatAddress({ host, port }: BoundAddress): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** How a client on this machine reaches it: an unspecified address is not one to connect to. */
export function reachableAddress({ host, port }: BoundAddress): string {
  const isUnspecified = host === '0.0.0.0' || host === '::';
  return isUnspecified ? `127.0.0.1:${port}` : formatAddress({ host, port });
}

/** What `formatAddress` wrote. */
export function parseAddress(text: string): { address: string; port: number } {
  const colon = text.lastIndexOf(':');
  const address = text.slice(0, colon).replace(/^\[|\]$/g, '');
  return { address, port: Number(text.slice(colon + 1)) };
}
