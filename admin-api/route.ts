/**
 * One route as data: what it accepts (schemas that validate and document), who may call it, what it
 * answers, and the function that does it. The handler mounts these, the OpenAPI document is made of them.
 */
import type { z } from '@hono/zod-openapi';
import type { ControlErrorCode } from '../src/kernel/errors.ts';
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
  /** Other forms of it, where the request chooses. */
  readonly forms?: readonly { readonly contentType: string; readonly schema: z.ZodType }[];
  /** Response fields beside those of every answer, with what they say. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** A route with its types erased: what the handler mounts. */
export interface Route {
  /** `operationId`: what generated clients call it. */
  readonly id: string;
  readonly method: Method;
  /** As OpenAPI writes it: `/secrets/{name}`. */
  readonly path: string;
  readonly summary: string;
  readonly tag: string;
  readonly access: 'open' | 'key';
  readonly query: z.ZodType | null;
  readonly body: z.ZodType | null;
  readonly isBodyRequired: boolean;
  /** Request fields it reads, beside the key and the organization. */
  readonly headers: z.ZodObject | null;
  readonly answer: Answer;
  /** Answers that are neither the answer nor a failure. */
  readonly otherAnswers: readonly Answer[];
  /** Failures beside those that every route of its kind may answer with. */
  readonly refuses: readonly ControlErrorCode[];
  /** `null`: the native API. */
  readonly face: Face | null;
  readonly handle: (call: Call<Record<string, string>, never, never>) => Promise<Response>;
}

interface RouteSpec<Query extends z.ZodType, Body extends z.ZodType> {
  readonly id: string;
  readonly method: Method;
  readonly path: string;
  readonly summary: string;
  readonly tag: string;
  readonly access?: 'open';
  readonly query?: Query;
  readonly body?: Body;
  /** Default: a route with a body needs one. */
  readonly isBodyRequired?: boolean;
  readonly headers?: z.ZodObject;
  readonly answer: Answer;
  readonly otherAnswers?: readonly Answer[];
  readonly refuses?: readonly ControlErrorCode[];
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
    id: spec.id,
    method: spec.method,
    path: spec.path,
    summary: spec.summary,
    tag: spec.tag,
    access: spec.access ?? 'key',
    query: spec.query ?? null,
    body: spec.body ?? null,
    isBodyRequired: spec.isBodyRequired ?? spec.body !== undefined,
    headers: spec.headers ?? null,
    answer: spec.answer,
    otherAnswers: spec.otherAnswers ?? [],
    refuses: spec.refuses ?? [],
    face: spec.face ?? null,
    handle: async (call) => spec.handle(call),
  };
}
