/**
 * The canonical spelling of a host: what matching, SNI, `Host` and logs use. Types here; `parseHost`
 * and `parseAuthority` follow spec section 3 (lower case, UTS 46 A-labels, no trailing dot, any IPv4
 * number form and IPv4 embedded in IPv6 reduced to one address).
 */
export interface Host {
  readonly kind: 'name' | 'ipv4' | 'ipv6';
  /** Canonical text, IPv6 without brackets. */
  readonly text: string;
}

export interface Authority {
  readonly host: Host;
  readonly port: number;
}

/** `host:port` as it goes into `Host`: brackets for IPv6, the port left out when it is the default. */
export function formatAuthority(authority: Authority, defaultPort: number): string {
  const { host, port } = authority;
  const name = host.kind === 'ipv6' ? `[${host.text}]` : host.text;
  return port === defaultPort ? name : `${name}:${port}`;
}
