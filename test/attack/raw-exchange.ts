/**
 * A client below HTTP: writes bytes as they are, reads so many final responses or to the end, goes away.
 * Reads only what our answers and the recording origin's look like; a hang is a result, not an error.
 */
import type { Duplex } from 'node:stream';

export interface RawExchangePlan {
  /** Final responses to wait for. */
  readonly responses: number;
  readonly isHead?: boolean;
  /** Leave shortly after writing, without waiting for an answer. */
  readonly isCutOff?: boolean;
  /** Nothing follows: the sending side is closed behind the bytes. */
  readonly isHalfClosed?: boolean;
}

export interface RawExchange {
  readonly statuses: readonly number[];
  readonly bodies: readonly string[];
  /** Neither enough responses nor an end came. */
  readonly hung: boolean;
  readonly responseBytes: Buffer;
}

const HANG_MS = 4_000;
/** Long enough for the proxy to have begun forwarding, which makes the cut the interesting one. */
const CUT_OFF_MS = 60;

export async function exchangeRaw(
  stream: Duplex,
  bytes: Buffer,
  plan: RawExchangePlan,
): Promise<RawExchange> {
  const chunks: Buffer[] = [];
  const isHead = plan.isHead ?? false;
  const read = () => readResponses(Buffer.concat(chunks).toString('latin1'), isHead);
  const hung = await new Promise<boolean>((resolve) => {
    const timer = setTimeout(() => resolve(true), plan.isCutOff ? CUT_OFF_MS : HANG_MS);
    const finish = () => {
      clearTimeout(timer);
      resolve(false);
    };
    stream.on('data', (chunk: Buffer) => {
      chunks.push(chunk);
      if (plan.isCutOff !== true && read().length >= plan.responses) finish();
    });
    stream.on('error', finish);
    stream.on('end', finish);
    stream.on('close', finish);
    if (plan.isHalfClosed === true) stream.end(bytes);
    else stream.write(bytes);
  });
  stream.destroy();
  const responses = read();
  return {
    statuses: responses.map(({ status }) => status),
    bodies: responses.map(({ body }) => body),
    hung,
    responseBytes: Buffer.concat(chunks),
  };
}

interface Response {
  readonly status: number;
  readonly body: string;
}

/** The complete final responses at the beginning of `text`. */
function readResponses(text: string, isHead: boolean): Response[] {
  const responses: Response[] = [];
  for (let at = 0; ;) {
    const headEnd = text.indexOf('\r\n\r\n', at);
    if (headEnd < 0) return responses;
    const head = text.slice(at, headEnd);
    const status = Number(/^HTTP\/1\.[01] ([0-9]{3})/.exec(head)?.[1] ?? 0);
    at = headEnd + 4;
    if (status >= 100 && status < 200 && status !== 101) continue;
    const length = isHead ? 0 : Number(/\r\ncontent-length: *([0-9]+)/i.exec(head)?.[1] ?? 0);
    if (text.length < at + length) return responses;
    responses.push({ status, body: text.slice(at, at + length) });
    at += length;
  }
}
