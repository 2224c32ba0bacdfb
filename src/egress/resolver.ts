/**
 * Names to addresses, the only file with `node:dns`. Order: literals, `egress.hosts`, `localhost`
 * (RFC 6761), hosts file, cache, then c-ares: A and AAAA in parallel, absolute names only, one flight a
 * name. Never blocks on getaddrinfo (two threads: eight silent names would stop every sandbox) unless
 * the operator asks for `mode: system`. It resolves; it does not judge: the guard is elsewhere.
 */
import { lookup, Resolver as DnsResolver } from 'node:dns/promises';
import { BoundedMap } from '../kernel/bounded-map.ts';
import type { Clock } from '../kernel/clock.ts';
import { Refusal } from '../kernel/errors.ts';
import { FIXED } from '../kernel/limits.ts';
import type { Limits } from '../kernel/limits.ts';
import type { Address } from '../wire/address.ts';
import { readAddress } from '../wire/address.ts';
import type { Host } from '../wire/host.ts';
import { parseHostEntries, startHostsFile } from './hosts-file.ts';
import type { HostsFile } from './hosts-file.ts';
import type { LocalResolver, Resolution } from './resolve.ts';

export interface ResolverOptions {
  /** `egress.hosts`: name → `address`, `address:port` or `[v6]:port`. */
  readonly hosts: Readonly<Record<string, string>>;
  /** Re-read when it changes; `null`: none. */
  readonly hostsFile: string | null;
  /** `null`: those of the machine. */
  readonly servers: readonly string[] | null;
  readonly mode: 'resolver' | 'system';
  readonly limits: Pick<Limits, 'dnsTimeoutMs' | 'dnsLookupsPerSandboxMax' | 'dnsCacheMax'>;
  readonly clock: Clock;
}

interface Answer {
  readonly addresses: readonly Address[];
  readonly ttlMs: number;
}

type Known =
  | { readonly expiresMs: number; readonly resolution: Resolution }
  | { readonly expiresMs: number; readonly failure: DnsFailure };

interface DnsFailure {
  readonly isTimeout: boolean;
  /** For the admin: what the resolver said (`ENOTFOUND`, …). */
  readonly reason: string;
}

const LOOPBACK: Resolution = {
  addresses: [
    { family: 4, text: '127.0.0.1' },
    { family: 6, text: '::1' },
  ],
  dialPort: null,
};

/** Throws StartError when `hosts` or `servers` cannot be read. */
export function startResolver(options: ResolverOptions): LocalResolver {
  return new CachingResolver(options);
}

class CachingResolver implements LocalResolver {
  readonly #limits: ResolverOptions['limits'];
  readonly #clock: Clock;
  readonly #entries: ReadonlyMap<string, Resolution>;
  readonly #hostsFile: HostsFile | undefined;
  readonly #ask: (name: string) => Promise<Answer>;
  readonly #cache: BoundedMap<string, Known>;
  readonly #flights = new Map<string, Promise<Resolution>>();
  readonly #lookupsOfSandbox = new Map<string, number>();
  readonly #close: () => void;

  constructor(options: ResolverOptions) {
    this.#limits = options.limits;
    this.#clock = options.clock;
    this.#entries = parseHostEntries(options.hosts);
    this.#hostsFile =
      options.hostsFile === null ? undefined : startHostsFile(options.hostsFile, options.clock);
    this.#cache = new BoundedMap(options.limits.dnsCacheMax);
    if (options.mode === 'system') {
      this.#ask = (name) => within(options.limits.dnsTimeoutMs, askSystem(name));
      this.#close = () => undefined;
    } else {
      const dns = openDnsResolver(options.servers, options.limits.dnsTimeoutMs);
      this.#ask = (name) => askDns(dns, name, options.limits.dnsTimeoutMs);
      this.#close = () => dns.cancel();
    }
  }

  isByParent(): boolean {
    return false;
  }

  readFixed(host: Host): Resolution | undefined {
    if (host.kind !== 'name') {
      return {
        addresses: [{ family: host.kind === 'ipv4' ? 4 : 6, text: host.text }],
        dialPort: null,
      };
    }
    const name = host.text;
    const entry = this.#entries.get(name);
    if (entry !== undefined) return entry;
    if (name === 'localhost' || name.endsWith('.localhost')) return LOOPBACK;
    return this.#hostsFile?.readHost(name);
  }

  resolve(host: Host, sandboxId: string): Resolution | Promise<Resolution> {
    const fixed = this.readFixed(host);
    if (fixed !== undefined) return fixed;
    const name = host.text;
    const known = this.#cache.get(name);
    if (known !== undefined && known.expiresMs > this.#clock.monotonicMs()) {
      return 'resolution' in known ? known.resolution : Promise.reject(dnsRefusal(known.failure));
    }
    return this.#flights.get(name) ?? this.#start(name, sandboxId);
  }

  close(): void {
    this.#close();
    this.#cache.clear();
  }

