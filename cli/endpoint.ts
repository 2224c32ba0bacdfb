/** `HOST:PORT` as options take it; IPv6 in brackets. */
import { InvalidArgumentError } from 'commander';

export interface Endpoint {
  /** Without brackets. */
  readonly host: string;
  readonly port: number;
}

const ENDPOINT = /^(?:\[(?<v6>[0-9a-f:.]+)\]|(?<name>[^:[\]/\s@]+)):(?<port>\d{1,5})$/i;

/** InvalidArgumentError when it is something else. */
export function parseEndpoint(text: string): Endpoint {
  const groups = ENDPOINT.exec(text)?.groups;
  const port = Number(groups?.['port']);
  if (groups === undefined || port > 65_535) {
    throw new InvalidArgumentError('Expected HOST:PORT, as 127.0.0.1:3128 or [::1]:3128.');
  }
  return { host: groups['v6'] ?? groups['name'] ?? '', port };
}

/** A proxy, plain or over TLS. */
export interface ProxyEndpoint extends Endpoint {
  readonly isTls: boolean;
}

/** `HOST:PORT`, `http://HOST:PORT` or `https://HOST:PORT`. InvalidArgumentError when it is something else. */
export function parseProxyEndpoint(text: string): ProxyEndpoint {
  const scheme = /^https?:\/\//i.exec(text)?.[0] ?? '';
  const endpoint = parseEndpoint(text.slice(scheme.length).replace(/\/$/, ''));
  return { ...endpoint, isTls: scheme.toLowerCase() === 'https://' };
}

/** `http://HOST:PORT` or `https://HOST:PORT`. */
export function formatProxyUrl({ host, port, isTls }: ProxyEndpoint): string {
  return `${isTls ? 'https' : 'http'}://${host.includes(':') ? `[${host}]` : host}:${port}`;
}
