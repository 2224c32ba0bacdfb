/**
 * The body of an admin request as JSON. Bounded before it is held, strict about encoding and about what
 * follows the value; an empty body is `undefined`, whatever its content type.
 */
import { ControlError } from '../src/kernel/errors.ts';

/** Not a JSON text at all. Faces tell it from JSON that does not validate. */
export class MalformedBody extends ControlError {
  constructor(cause: unknown) {
    super('bad_request', { message: 'The body is not valid JSON.', cause });
  }
}

/** ControlError `payload_too_large` beyond `bytesMax`, `bad_request` for what is not one JSON value. */
export async function readJsonBody(request: Request, bytesMax: number): Promise<unknown> {
  const bytes = await readBytes(request, bytesMax);
  if (bytes.length === 0) return undefined;
  const encoding = request.headers.get('content-encoding') ?? 'identity';
  if (encoding !== 'identity') {
    throw new ControlError('bad_request', { message: 'The body must not be compressed.' });
  }
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    // The parser's own message quotes the text, which may be a value.
    throw new MalformedBody(cause);
  }
}

async function readBytes(request: Request, bytesMax: number): Promise<Uint8Array> {
  const announced = Number(request.headers.get('content-length') ?? 0);
  if (announced > bytesMax) throw tooLarge(bytesMax);
  if (request.body === null) return new Uint8Array();
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of request.body) {
    size += chunk.byteLength;
    // Leaving the loop cancels the stream: the rest is not read.
    if (size > bytesMax) throw tooLarge(bytesMax);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function tooLarge(bytesMax: number): ControlError {
  return new ControlError('payload_too_large', {
    message: `The request body is larger than ${bytesMax} bytes.`,
  });
}
