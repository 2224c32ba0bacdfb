/**
 * The API to read in a browser: one static page, no script, nothing from another host. The precise schemas
 * are in `/openapi.json`; this page lists what there is and links there.
 */
import type { Route } from './route.ts';

export function renderDocsPage(routes: readonly Route[]): string {
  const tags = [...new Set(routes.map((route) => route.tag))];
  const sections = tags.map((tag) => {
    const rows = routes.filter((route) => route.tag === tag).map(renderRow);
    return `<h2>${escapeHtml(tag)}</h2><table>${rows.join('')}</table>`;
  });
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Sallyport admin API</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; }
td { padding: .3rem .6rem; border-bottom: 1px solid #ddd; vertical-align: top; }
code { font-family: ui-monospace, monospace; white-space: nowrap; }
</style></head><body>
<h1>Sallyport admin API</h1>
<p>Send your key as <code>X-API-Key</code> or <code>Authorization: Bearer</code>.
Every schema is in <a href="openapi.json">openapi.json</a> (OpenAPI 3.1).</p>
${sections.join('\n')}
</body></html>
`;
}

function renderRow(route: Route): string {
  const call = `${route.method.toUpperCase()} ${route.path}`;
  const access = route.access === 'open' ? 'no key' : '';
  const answer = `${route.answer.status} ${route.answer.description}`;
  const cells = [
    `<code>${escapeHtml(call)}</code>`,
    ...[route.summary, answer, access].map(escapeHtml),
  ];
  return `<tr>${cells.map((cell) => `<td>${cell}</td>`).join('')}</tr>`;
}

function escapeHtml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}
