/**
 * Bodies that are made while they are sent, as fast as the client reads and no faster: memory stays flat
 * whatever the length. What fails before the first piece is an ordinary failure; later it breaks the body
 * off, which the client sees.
 */
const HEADERS = { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' };

/** Pieces may be empty; they are not sent. When the client is gone the generator ends, `gone` first. */
export async function respondStream(
  pieces: AsyncGenerator<string>,
  contentType: string,
  headers: Readonly<Record<string, string>> = {},
  gone: AbortController = new AbortController(),
): Promise<Response> {
  let piece: IteratorResult<string, unknown> | null = await pieces.next();
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      for (;;) {
        const current: IteratorResult<string, unknown> = piece ?? (await pieces.next());
        piece = null;
        if (current.done === true) {
          controller.close();
          return;
        }
        if (current.value === '') continue;
        controller.enqueue(Buffer.from(current.value));
        return;
      }
    },
    async cancel() {
      gone.abort();
      await pieces.return(undefined);
    },
  });
  return new Response(body, { headers: { ...HEADERS, 'content-type': contentType, ...headers } });
}
