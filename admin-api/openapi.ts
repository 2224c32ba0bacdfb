/** The OpenAPI 3.1 document, generated from the schemas that validate. */
import { OpenAPIHono, createRoute, z } from '@hono/zod-openapi';
import { failureSchema } from './contract/failure.ts';
import { describeFailures } from './openapi-failures.ts';
import type { Route } from './route.ts';

/** What a reader may rely on before reading it. */
export const documentSchema = z
  .looseObject({ openapi: z.string(), paths: z.looseObject({}) })
  .openapi('OpenApiDocument');

const SECURITY = [{ apiKey: [] }, { bearer: [] }];

const TAGS: Readonly<Record<string, string>> = {
  Secrets: 'Named credentials: how and where they are put on requests. Values go in, never out.',
  Providers: 'Entries that fill in how a secret is used, and where.',
  Sandboxes: 'Clients of the proxy: what they hold, where they may go, what they did.',
  Trails: 'What sandboxes did and what admins changed.',
  Organizations: 'Tenants, and groups of sandboxes in them.',
  'API keys': 'Who may use this API, and for what.',
  Explain: 'What the proxy would do, and why.',
  Instance: 'The process, its certificate authority and its master keys.',
  Webhooks: 'Who is told of events.',
  'Instabase AI Hub': 'The secrets API of Instabase AI Hub, on the same secrets.',
  TrueFoundry: 'The secret groups API of TrueFoundry, on the same secrets.',
};

const PARAMS: Readonly<Record<string, string>> = {
  name: 'The name of a secret, or a reference to one: `GROUP:KEY`, also with `TENANT:` before and `:VERSION` after.',
  id: 'As it was given on creation.',
  env_key: 'The environment variable.',
};

const REQUEST_ID = { description: 'Names this request in the log.', schema: text() };

export function createOpenApiDocument(routes: readonly Route[]) {
  const app = new OpenAPIHono();
  const registry = app.openAPIRegistry;
  registry.registerComponent('securitySchemes', 'apiKey', {
    type: 'apiKey',
    in: 'header',
    name: 'X-API-Key',
  });
  registry.registerComponent('securitySchemes', 'bearer', { type: 'http', scheme: 'bearer' });
  for (const route of routes) registry.registerPath(describeRoute(route));
  const used = new Set(routes.map((route) => route.tag));
  return app.getOpenAPI31Document({
    openapi: '3.1.0',
    info: {
      title: 'Sallyport admin API',
      version: '0.1.0',
      description:
        'Register secrets, create sandboxes, read what was done. Superserve’s secrets API, and more. ' +
        'In requests `null` stands for an absent field wherever a field is optional. HEAD answers as GET does, without a body; ' +
        'a method that a path does not take is 405 `method_not_allowed` with `Allow`; ' +
        'a request head larger than `limits.head_bytes_max` is 431, without a body.',
      license: { name: 'Apache-2.0', url: 'https://www.apache.org/licenses/LICENSE-2.0' },
    },
    servers: [{ url: '/' }],
    tags: [...used].map((name) => ({ name, description: TAGS[name] ?? '' })),
  });
}

function describeRoute(route: Route) {
  const names = [...route.path.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => name);
  return createRoute({
    operationId: route.id,
    method: route.method,
    path: route.path,
    summary: route.summary,
    tags: [route.tag],
    security: route.access === 'key' ? SECURITY : [],
    request: {
      ...(names.length === 0 ? {} : { params: paramsSchema(names) }),
      ...(route.query === null ? {} : { query: route.query as z.ZodObject }),
      ...(route.access === 'key' ? { headers: headersSchema(route) } : {}),
      ...(route.body === null
        ? {}
        : {
            body: {
              required: route.isBodyRequired,
              content: { 'application/json': { schema: route.body } },
            },
          }),
    },
    responses: { ...describeAnswers(route), ...describeRefusals(route) },
  });
}

function describeAnswers({ answer, otherAnswers }: Route) {
  return Object.fromEntries(
    [answer, ...otherAnswers].map((one) => {
      const { status, description, contentType = 'application/json', forms = [] } = one;
      const isJson = contentType === 'application/json';
      const schema = one.schema ?? (isJson ? z.unknown() : z.string());
      const all = [{ contentType, schema }, ...forms];
      const content = Object.fromEntries(
        all.map((form) => [form.contentType, { schema: form.schema }]),
      );
      const headers = describeHeaders(one.headers ?? {});
      return [status, { description, headers, ...(status === 204 ? {} : { content }) }];
    }),
  );
}

function describeRefusals(route: Route) {
  const schema = route.face?.failureSchema ?? failureSchema;
  return Object.fromEntries(
    describeFailures(route).map(({ status, description, headers }) => [
      status,
      {
        description,
        headers: describeHeaders(headers),
        content: { 'application/json': { schema } },
      },
    ]),
  );
}

function describeHeaders(headers: Readonly<Record<string, string>>) {
  const own = Object.entries(headers).map(([name, description]) => [
    name,
    { description, schema: text() },
  ]);
  return { 'X-Request-Id': REQUEST_ID, ...Object.fromEntries(own) };
}

function text(): { type: 'string' } {
  return { type: 'string' };
}

function paramsSchema(names: readonly string[]): z.ZodObject {
  const describe = (name: string): z.ZodString =>
    z
      .string()
      .min(1)
      .openapi({ description: PARAMS[name] ?? '' });
  return z.object(Object.fromEntries(names.map((name) => [name, describe(name)])));
}

function headersSchema({ face, headers }: Route): z.ZodObject {
  const name = face?.organizationHeader === 'ib-context' ? 'IB-Context' : 'X-Organization';
  const organization = z.string().optional().openapi({
    description: 'The organization to act on, by id or name; another than its own: root keys.',
  });
  return z.object({ ...headers?.shape, [name]: organization });
}
