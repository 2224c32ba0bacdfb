/**
 * What a client sees of the answer to a request that carried secrets: values masked in every head, the
 * body and the trailers, and `Sallyport-Masking` saying so, or why not (spec section 8). Stands in front
 * of the client's stream for what comes from the origin; refusals of ours do not pass here.
 */
import { maskedFields, maskedText } from '../src/mask/masked-text.ts';
import type { ResponseMask, UnmaskedReason } from '../src/mask/mask-book.ts';
import { MaskStream } from '../src/mask/mask-stream.ts';
import { contentCodings } from '../src/wire/content-codings.ts';
import type { ClientStream } from './client-stream.ts';

/** The part of a client's stream that an answer goes to. */
export type ResponseSink = Pick<ClientStream, 'sendInformation' | 'sendHead' | 'write' | 'end'>;

/** A closed list: docs/decisions/0018. */
type OffReason = UnmaskedReason | 'range' | 'encoding' | 'upgraded';

/** `client` itself where the request carried nothing. */
export function responseSink(client: ClientStream, mask: ResponseMask | undefined): ResponseSink {
  return mask === undefined ? client : new MaskedResponse(client, mask);
}

/** What a 101 says. */
export interface SwitchingHead {
  readonly reason: string;
  readonly fields: readonly string[];
}

/** The head is masked; what comes after it is not. */
export function switchingHead(
  reason: string,
  fields: readonly string[],
  mask: ResponseMask | undefined,
): SwitchingHead {
  if (mask === undefined) return { reason, fields };
  return {
    reason: visibleText(mask, reason),
    fields: withStatement(visibleFields(mask, fields), mask.reason ?? 'upgraded'),
  };
}

class MaskedResponse implements ResponseSink {
  readonly #client: ClientStream;
  readonly #mask: ResponseMask;
  #body: MaskStream | null = null;

  constructor(client: ClientStream, mask: ResponseMask) {
    this.#client = client;
    this.#mask = mask;
  }

  sendInformation(status: number, fields: readonly string[]): void {
    this.#client.sendInformation(status, visibleFields(this.#mask, fields));
  }

  sendHead(
    status: number,
    statusText: string,
    fields: readonly string[],
    neverIndexed?: readonly string[],
  ): void {
    const { matcher } = this.#mask;
    const reason = this.#mask.reason ?? bodyReason(status, fields);
    if (matcher !== null && reason === null) this.#body = new MaskStream(matcher);
    this.#client.sendHead(
      status,
      visibleText(this.#mask, statusText),
      withStatement(visibleFields(this.#mask, fields), reason),
      neverIndexed,
    );
  }

  write(chunk: Buffer): boolean {
    const visible = this.#body === null ? chunk : this.#body.push(chunk);
    return visible.length === 0 || this.#client.write(visible);
  }

  end(trailers: readonly string[]): void {
    const rest = this.#body?.end();
    if (rest !== undefined && rest.length > 0) this.#client.write(rest);
    this.#client.end(visibleFields(this.#mask, trailers));
  }
}

function visibleText({ matcher }: ResponseMask, text: string): string {
  return matcher === null ? text : maskedText(matcher, text);
}

function visibleFields({ matcher }: ResponseMask, fields: readonly string[]): readonly string[] {
  return matcher === null ? fields : maskedFields(matcher, fields);
}

function withStatement(fields: readonly string[], reason: OffReason | null): readonly string[] {
  return [...fields, 'Sallyport-Masking', reason === null ? 'on' : `off; reason=${reason}`];
}

/** Why this body passes as it is. A part of a body may begin in the middle of a value. */
function bodyReason(status: number, fields: readonly string[]): OffReason | null {
  if (status === 206) return 'range';
  if (status === 204 || status === 304) return null;
  return contentCodings(fields).length === 0 ? null : 'encoding';
}
