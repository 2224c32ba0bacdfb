/**
 * The control plane as one function from Request to Response: no port, no socket, so that tests call it
 * directly. Mounts the routes, checks the key, validates the parts, and lets `respond.ts` say what failed.
 */
import { Hono } from 'hono';
import type { Context } from 'hono';
import { ControlError } from '../src/kernel/errors.ts';
import { mintId } from '../src/kernel/ids.ts';
import type { Actor } from '../src/organizations/actor.ts';
import { parseWith } from './contract/faults.ts';
import { readApiKey } from './credentials.ts';
import type { AdminDeps } from './deps.ts';
import { readJsonBody } from './read-body.ts';
import { respondFailure, respondJson } from './respond.ts';
import type { Call, Route } from './route.ts';
import { defineRoutes } from './routes/routes.ts';

/** Who is at the other end of the connection. */
interface Peer {
  readonly address: string;
}

export type AdminHandler = (request: Request, peer: Peer) => Promise<Response>;

interface Environment {
  Bindings: { readonly peer: Peer; readonly requestId: string };
}

export function createAdminHandler(deps: AdminDeps): AdminHandler {
  const routes = defineRoutes(deps);
  const app = new Hono<Environment>({ strict: true });
  for (const route of routes) {
    const path = route.path.replaceAll(/\{(\w+)\}/g, ':$1');
    app.on(route.method.toUpperCase(), path, (context) =>
      serve(deps, route, context).catch((error: unknown) =>
        respondFailure(error, context.env.requestId, deps.logger, route.face),
      ),
    );
  }
  for (const path of new Set(routes.map((route) => route.path))) {
    const served = routes.filter((route) => route.path === path);
    app.all(path.replaceAll(/\{(\w+)\}/g, ':$1'), () => respondWrongMethod(served));
  }
  app.notFound(() => {
    throw new ControlError('not_found', { message: 'There is nothing at this path.' });
  });
  app.onError((error) => {
    throw error;
  });
  return async (request, peer) => {
    const requestId = mintId();
    const isHead = request.method === 'HEAD';
    // Hono would run the GET handler too, and leave a body that makes itself running.
    const asked = isHead ? new Request(request.url, { headers: request.headers }) : request;
    const response = await answer(asked, peer, requestId).catch((error: unknown) =>
      respondFailure(error, requestId, deps.logger),
    );
    response.headers.set('x-request-id', requestId);
    return isHead ? withoutBody(response) : response;
  };

  async function answer(request: Request, peer: Peer, requestId: string): Promise<Response> {
    return app.fetch(request, { peer, requestId });
  }
}

/** The answer to HEAD (RFC 9110, 9.3.2). */
async function withoutBody(response: Response): Promise<Response> {
  await response.body?.cancel();
  return new Response(null, { status: response.status, headers: response.headers });
}

async function serve(
  deps: AdminDeps,
  route: Route,
  context: Context<Environment>,
): Promise<Response> {
  const request = context.req.raw;
  const { peer } = context.env;
  const actor = route.access === 'key' ? await authenticate(deps, route, request, peer) : null;
  const url = new URL(request.url);
  const call: Call<Record<string, string>, unknown, unknown> = {
    get actor(): Actor {
      if (actor === null) throw new Error('an open route asked who is calling');
      return actor;
    },
    params: context.req.param(),
    query: readQuery(route, url),
    body: await readBody(deps, route, request),
    url,
    headers: request.headers,
    recheck: () => authenticate(deps, route, request, peer),
  };
  // The schemas of this very route made these parts: `defineRoute` ties the types together.
  return route.handle(call as Parameters<Route['handle']>[0]);
}

function authenticate(
  deps: AdminDeps,
  { face }: Route,
  { headers }: Request,
  peer: Peer,
): Promise<Actor> {
  const own = face?.organizationHeader ?? 'x-organization';
  const named = headers.get(own)?.trim() || headers.get('x-organization')?.trim();
  const organization = named || null;
  return deps.apiKeys.authenticate(readApiKey(headers), peer.address, organization);
}

/** A parameter given twice has no single meaning, so it is refused. */
function readQuery(route: Route, url: URL): unknown {
  const given: Record<string, string> = Object.create(null) as Record<string, string>;
  for (const [name, text] of url.searchParams) {
    const isRepeated = name in given && route.face?.repeatable.includes(name) !== true;
    if (route.query === null || isRepeated) {
      const reason = isRepeated ? 'is given twice' : 'is not a known parameter here';
      throw new ControlError('bad_request', {
        message: `${name}: ${reason}`,
        details: [{ path: name, message: reason }],
      });
    }
    given[name] = text;
  }
  return route.query === null ? {} : parseWith(route.query, { ...given });
}

async function readBody(deps: AdminDeps, route: Route, request: Request): Promise<unknown> {
  if (route.method === 'get') return undefined;
  const body = await readJsonBody(request, deps.limits.adminBodyBytesMax);
  if (route.body !== null) {
    if (body === undefined && route.isBodyRequired) {
      throw new ControlError('bad_request', { message: 'A JSON body is required.' });
    }
    return parseWith(route.body, body ?? {});
  }
  const isEmpty = body === undefined || body === null || Object.keys(body).length === 0;
  if (isEmpty) return undefined;
  throw new ControlError('bad_request', { message: 'This call takes no body.' });
}

function respondWrongMethod(served: readonly Route[]): Response {
  const methods = served.map(({ method }) => method.toUpperCase());
  const names = (methods.includes('GET') ? [...methods, 'HEAD'] : methods).join(', ');
  const error = new ControlError('method_not_allowed', { message: `This path takes ${names}.` });
  const { code, message } = error;
  const body = served[0]?.face?.describeFailure(error).body ?? { error: { code, message } };
  return respondJson(405, body, { allow: names });
}
