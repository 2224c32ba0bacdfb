/** The OpenAPI 3.1 document, generated from the schemas that validate. */
import { OpenAPIHono, createRoute, z } from '@hono/zod-openapi';
import { failureSchema } from './contract/failure.ts';
import type { Route } from './route.ts';

const SECURITY = [{ apiKey: [] }, { bearer: [] }];

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
  return app.getOpenAPI31Document({
    openapi: '3.1.0',
    info: {
      title: 'Sallyport admin API',
      version: '0.1.0',
      description:
        'Register secrets, create sandboxes, read what was done. Superserve’s secrets API, and more.',
      license: { name: 'Apache-2.0' },
    },
    servers: [{ url: '/' }],
  });
}

function describeRoute(route: Route) {
  const names = [...route.path.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => name);
  const isJson = route.answer.contentType === undefined;
  const schema = route.answer.schema ?? (isJson ? z.unknown() : z.string());
  const content =
    route.answer.status === 204
      ? {}
      : { content: { [route.answer.contentType ?? 'application/json']: { schema } } };
  return createRoute({
    method: route.method,
    path: route.path,
    summary: route.summary,
    tags: [route.tag],
    security: route.access === 'key' ? SECURITY : [],
    request: {
      ...(names.length === 0 ? {} : { params: paramsSchema(names) }),
      ...(route.query === null ? {} : { query: route.query as z.ZodObject }),
      ...(route.body === null
        ? {}
        : {
            body: {
              required: route.isBodyRequired,
              content: { 'application/json': { schema: route.body } },
            },
          }),
    },
    responses: {
      [route.answer.status]: { description: route.answer.description, ...content },
      default: {
        description: 'A failure.',
        content: { 'application/json': { schema: route.face?.failureSchema ?? failureSchema } },
      },
    },
  });
}

function paramsSchema(names: readonly string[]): z.ZodObject {
  return z.object(Object.fromEntries(names.map((name) => [name, z.string()])));
}
