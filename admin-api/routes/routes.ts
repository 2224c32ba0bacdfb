/** Every route: the native API in the order of the documentation, then the façades that are switched on. */
import { defineInstabaseRoutes } from '../compat/instabase-routes.ts';
import { defineTrueFoundryRoutes } from '../compat/truefoundry-routes.ts';
import { defineTrueFoundrySecretRoutes } from '../compat/truefoundry-secret-routes.ts';
import type { AdminDeps } from '../deps.ts';
import { renderDocsPage } from '../docs-page.ts';
import { createOpenApiDocument, documentSchema } from '../openapi.ts';
import { respondText } from '../respond.ts';
import { defineRoute, type Route } from '../route.ts';
import { defineActivityRoutes } from './activity.ts';
import { defineApiKeyRoutes } from './api-keys.ts';
import { defineAuthorityRoutes } from './authority.ts';
import { defineBindingRoutes } from './bindings.ts';
import { defineChainRoutes } from './chain.ts';
import { defineEventRoutes } from './events.ts';
import { defineExplainRoutes } from './explain.ts';
import { defineInstanceRoutes } from './instance.ts';
import { defineNetworkRoutes } from './network.ts';
import { defineOrganizationRoutes } from './organizations.ts';
import { defineProviderRoutes } from './providers.ts';
import { defineSandboxRoutes } from './sandboxes.ts';
import { defineSecretTestRoutes } from './secret-test.ts';
import { defineSecretRoutes } from './secrets.ts';
import { defineTrailRoutes } from './trail.ts';
import { defineVaultRoutes } from './vault.ts';
import { defineWebhookRoutes } from './webhooks.ts';
import { defineVersionRoutes } from './versions.ts';

export function defineRoutes(deps: AdminDeps): readonly Route[] {
  const routes: Route[] = [
    ...defineSecretRoutes(deps),
    ...defineVersionRoutes(deps),
    ...defineSecretTestRoutes(deps),
    ...defineProviderRoutes(deps),
    ...defineSandboxRoutes(deps),
    ...defineBindingRoutes(deps),
    ...defineNetworkRoutes(deps),
    ...defineActivityRoutes(deps),
    ...defineChainRoutes(deps),
    ...defineTrailRoutes(deps),
    ...defineEventRoutes(deps),
    ...defineOrganizationRoutes(deps),
    ...defineApiKeyRoutes(deps),
    ...defineExplainRoutes(deps),
    ...defineInstanceRoutes(deps),
    ...defineAuthorityRoutes(deps),
    ...defineVaultRoutes(deps),
    ...defineWebhookRoutes(deps),
    ...(deps.compat.instabase ? defineInstabaseRoutes(deps) : []),
    ...(deps.compat.truefoundry
      ? [...defineTrueFoundryRoutes(deps), ...defineTrueFoundrySecretRoutes(deps)]
      : []),
  ];
  // Made once: both are asked for without a key, and making them takes the thread that serves sandboxes.
  const openApiText = once(() => JSON.stringify(createOpenApiDocument(routes)));
  const docsPage = once(() => renderDocsPage(routes));
  routes.push(
    defineRoute({
      id: 'readOpenApi',
      method: 'get',
      path: '/openapi.json',
      summary: 'This API, as OpenAPI 3.1',
      tag: 'Instance',
      access: 'open',
      answer: { status: 200, description: 'The document.', schema: documentSchema },
      handle: () => respondText(200, openApiText(), 'application/json'),
    }),
    defineRoute({
      id: 'readDocs',
      method: 'get',
      path: '/docs',
      summary: 'This API, to read',
      tag: 'Instance',
      access: 'open',
      answer: { status: 200, description: 'A page.', contentType: 'text/html' },
      handle: () =>
        respondText(200, docsPage(), 'text/html', {
          'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'",
        }),
    }),
  );
  return routes;
}

function once(make: () => string): () => string {
  let made: string | null = null;
  return () => (made ??= make());
}
