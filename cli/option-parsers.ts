/**
 * Readers of option arguments. Each throws commander's InvalidArgumentError, which names the option; none
 * of them ever sees a value of a secret.
 */
import { InvalidArgumentError } from 'commander';

/** For options given several times. */
export function collect(value: string, previous: readonly string[] = []): string[] {
  return [...previous, value];
}

/** `KEY=TEXT`, several times, into a map. */
export function collectPairs(
  value: string,
  previous: Readonly<Record<string, string>> = {},
): Record<string, string> {
  const at = value.indexOf('=');
  if (at < 1) throw new InvalidArgumentError('Expected KEY=TEXT.');
  return { ...previous, [value.slice(0, at)]: value.slice(at + 1) };
}

/** A whole number, zero or more. */
export function parseWholeNumber(value: string): number {
  if (!/^\d{1,15}$/.test(value)) throw new InvalidArgumentError('Expected a whole number.');
  return Number(value);
}

/** A whole number, below zero too. */
export function parseSignedNumber(value: string): number {
  return value.startsWith('-') ? -parseWholeNumber(value.slice(1)) : parseWholeNumber(value);
}

/** Ports, several times. */
export function collectPorts(value: string, previous: readonly number[] = []): number[] {
  const port = parseWholeNumber(value);
  if (port < 1 || port > 65_535) throw new InvalidArgumentError('Expected a port, 1 to 65535.');
  return [...previous, port];
}
