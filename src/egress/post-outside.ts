/**
 * One POST of the control plane to the outside (webhooks): the same resolver, address guard, dialler and
 * verification as a sandbox's request, no redirect, bounded in time. The answer's body is not read. Never
 * rejects: what went wrong is a sentence without the internal address.
 */
import { Readable } from 'node:stream';
import { Refusal } from '../kernel/errors.ts';
import type { AddressGuard } from '../policy/address-guard.ts';
import { readInsideName } from '../policy/inside-name.ts';
import { formatAuthority, parseHost } from '../wire/host.ts';
import type { Host } from '../wire/host.ts';
import type { Resolution, Resolver } from './resolve.ts';
import type { Upstream, UpstreamObserver, UpstreamRequest } from './upstream.ts';

export interface PostParts {
  readonly resolver: Resolver;
  readonly guard: AddressGuard;
  readonly ownNames: ReadonlySet<string>;
  readonly upstream: Pick<Upstream, 'dispatch'>;
}

export interface PostRequest {
  readonly organizationId: string;
  /** https, or http where that is allowed. */
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly timeoutMs: number;
}

export interface PostAnswer {
  /** `null`: there was none. */
  readonly status: number | null;
  readonly error: string | null;
}

/** Bounds look-ups and connections apart from those of sandboxes. */
const HOLDER = 'webhooks';

export async function postOutside(parts: PostParts, request: PostRequest): Promise<PostAnswer> {
  try {
    const prepared = await prepare(parts, request);
    return { status: await send(parts.upstream, prepared, request.timeoutMs), error: null };
  } catch (error) {
    if (error instanceof Refusal) return { status: null, error: error.message };
    return { status: null, error: 'It could not be sent.' };
  }
}

async function prepare(parts: PostParts, request: PostRequest): Promise<UpstreamRequest> {
  const url = new URL(request.url);
  const scheme = url.protocol === 'http:' ? 'http' : 'https';
  const defaultPort = scheme === 'https' ? 443 : 80;
  const port = url.port === '' ? defaultPort : Number(url.port);
  const host = parseHost(url.hostname.replace(/^\[|\]$/g, ''));
  const resolution = await parts.resolver.resolve(host, HOLDER);
  checkOutside(parts, host, port, resolution);
  const { addresses, dialPort, isByParent } = resolution;
  const body = Buffer.from(request.body);
  return {
    origin: {
      organizationId: request.organizationId,
      sandboxId: HOLDER,
      scheme,
      host: host.text,
      port,
      addresses,
      dialPort: dialPort ?? port,
      ...(isByParent === true ? { isByParent } : {}),
      clientIdentity: null,
    },
    protocol: 'http/1.1',
    method: 'POST',
    target: url.pathname + url.search,
    fields: Object.entries(request.headers).flat(),
    neverIndexed: [],
    hostField: formatAuthority({ host, port }, defaultPort),
    body: Readable.from([body]),
    contentLength: body.length,
    expectContinue: false,
    acceptsTrailers: false,
    requestTrailers: null,
    replayable: false,
  };
}

/** By every address; by the name alone where only the parent proxy knows them. */
function checkOutside(
  { guard, ownNames }: PostParts,
  host: Host,
  port: number,
  { addresses, dialPort, isByParent }: Resolution,
): void {
  const classes =
    isByParent === true
      ? [readInsideName(host, ownNames)]
      : addresses.map((address) => guard.classify(address, dialPort ?? port));
  const forbidden = classes.find((found) => found !== null);
  if (forbidden === undefined) return;
  throw new Refusal('internal_address_denied', {
    message: `The host is, or resolves to, an internal address (${forbidden}).`,
  });
}

function send(
  upstream: PostParts['upstream'],
  request: UpstreamRequest,
  timeoutMs: number,
): Promise<number> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      exchange.abort();
      reject(new Refusal('upstream_timeout'));
    }, timeoutMs);
    const observer: UpstreamObserver = {
      onHeadWritten: ignore,
      onInformation: ignore,
      onResponse: ({ status }) => {
        clearTimeout(timer);
        exchange.abort();
        resolve(status);
      },
      onData: () => true,
      onEnd: ignore,
      onFailure: (refusal) => {
        clearTimeout(timer);
        reject(refusal);
      },
    };
    const exchange = upstream.dispatch(request, observer);
  });
}

function ignore(): void {}
