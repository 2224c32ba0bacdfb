/**
 * An origin that proves a stream is passed on as it comes, without a clock: it sends the first piece and
 * goes on only after the client, having seen it, made another request.
 */
import type { OriginHandler } from '../support/origin.ts';

export interface HeldStream {
  /** Head and first piece at once, the rest when released. */
  readonly stream: OriginHandler;
  /** Answers like `reply` of its making, and lets the stream go on. */
  readonly release: OriginHandler;
}

export interface HeldStreamPlan {
  readonly contentType: string;
  readonly first: string;
  readonly rest: string;
  /** JSON the releasing request is answered with. */
  readonly answer?: unknown;
  /** `cut`: the connection breaks where the rest would come. */
  readonly end?: 'complete' | 'cut';
}

export function holdStream(plan: HeldStreamPlan): HeldStream {
  let go: (() => void) | undefined;
  return {
    async stream(request, response, body) {
      await body();
      const released = new Promise<void>((resolve) => {
        go = resolve;
      });
      response.writeHead(200, ['Content-Type', plan.contentType]);
      response.write(plan.first);
      await released;
      if (plan.end === 'cut') request.socket.destroy();
      else response.end(plan.rest);
    },
    async release(_request, response, body) {
      await body();
      response.writeHead(200, ['Content-Type', 'application/json']);
      response.end(JSON.stringify(plan.answer ?? {}));
      go?.();
    },
  };
}
