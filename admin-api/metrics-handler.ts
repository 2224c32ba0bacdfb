/**
 * `metrics.listen`: the metrics on a listener of their own, without a key, for a scraper on a network that
 * only operators reach. Serves `GET /metrics` and nothing else.
 */
import type { AdminHandler } from './handler.ts';
import { respondText } from './respond.ts';

interface MetricsText {
  text(): Promise<string>;
  readonly contentType: string;
}

export function createMetricsHandler(metrics: MetricsText): AdminHandler {
  return async (request) => {
    const { pathname } = new URL(request.url);
    if (request.method !== 'GET' || pathname !== '/metrics') {
      return respondText(404, 'not found\n', 'text/plain; charset=utf-8');
    }
    return respondText(200, await metrics.text(), metrics.contentType);
  };
}
