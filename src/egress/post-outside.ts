/**
 * One POST of the control plane to the outside (webhooks): the same resolver, address guard, dialler and
 * verification as a sandbox's request, no redirect, bounded in time. The answer's body is not read. Never
 * rejects: what went wrong is a sentence without the internal address.
 */
import { Readable } from 'node:stream';
import { Refusal } from '../kernel/errors.ts';
import type { AddressGuard } from '../policy/address-guard.ts';
import { formatAuthority, parseHost } from '../wire/host.ts';
import type { Resolver } from './resolve.ts';
import type { Upstream, UpstreamObserver, UpstreamRequest } from './upstream.ts';

export interface PostParts {
  readonly resolver: Resolver;
  readonly guard: AddressGuard;
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
  const { addresses, dialPort } = await parts.resolver.resolve(host, HOLDER);
  const target = dialPort ?? port;
  for (const address of addresses) {
    const forbidden = parts.guard.classify(address, target);
    if (forbidden === null) continue;
    throw new Refusal('internal_address_denied', {
      message: `The host is, or resolves to, an internal address (${forbidden}).`,
    });
  }
  const body = Buffer.from(request.body);
  return {
    origin: {
      organizationId: request.organizationId,
      sandboxId: HOLDER,
      scheme,
      host: host.text,
      port,
      addresses,
      dialPort: target,
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
