/**
 * What the soak knows to be true: which values each secret had and when, what each client asked and got.
 * The origin and the clients write here; the verdict reads. Values are canaries, made at run time.
 */
import { mintCanary } from '../support/canary.ts';

export interface SoakSecret {
  readonly name: string;
  /** All values it ever had; the last one is the newest that may be in use. */
  readonly values: string[];
  /** Up to here rotations were acknowledged: an older value in a request begun later is a fault. */
  acknowledged: number;
}

export interface ClientCount {
  /** Requests whose head was written. */
  sent: number;
  /** Final answers read, refusals included. */
  answered: number;
  /** Requests of this client that the origin got. */
  arrived: number;
}

export class SoakLedger {
  readonly secrets: SoakSecret[];
  /** Clients whose bindings come and go. */
  readonly disturbed = new Set<string>();
  readonly counts = new Map<string, ClientCount>();
  /** What went wrong → how often, and with whom first. */
  readonly faults = new Map<string, { count: number; readonly first: string }>();
  readonly #generationOf = new Map<string, { secret: number; generation: number }>();

  constructor(secretCount: number) {
    this.secrets = Array.from({ length: secretCount }, (_, index) => {
      const value = mintCanary(`soak${index}-`);
      this.#generationOf.set(value, { secret: index, generation: 0 });
      return { name: `soak_${index}`, values: [value], acknowledged: 0 };
    });
  }

  /** A value for the next rotation; from now on both it and the one before may arrive. */
  mintNext(index: number): string {
    const secret = this.secrets[index];
    if (secret === undefined) throw new Error(`no secret ${index}`);
    const value = mintCanary(`soak${index}-`);
    this.#generationOf.set(value, { secret: index, generation: secret.values.length });
    secret.values.push(value);
    return value;
  }

  acknowledge(index: number): void {
    const secret = this.secrets[index];
    if (secret !== undefined) secret.acknowledged = secret.values.length - 1;
  }

  countOf(client: string): ClientCount {
    let count = this.counts.get(client);
    if (count === undefined) {
      count = { sent: 0, answered: 0, arrived: 0 };
      this.counts.set(client, count);
    }
    return count;
  }

  /** Called by the origin: `least` is the generation that was acknowledged when the client asked. */
  judgeArrival(client: string, secret: number, least: number, authorization: string): void {
    this.countOf(client).arrived += 1;
    const known = this.#generationOf.get(authorization.replace(/^Bearer /, ''));
    // A detached secret leaves an ordinary host, and the client sent nothing in its place.
    if (authorization === '' && this.disturbed.has(client)) return;
    if (known === undefined) this.fault(client, 'no value of ours arrived');
    else if (known.secret !== secret) this.fault(client, 'the value of another secret arrived');
    else if (known.generation < least) this.fault(client, 'a rotated value arrived');
  }

  /** Called by clients with everything they read: no second half of any value of their secret. */
  judgeAnswer(client: string, secret: number, text: string, what: string): void {
    for (const value of this.secrets[secret]?.values.slice(-3) ?? []) {
      if (text.includes(value.slice(value.length >> 1))) {
        this.fault(client, `a value came back: ${what}`);
      }
    }
  }

  fault(who: string, what: string): void {
    const known = this.faults.get(what);
    if (known === undefined) this.faults.set(what, { count: 1, first: who });
    else known.count += 1;
  }
}
