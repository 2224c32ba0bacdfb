/** `/audit/verify`: is the trail as it was written? Role admin. */
import type { ChainReport } from '../../src/audit/chain-verifier.ts';
import { ControlError } from '../../src/kernel/errors.ts';
import { chainReportSchema, describeReport, parseHeads, verifyQuery } from '../contract/chain.ts';
import type { AdminDeps } from '../deps.ts';
import { respondStream } from '../respond-stream.ts';
import { defineRoute, type Route } from '../route.ts';

export function defineChainRoutes({ chainVerifier }: AdminDeps): Route[] {
  return [
    defineRoute({
      id: 'verifyAudit',
      method: 'get',
      path: '/audit/verify',
      summary:
        'Walk the hash chains of the trail (audit.chain: on), as NDJSON; 409 while it is off',
      tag: 'Trails',
      query: verifyQuery,
      answer: {
        status: 200,
        description: 'A line a page, and a last one of each chain.',
        schema: chainReportSchema,
        contentType: 'application/x-ndjson',
      },
      refuses: ['conflict'],
      handle: ({ actor, query }) => {
        const reports = chainVerifier.verify(actor, parseHeads(query.known));
        return respondStream(formatLines(reports), 'application/x-ndjson; charset=utf-8');
      },
    }),
  ];
}

async function* formatLines(reports: AsyncGenerator<ChainReport>): AsyncGenerator<string> {
  let isEmpty = true;
  for await (const report of reports) {
    isEmpty = false;
    yield `${JSON.stringify(describeReport(report))}\n`;
  }
  if (isEmpty) {
    throw new ControlError('conflict', {
      message: 'There is no hash chain: audit.chain is off, or nothing was recorded since.',
    });
  }
}
