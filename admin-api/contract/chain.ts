/** The verification of the trail's hash chains on the wire: a line of JSON a report. */
import { z } from '@hono/zod-openapi';
import type { ChainHead, ChainReport } from '../../src/audit/chain-verifier.ts';
import { fieldError } from '../../src/kernel/field-error.ts';

const HEAD = /^(uses|plain):(\d{1,15}):([0-9a-f]{64})$/;
const HEADS_MAX = 32;

export const verifyQuery = z.strictObject({
  known: z
    .string()
    .optional()
    .openapi({ description: 'Heads of an earlier verification, with commas between.' }),
});

export const chainReportSchema = z
  .object({
    chain: z.enum(['uses', 'plain']),
    rows: z.int(),
    after_id: z.int(),
    last_id: z.int(),
    intact: z.boolean().nullable().openapi({ description: 'null: goes on.' }),
    broken_id: z.int().nullable().openapi({ description: 'The first row that does not fit.' }),
    unknown_heads: z.array(z.string()),
    head: z.string().nullable().openapi({ description: 'To note, and to give as known= later.' }),
  })
  .openapi('ChainReport');

/** ControlError `bad_request`. */
export function parseHeads(text: string | undefined): readonly ChainHead[] {
  if (text === undefined || text.trim() === '') return [];
  const parts = text.split(',');
  if (parts.length > HEADS_MAX) throw fieldError('known', `must have at most ${HEADS_MAX} heads`);
  return parts.map((part) => {
    const match = HEAD.exec(part.trim());
    if (match === null) throw fieldError('known', 'must be heads as an earlier verification told');
    const chain = match[1] === 'uses' ? 'uses' : 'plain';
    return { chain, id: Number(match[2]), hash: match[3] ?? '' };
  });
}

export function describeReport(report: ChainReport): z.infer<typeof chainReportSchema> {
  return {
    chain: report.chain,
    rows: report.rows,
    after_id: report.afterId,
    last_id: report.lastId,
    intact: report.isIntact,
    broken_id: report.brokenId,
    unknown_heads: report.unknownHeads.map(formatHead),
    head: report.head === null ? null : formatHead(report.head),
  };
}

function formatHead({ chain, id, hash }: ChainHead): string {
  return `${chain}:${id}:${hash}`;
}
