/**
 * What must arrive at each provider of the catalogue beside the nineteen: written from the specification
 * and from the providers' documentation, not read from the catalogue, so that the two check each other.
 */

export interface ProviderRow {
  readonly provider: string;
  readonly host: string;
  readonly params?: Readonly<Record<string, string>>;
  /** Where the request goes; `/v1/things` unless said. In a `path` row the placeholder replaces `VALUE`. */
  readonly path: string;
  /** Every header field the value is in, in lower case. */
  readonly fields: Readonly<Record<string, (value: string) => string>>;
  /** The query key the value is in. */
  readonly query: string | null;
  readonly isInPath: boolean;
  /** Header fields in which the client's own credential is taken away. */
  readonly stripped: readonly string[];
  readonly strippedQuery: readonly string[];
  /** Added where the client sends none. */
  readonly companions: Readonly<Record<string, string>>;
  /** Companions that are set whatever the client sends. */
  readonly forced: Readonly<Record<string, string>>;
  /** Another host, or the same with another path, of somebody else. */
  readonly foreign: readonly string[];
  readonly foreignPath: string | null;
}

type Place = Pick<ProviderRow, 'fields' | 'query' | 'isInPath'>;
type More = Partial<Omit<ProviderRow, 'provider' | 'host' | keyof Place>>;

const nowhere: Place = { fields: {}, query: null, isInPath: false };
const field = (name: string, prefix = ''): Place => ({
  ...nowhere,
  fields: { [name]: (value) => prefix + value },
});
const bearer = field('authorization', 'Bearer ');
const raw = field('authorization');
const basic = (user: string): Place => ({
  ...nowhere,
  fields: {
    authorization: (value) => `Basic ${Buffer.from(`${user}:${value}`).toString('base64')}`,
  },
});
const query = (key: string): Place => ({ ...nowhere, query: key });
const inPath: Place = { ...nowhere, isInPath: true };

function rows(provider: string, hosts: string, place: Place, more: More = {}): ProviderRow[] {
  return hosts.split(' ').map((host) => ({
    provider,
    host,
    path: '/v1/things',
    stripped: [],
    strippedQuery: [],
    companions: {},
    forced: {},
    foreign: [],
    foreignPath: null,
    ...place,
    ...more,
  }));
}

const google = { stripped: ['x-goog-api-key'], strippedQuery: ['key', 'access_token'] };
const www = (path: string, foreignPath = '/other/v1'): More => ({ ...google, path, foreignPath });
const gitlab = {
  stripped: ['private-token', 'job-token', 'deploy-token'],
  strippedQuery: ['private_token'],
};
const azure = { params: { resource: 'acme' }, foreign: ['mallory.openai.azure.com'] };
const supabase = {
  params: { ref: 'abcdefghijklmnopqrst' },
  strippedQuery: ['apikey'],
  foreign: ['zzzzzzzzzzzzzzzzzzzz.supabase.co'],
};
const datadog = { params: { site: 'us3.datadoghq.com' }, foreign: ['api.datadoghq.eu'] };
const sid = `AC${'0123456789abcdef'.repeat(2)}`;
const site = { site: 'acme' };
const me = { email: 'me@acme.example' };

