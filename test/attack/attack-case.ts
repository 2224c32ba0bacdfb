/**
 * One row of the attack corpus: raw bytes, and what may come of them. `{{host}}` stands for the authority
 * of the tunnel. Whatever a row expects, the rules of `verdict.ts` hold for every request that arrives.
 */

/** What the client tries to get upstream as its own: must be in no head that arrives. */
export const ATTACKER_TOKEN = 'attacker-token';
/** Target of a request that only smuggling could make. */
export const SMUGGLED_TARGET = '/smuggled';

export interface AttackCase {
  readonly name: string;
  /** latin1, with `{{host}}`. */
  readonly raw: string;
  /**
   * `refused`: no complete request arrives. `arrives`: exactly `requests`. `either`: refused, or exactly
   * those (where the specification leaves the choice).
   */
  readonly expect: 'refused' | 'arrives' | 'either';
  /** Requests that arrive unless refused; 1. */
  readonly requests: number;
  /** Final responses the client gets; `requests`, and one for a refusal. */
  readonly responses: number;
  /** The client goes away before the request is complete: no answer is owed. */
  readonly isCutOff: boolean;
  /** Texts that must not arrive in any byte, beside the attacker's token. */
  readonly absent: readonly string[];
  /** The body that must arrive, where it matters that nothing was added or lost. */
  readonly body: string | null;
}

type Options = Partial<Omit<AttackCase, 'name' | 'raw' | 'expect'>>;

/** A row; `lines` are joined and ended with CRLF where they are an array, taken as they are otherwise. */
export function attack(
  name: string,
  expect: AttackCase['expect'],
  raw: string,
  options: Options = {},
): AttackCase {
  const requests = options.requests ?? (expect === 'refused' ? 0 : 1);
  return {
    name,
    raw,
    expect,
    requests,
    responses: options.responses ?? Math.max(requests, 1),
    isCutOff: options.isCutOff ?? false,
    absent: options.absent ?? [],
    body: options.body ?? null,
  };
}

/** A head: request line, `Host`, the given lines, the empty line. */
export function head(requestLine: string, ...lines: readonly string[]): string {
  return [requestLine, 'Host: {{host}}', ...lines, '', ''].join('\r\n');
}

/** What a front that read one body and a back that read another would disagree about. */
export const SMUGGLED_REQUEST = `GET ${SMUGGLED_TARGET} HTTP/1.1\r\nHost: {{host}}\r\n\r\n`;