  #start(name: string, sandboxId: string): Promise<Resolution> {
    const running = this.#lookupsOfSandbox.get(sandboxId) ?? 0;
    if (running >= this.#limits.dnsLookupsPerSandboxMax) {
      return Promise.reject(
        new Refusal('dns_failed', {
          message: `This sandbox has ${running} name look-ups in flight already.`,
          hint: 'Wait for earlier look-ups to end, or raise limits.dnsLookupsPerSandboxMax.',
          retryAfterS: 1,
        }),
      );
    }
    this.#lookupsOfSandbox.set(sandboxId, running + 1);
    const flight = this.#fly(name).finally(() => {
      this.#flights.delete(name);
      const left = (this.#lookupsOfSandbox.get(sandboxId) ?? 1) - 1;
      if (left > 0) this.#lookupsOfSandbox.set(sandboxId, left);
      else this.#lookupsOfSandbox.delete(sandboxId);
    });
    this.#flights.set(name, flight);
    // Whoever asked may be gone by then.
    flight.catch(() => undefined);
    return flight;
  }

  async #fly(name: string): Promise<Resolution> {
    try {
      const answer = await this.#ask(name);
      const resolution: Resolution = { addresses: answer.addresses, dialPort: null };
      this.#remember(name, { expiresMs: answer.ttlMs, resolution });
      return resolution;
    } catch (error) {
      const failure = readDnsFailure(error);
      this.#remember(name, { expiresMs: FIXED.dnsNegativeTtlMs, failure });
      throw dnsRefusal(failure, error);
    }
  }

  #remember(name: string, known: Known): void {
    this.#cache.set(name, { ...known, expiresMs: this.#clock.monotonicMs() + known.expiresMs });
  }
}

function openDnsResolver(servers: readonly string[] | null, timeoutMs: number): DnsResolver {
  // c-ares doubles the time on the second try: t + 2t.
  const dns = new DnsResolver({ timeout: Math.max(50, Math.floor(timeoutMs / 3)), tries: 2 });
  if (servers !== null) dns.setServers(servers);
  return dns;
}

async function askDns(dns: DnsResolver, name: string, timeoutMs: number): Promise<Answer> {
  const families = [dns.resolve4(name, { ttl: true }), dns.resolve6(name, { ttl: true })] as const;
  const settled = await settleBoth(families[0], families[1], timeoutMs);
  const addresses: Address[] = [];
  let ttlS = Infinity;
  for (const result of settled) {
    if (result.status === 'rejected') continue;
    for (const record of result.value) {
      const address = readAddress(record.address);
      if (address === undefined) continue;
      addresses.push(address);
      ttlS = Math.min(ttlS, record.ttl);
    }
  }
  if (addresses.length === 0) throw worstOf(settled);
  return { addresses, ttlMs: clamp(ttlS * 1_000, FIXED.dnsTtlMinMs, FIXED.dnsTtlMaxMs) };
}

/**
 * Both results; once one family has addresses the other gets a bounded time more. What did not arrive is
 * not dialled, so leaving it out is safe; waiting the whole timeout would punish everyone behind a
 * resolver that drops AAAA questions.
 */
async function settleBoth<T>(
  first: Promise<T[]>,
  second: Promise<T[]>,
  timeoutMs: number,
): Promise<PromiseSettledResult<T[]>[]> {
  const late: PromiseSettledResult<T[]> = { status: 'rejected', reason: { code: 'ETIMEOUT' } };
  const results: PromiseSettledResult<T[]>[] = [late, late];
  const settling = [first, second].map(async (promise, index) => {
    const [result] = await Promise.allSettled([promise]);
    results[index] = result;
    return result.status === 'fulfilled' && result.value.length > 0;
  });
  const both = Promise.all(settling);
  const anyHasAnswers = Promise.any(
    settling.map(async (isAnswered) => {
      if (!(await isAnswered)) throw new Error('no answer');
    }),
  );
  const isAnswered = await within(timeoutMs, anyHasAnswers).then(
    () => true,
    () => false,
  );
  const graceMs = Math.min(FIXED.dnsSecondFamilyGraceMs, timeoutMs);
  if (isAnswered) await within(graceMs, both).catch(() => undefined);
  return [...results];
}

async function askSystem(name: string): Promise<Answer> {
  const records = await lookup(name, { all: true, order: 'ipv4first' });
  const addresses: Address[] = [];
  for (const record of records) {
    const address = readAddress(record.address);
    if (address !== undefined) addresses.push(address);
  }
  if (addresses.length === 0) throw Object.assign(new Error('no address'), { code: 'ENODATA' });
  return { addresses, ttlMs: FIXED.dnsSystemTtlMs };
}

function worstOf(results: readonly PromiseSettledResult<unknown>[]): unknown {
  const reasons = results.map((result) => (result.status === 'rejected' ? result.reason : null));
  const isTelling = (reason: unknown): boolean =>
    reason !== null && codeOf(reason) !== 'ENODATA' && codeOf(reason) !== 'ENOTFOUND';
  return reasons.find(isTelling) ?? reasons.find((reason) => reason !== null);
}

function readDnsFailure(error: unknown): DnsFailure {
  const reason = codeOf(error);
  return { isTimeout: reason === 'ETIMEOUT' || reason === 'ETIMEDOUT', reason };
}

function codeOf(error: unknown): string {
  const code = typeof error === 'object' && error !== null && 'code' in error ? error.code : null;
  return typeof code === 'string' ? code : 'EUNKNOWN';
}

function dnsRefusal(failure: DnsFailure, cause?: unknown): Refusal {
  return new Refusal('dns_failed', {
    proxyError: failure.isTimeout ? 'dns_timeout' : 'dns_error',
    ...(failure.isTimeout ? { message: 'The name servers did not answer in time.' } : {}),
    auditDetail: `dns ${failure.reason}`,
    retryAfterS: 2,
    cause,
  });
}

function clamp(value: number, min: number, max: number): number {
  return Math.min(Math.max(value, min), max);
}

/** Rejects with code `ETIMEOUT` after `timeoutMs`; the loser is left to end by itself. */
function within<T>(timeoutMs: number, promise: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      reject(Object.assign(new Error('no answer in time'), { code: 'ETIMEOUT' }));
    }, timeoutMs);
    promise.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