const LLM: readonly ProviderRow[][] = [
  rows('anthropic-oauth', 'api.anthropic.com', bearer, {
    stripped: ['x-api-key'],
    companions: { 'anthropic-version': '2023-06-01', 'anthropic-beta': 'oauth-2025-04-20' },
  }),
  rows('azure-openai', 'acme.openai.azure.com', field('api-key'), {
    ...azure,
    stripped: ['authorization', 'ocp-apim-subscription-key'],
    strippedQuery: ['api-key'],
  }),
  rows('azure-openai-entra', 'acme.openai.azure.com', bearer, { ...azure, stripped: ['api-key'] }),
  rows('vertex-ai', 'aiplatform.googleapis.com europe-west1-aiplatform.googleapis.com', bearer, {
    ...google,
    params: { location: 'europe-west1' },
  }),
  rows('bedrock', 'bedrock-runtime.us-east-1.amazonaws.com', bearer, {
    params: { region: 'us-east-1' },
    stripped: ['x-amz-security-token'],
    foreign: ['bedrock-runtime.eu-west-1.amazonaws.com'],
  }),
  rows('mistral', 'api.mistral.ai', bearer, { foreign: ['codestral.mistral.ai'] }),
  rows('mistral-codestral', 'codestral.mistral.ai', bearer),
  rows('groq', 'api.groq.com', bearer),
  rows('cohere', 'api.cohere.com api.cohere.ai', bearer),
  rows('deepseek', 'api.deepseek.com', bearer),
  rows('together', 'api.together.ai api.together.xyz', bearer),
  rows('fireworks', 'api.fireworks.ai', bearer),
  rows('replicate', 'api.replicate.com', bearer, { foreign: ['replicate.delivery'] }),
  rows('huggingface', 'huggingface.co router.huggingface.co', bearer, {
    foreign: ['cdn-lfs.huggingface.co', 'cas-bridge.xethub.hf.co'],
  }),
  rows('huggingface-endpoint', 'abc.us-east-1.aws.endpoints.huggingface.cloud', bearer, {
    params: { endpoint: 'abc', region: 'us-east-1', cloud: 'aws' },
    foreign: ['xyz.us-east-1.aws.endpoints.huggingface.cloud'],
  }),
  rows('elevenlabs', 'api.elevenlabs.io', field('xi-api-key'), { stripped: ['authorization'] }),
  rows('deepgram', 'api.deepgram.com', field('authorization', 'Token ')),
  rows('assemblyai', 'api.assemblyai.com api.eu.assemblyai.com', raw),
  rows('cerebras', 'api.cerebras.ai', bearer),
  rows('nebius', 'api.tokenfactory.nebius.com', bearer),
  rows('sambanova', 'api.sambanova.ai', bearer, { stripped: ['x-api-key'] }),
  rows('voyage', 'api.voyageai.com', bearer),
  rows('jina', 'api.jina.ai', bearer),
  rows('github-copilot', 'api.githubcopilot.com', bearer),
  rows(
    'github-copilot',
    'api.business.githubcopilot.com api.enterprise.githubcopilot.com',
    field('authorization', 'token '),
  ),
  rows('github-copilot-ghe', 'copilot-api.acme.ghe.com', field('authorization', 'token '), {
    params: { subdomain: 'acme' },
    foreign: ['copilot-api.mallory.ghe.com'],
  }),
];

