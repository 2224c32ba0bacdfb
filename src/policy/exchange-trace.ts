/**
 * The reasons behind one exchange decision, for `explain`: every binding of the sandbox with its outcome
 * and a full sentence. Filled by `decide-exchange.ts` as it decides, so it cannot tell another story.
 */
import { bindingsForHost } from './binding-index.ts';
import { describeRank, type Candidate } from './candidate.ts';
import type { Considered } from './decision.ts';
import { matchesAnyHost } from './host-pattern.ts';
import type { RequestHead } from './request-head.ts';
import type { CompiledBinding, Snapshot } from './snapshot.ts';

export class ExchangeTrace {
  readonly #snapshot: Snapshot;
  readonly #head: RequestHead;
  readonly #noted = new Map<CompiledBinding, Considered>();

  constructor(snapshot: Snapshot, head: RequestHead) {
    this.#snapshot = snapshot;
    this.#head = head;
  }

  won(candidate: Candidate): void {
    const how =
      candidate.placeholder === null
        ? 'It is for this host and injected automatically.'
        : 'Its placeholder was sent.';
    this.#note(candidate.binding, 'won', how);
  }

  lost(loser: Candidate, winner: Candidate): void {
    const because = describeRank(winner, loser);
    const reason = `${winner.binding.secretName} claims the same place and goes first: ${because}.`;
    this.#note(loser.binding, 'lost', reason);
  }

  kept(binding: CompiledBinding): void {
    this.#note(binding, 'kept', 'The client sent its own credential and on_existing is keep.');
  }

  /** It names the host of a tunnel that is not read. */
  passedBy(binding: CompiledBinding): void {
    this.#note(
      binding,
      'not_matching',
      'Its host is in egress.never_intercept, so it is not used.',
    );
  }

  refused(binding: CompiledBinding, reason: string): void {
    this.#note(binding, 'refused', reason);
  }

  /**
   * In the order of the snapshot's bindings; those nothing was said of did not match. Of a sandbox that may
   * use every secret only those for this host: the others are not worth a page.
   */
  finish(): readonly Considered[] {
    const { bindings, index, secretsMode } = this.#snapshot;
    const told = secretsMode === 'all' ? bindingsForHost(index, this.#head.host) : bindings;
    return told.map(
      (binding) =>
        this.#noted.get(binding) ?? describe(binding, 'not_matching', this.#whyNot(binding)),
    );
  }

  #note(binding: CompiledBinding, outcome: Considered['outcome'], reason: string): void {
    this.#noted.set(binding, describe(binding, outcome, reason));
  }

  #whyNot(binding: CompiledBinding): string {
    const { host, port, scheme } = this.#head;
    if (binding.rules.length === 0) return 'It has no auth and hosts yet.';
    if (!matchesAnyHost(binding.hosts, host)) return 'Its hosts do not include this one.';
    if (!binding.ports.includes(port)) return `Its ports do not include ${port}.`;
    if (scheme === 'http' && !binding.allowPlaintext) return 'It is not used over plain http.';
    if (binding.detached) return 'It was detached from this sandbox.';
    if (binding.tombstone !== null) return 'It cannot be used any more.';
    if (binding.inject === 'placeholder') return 'It is used only where its placeholder is sent.';
    if (binding.rules.every((rule) => rule.claimsPath))
      return 'Its placeholder is not in the path.';
    return 'No rule of it is for this host and path, or the decision was made without it.';
  }
}

function describe(
  binding: CompiledBinding,
  outcome: Considered['outcome'],
  reason: string,
): Considered {
  const { secretId, secretName, envKey } = binding;
  return { secretId, secretName, envKey, outcome, reason };
}
