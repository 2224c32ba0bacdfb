/**
 * One route as data: what it accepts (schemas that validate and document), who may call it, what it
 * answers, and the function that does it. The handler mounts these, the OpenAPI document is made of them.
 */
import type { z } from '@hono/zod-openapi';
import type { Actor } from '../src/organizations/actor.ts';
import type { Face } from './face.ts';

type Method = 'get' | 'post' | 'put' | 'patch' | 'delete';

/** One request after its parts were validated. */
export interface Call<Params, Query, Body> {
  /** Only on routes with `access: 'key'`; reading it elsewhere throws. */
  readonly actor: Actor;
  readonly params: Params;
  readonly query: Query;
  readonly body: Body;
  readonly url: URL;
  readonly headers: Headers;
  /** Asks again whether the key is valid, for what stays open. ControlError `auth_failed`. */
  readonly recheck: () => Promise<Actor>;
}

interface Answer {
  readonly status: number;
  readonly description: string;
  readonly schema?: z.ZodType;
  /** Default `application/json`. */
  readonly contentType?: string;
}

/** A route with its types erased: what the handler mounts. */
export interface Route {
  readonly method: Method;
  /** As OpenAPI writes it: `/secrets/{name}`. */
  readonly path: string;
  readonly summary: string;
  readonly tag: string;
  readonly access: 'open' | 'key';
  readonly query: z.ZodType | null;
  readonly body: z.ZodType | null;
  readonly isBodyRequired: boolean;
  readonly answer: Answer;
  /** `null`: the native API. */
  readonly face: Face | null;
  readonly handle: (call: Call<Record<string, string>, never, never>) => Promise<Response>;
}

interface RouteSpec<Query extends z.ZodType, Body extends z.ZodType> {
  readonly method: Method;
  readonly path: string;
  readonly summary: string;
  readonly tag: string;
  readonly access?: 'open';
  readonly query?: Query;
  readonly body?: Body;
  /** Default: a route with a body needs one. */
  readonly isBodyRequired?: boolean;
  readonly answer: Answer;
  readonly face?: Face;
  readonly handle: (
    call: Call<Record<string, string>, z.output<Query>, z.output<Body>>,
  ) => Promise<Response> | Response;
}

/** Fills in the defaults and ties the handler's types to its schemas. */
export function defineRoute<Query extends z.ZodType, Body extends z.ZodType>(
  spec: RouteSpec<Query, Body>,
): Route {
  return {
    method: spec.method,
    path: spec.path,
    summary: spec.summary,
    tag: spec.tag,
    access: spec.access ?? 'key',
    query: spec.query ?? null,
    body: spec.body ?? null,
    isBodyRequired: spec.isBodyRequired ?? spec.body !== undefined,
    answer: spec.answer,
    face: spec.face ?? null,
    handle: async (call) => spec.handle(call),
  };
}