const CODE: readonly ProviderRow[][] = [
  rows('github-full', 'api.github.com uploads.github.com raw.githubusercontent.com', bearer, {
    strippedQuery: ['access_token'],
    foreign: ['objects.githubusercontent.com'],
  }),
  rows('github-full', 'github.com', basic('x-access-token'), {
    path: '/o/r.git/info/refs?service=git-upload-pack',
  }),
  rows('github-full', 'ghcr.io', basic('x-access-token'), {
    path: '/token?service=ghcr.io',
    foreignPath: '/v2/o/r/manifests/latest',
  }),
  rows('ghcr', 'ghcr.io', basic('octocat'), {
    params: { username: 'octocat' },
    path: '/token?service=ghcr.io',
    foreignPath: '/v2/o/r/manifests/latest',
  }),
  rows('gitlab-git', 'gitlab.com', basic('oauth2'), {
    ...gitlab,
    path: '/acme/team/project.git/info/refs?service=git-upload-pack',
    foreignPath: '/acme/project/-/issues',
  }),
  rows('gitlab-self-managed', 'git.acme.example', field('private-token'), {
    params: { host: 'git.acme.example' },
    stripped: ['authorization', 'job-token', 'deploy-token'],
    strippedQuery: ['private_token'],
    path: '/api/v4/projects',
    foreign: ['gitlab.com'],
  }),
  rows('gitlab-self-managed-git', 'git.acme.example', basic('oauth2'), {
    ...gitlab,
    params: { host: 'git.acme.example' },
    path: '/acme/project.git/git-receive-pack',
    foreignPath: '/api/v4/projects',
  }),
  rows('bitbucket-api-token', 'api.bitbucket.org', basic(me.email), { params: me }),
  rows('bitbucket-api-token', 'bitbucket.org', basic('x-bitbucket-api-token-auth'), { params: me }),
  rows('bitbucket-access-token', 'api.bitbucket.org', bearer, { strippedQuery: ['access_token'] }),
  rows('bitbucket-access-token', 'bitbucket.org', basic('x-token-auth')),
  rows('azure-devops', 'dev.azure.com vssps.dev.azure.com pkgs.dev.azure.com', basic('')),
  rows('azure-devops-legacy', 'acme.visualstudio.com', basic(''), {
    params: { organization: 'acme' },
    foreign: ['mallory.visualstudio.com'],
  }),
  rows('docker-hub', 'auth.docker.io', basic('whale'), {
    params: { username: 'whale' },
    path: '/token?service=registry.docker.io',
    foreign: ['registry-1.docker.io', 'hub.docker.com'],
  }),
  rows('azure-container-registry', 'acmereg.azurecr.io', basic('push'), {
    params: { registry: 'acmereg', username: 'push' },
    path: '/oauth2/token',
    foreign: ['mallory.azurecr.io'],
    foreignPath: '/v2/app/manifests/latest',
  }),
  rows('cloudflare-legacy', 'api.cloudflare.com', field('x-auth-key'), {
    params: me,
    stripped: ['authorization', 'x-auth-user-service-key'],
    forced: { 'x-auth-email': me.email },
  }),
  rows('netlify', 'api.netlify.com', bearer, { strippedQuery: ['access_token'] }),
  rows('digitalocean', 'api.digitalocean.com', bearer, {
    foreign: ['bucket.nyc3.digitaloceanspaces.com'],
  }),
  rows('heroku', 'api.heroku.com', bearer, {
    companions: { accept: 'application/vnd.heroku+json; version=3' },
  }),
  rows('heroku', 'git.heroku.com', basic('x'), { path: '/app.git/info/refs' }),
  rows('fly', 'api.machines.dev api.fly.io', bearer),
  rows('fly-macaroon', 'api.machines.dev api.fly.io', raw),
  rows('supabase-secret', 'abcdefghijklmnopqrst.supabase.co', field('apikey'), {
    ...supabase,
    stripped: ['authorization'],
  }),
  rows(
    'supabase-legacy',
    'abcdefghijklmnopqrst.supabase.co',
    { ...nowhere, fields: { ...field('apikey').fields, ...bearer.fields } },
    supabase,
  ),
  rows('supabase-management', 'api.supabase.com', bearer),
  rows('neon', 'console.neon.tech', bearer),
  rows('planetscale', 'api.planetscale.com', field('authorization', 'tid123456789:'), {
    params: { token_id: 'tid123456789' },
  }),
  rows('railway', 'backboard.railway.com', bearer, { stripped: ['project-access-token'] }),
  rows('railway-project', 'backboard.railway.com', field('project-access-token'), {
    stripped: ['authorization'],
  }),
  rows('render', 'api.render.com', bearer),
  rows('gcp', 'compute.googleapis.com', bearer, {
    ...google,
    params: { service: 'compute' },
    foreign: ['storage.googleapis.com'],
  }),
  rows('google-calendar', 'www.googleapis.com', bearer, www('/calendar/v3/calendars', '/drive/v3')),
  rows('google-drive', 'www.googleapis.com', bearer, www('/upload/drive/v3/files', '/calendar/v3')),
  rows('google-gmail', 'gmail.googleapis.com', bearer, google),
  rows('google-gmail', 'www.googleapis.com', bearer, www('/gmail/v1/users/me')),
  rows('google-youtube', 'www.googleapis.com', bearer, www('/youtube/v3/search')),
  rows('terraform-cloud', 'app.terraform.io', bearer),
  rows('tailscale', 'api.tailscale.com', bearer),
];

