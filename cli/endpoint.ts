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

/** `http://HOST:PORT`. */
export function formatEndpointUrl({ host, port }: Endpoint): string {
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`;
}