const WORK: readonly ProviderRow[][] = [
  rows('slack-app', 'slack.com', bearer, {
    path: '/api/apps.connections.open',
    foreignPath: '/api/chat.postMessage',
    foreign: ['wss-primary.slack.com'],
  }),
  rows('slack-files', 'files.slack.com', bearer, { foreign: ['a.slack-edge.com'] }),
  rows('linear-oauth', 'api.linear.app', bearer),
  rows('jira', 'acme.atlassian.net', basic(me.email), {
    params: { ...site, ...me },
    foreign: ['mallory.atlassian.net'],
  }),
  rows('confluence', 'acme.atlassian.net', basic(me.email), {
    params: { ...site, ...me },
    path: '/wiki/rest/api/space',
    foreign: ['mallory.atlassian.net'],
    foreignPath: '/rest/api/3/myself',
  }),
  rows('jira-oauth', 'api.atlassian.com', bearer, {
    path: '/ex/jira/1/rest',
    foreignPath: '/ex/confluence/1/rest',
  }),
  rows('confluence-oauth', 'api.atlassian.com', bearer, {
    path: '/ex/confluence/1/rest',
    foreignPath: '/ex/jira/1/rest',
  }),
  rows('airtable', 'api.airtable.com content.airtable.com', bearer, {
    strippedQuery: ['api_key'],
  }),
  rows('hubspot', 'api.hubapi.com api.hubspot.com', bearer, { strippedQuery: ['hapikey'] }),
  rows('shopify', 'acme.myshopify.com', field('x-shopify-access-token'), {
    params: { shop: 'acme' },
    stripped: ['authorization'],
    foreign: ['mallory.myshopify.com'],
  }),
  rows('stripe-files', 'files.stripe.com', bearer),
  rows('discord', 'discord.com', field('authorization', 'Bot '), {
    path: '/api/v10/users/@me',
    foreign: ['cdn.discordapp.com'],
    foreignPath: '/login',
  }),
  rows('discord-webhook', 'discord.com', inPath, { path: '/api/webhooks/42/VALUE' }),
  rows('telegram', 'api.telegram.org', inPath, { path: '/botVALUE/getMe' }),
  rows('telegram', 'api.telegram.org', inPath, { path: '/file/botVALUE/photos/1.jpg' }),
  rows('twilio', 'api.twilio.com', basic(sid), { params: { sid } }),
  rows('twilio-product', 'verify.twilio.com', basic(sid), {
    params: { product: 'verify', sid },
    foreign: ['lookups.twilio.com'],
  }),
  rows('sendgrid', 'api.sendgrid.com', bearer),
  rows('mailgun', 'api.mailgun.net api.eu.mailgun.net', basic('api')),
  rows('postmark', 'api.postmarkapp.com', field('x-postmark-server-token')),
  rows('postmark-account', 'api.postmarkapp.com', field('x-postmark-account-token')),
  rows('brevo', 'api.brevo.com', field('api-key'), { stripped: ['authorization'] }),
  rows('datadog-api', 'api.us3.datadoghq.com', field('dd-api-key'), {
    ...datadog,
    strippedQuery: ['api_key'],
  }),
  rows('datadog-app', 'api.us3.datadoghq.com', field('dd-application-key'), {
    ...datadog,
    strippedQuery: ['application_key'],
  }),
  rows('sentry-regional', 'de.sentry.io', bearer, {
    params: { region: 'de' },
    stripped: ['x-sentry-auth'],
    strippedQuery: ['sentry_key'],
    foreign: ['us.sentry.io', 'o1.ingest.de.sentry.io'],
  }),
  rows('pagerduty', 'api.pagerduty.com', field('authorization', 'Token token='), {
    companions: { accept: 'application/vnd.pagerduty+json;version=2' },
    foreign: ['events.pagerduty.com'],
  }),
  rows('grafana', 'acme.grafana.net', bearer, {
    params: { stack: 'acme' },
    foreign: ['mallory.grafana.net'],
  }),
  rows('grafana-self-managed', 'grafana.acme.example', bearer, {
    params: { host: 'grafana.acme.example' },
    foreign: ['acme.grafana.net'],
  }),
  rows('grafana-cloud-data', 'logs-prod-eu-west-0.grafana.net', basic('123456'), {
    params: { endpoint: 'logs-prod-eu-west-0', instance_id: '123456' },
    foreign: ['mallory.grafana.net'],
  }),
  rows('honeycomb', 'api.honeycomb.io', field('x-honeycomb-team')),
  rows('newrelic', 'api.newrelic.com api.eu.newrelic.com', field('api-key'), {
    stripped: ['x-api-key'],
  }),
  rows('posthog', 'eu.posthog.com', bearer, {
    params: { region: 'eu' },
    strippedQuery: ['personal_api_key'],
    foreign: ['us.posthog.com'],
  }),
  rows('pinecone', 'api.pinecone.io', field('api-key'), {
    stripped: ['authorization'],
    companions: { 'x-pinecone-api-version': '2025-10' },
  }),
  rows('pinecone-index', 'docs-a1b2.svc.aped-4627-b74a.pinecone.io', field('api-key'), {
    params: { index: 'docs-a1b2', environment: 'aped-4627-b74a' },
    companions: { 'x-pinecone-api-version': '2025-10' },
    foreign: ['docs-zzzz.svc.aped-4627-b74a.pinecone.io'],
  }),
  rows(
    'algolia',
    'abc123def4.algolia.net abc123def4-dsn.algolia.net abc123def4-1.algolianet.com',
    field('x-algolia-api-key'),
    {
      params: { app: 'ABC123DEF4' },
      strippedQuery: ['x-algolia-api-key', 'x-algolia-application-id'],
      forced: { 'x-algolia-application-id': 'ABC123DEF4' },
      foreign: ['zzz123def4.algolia.net', 'zzz123def4-1.algolianet.com'],
    },
  ),
  rows('clickup', 'api.clickup.com', raw),
  rows('monday', 'api.monday.com', raw),
  rows('figma', 'api.figma.com', field('x-figma-token'), { stripped: ['authorization'] }),
  rows('figma-oauth', 'api.figma.com', bearer, { stripped: ['x-figma-token'] }),
  rows('trello-key', 'api.trello.com', query('key')),
  rows('trello-token', 'api.trello.com', query('token'), { stripped: ['authorization'] }),
  rows('zendesk', 'acme.zendesk.com', basic(`${me.email}/token`), {
    params: { subdomain: 'acme', ...me },
    foreign: ['mallory.zendesk.com'],
  }),
  rows('okta', 'acme.okta.com', field('authorization', 'SSWS '), {
    params: { org: 'acme' },
    foreign: ['mallory.okta.com'],
  }),
  rows('salesforce', 'acme.my.salesforce.com', bearer, {
    params: { instance: 'acme' },
    foreign: ['mallory.my.salesforce.com'],
  }),
  rows('microsoft-graph', 'graph.microsoft.com', bearer),
  rows('snowflake', 'acme.snowflakecomputing.com', bearer, {
    params: { account: 'acme' },
    forced: { 'x-snowflake-authorization-token-type': 'KEYPAIR_JWT' },
    foreign: ['mallory.snowflakecomputing.com'],
  }),
];

const SEARCH: readonly ProviderRow[][] = [
  rows('tavily', 'api.tavily.com', bearer),
  rows('brave-search', 'api.search.brave.com', field('x-subscription-token'), {
    stripped: ['authorization'],
    companions: { accept: 'application/json' },
  }),
  rows('serpapi', 'serpapi.com', query('api_key'), { path: '/search.json?q=tea%2Bmilk' }),
  rows('apify', 'api.apify.com', bearer, { strippedQuery: ['token'] }),
  rows('rapidapi', 'weather.p.rapidapi.com', field('x-rapidapi-key'), {
    params: { api: 'weather' },
    strippedQuery: ['rapidapi-key'],
    companions: { 'x-rapidapi-host': 'weather.p.rapidapi.com' },
    foreign: ['stocks.p.rapidapi.com'],
  }),
  rows('google-maps', 'maps.googleapis.com', query('key'), {
    stripped: ['x-goog-api-key', 'authorization'],
    strippedQuery: ['access_token'],
  }),
  rows('openweathermap', 'api.openweathermap.org', query('appid'), {
    stripped: ['x-api-key'],
    strippedQuery: ['APPID'],
  }),
  rows('alphavantage', 'www.alphavantage.co', query('apikey')),
  rows('newsapi', 'newsapi.org', field('x-api-key'), {
    stripped: ['authorization'],
    strippedQuery: ['apiKey'],
  }),
];

export const PROVIDER_ROWS: readonly ProviderRow[] = [LLM, CODE, WORK, SEARCH].flat(2);
