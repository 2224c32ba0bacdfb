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

const UNIT_SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3_600, d: 86_400 };

/** `90s`, `15m`, `24h`, `7d`, in seconds. */
export function parseDurationSeconds(value: string): number {
  const match = /^(\d{1,9})([smhd])$/.exec(value);
  if (match === null)
    throw new InvalidArgumentError('Expected a duration, as 90s, 15m, 24h or 7d.');
  return Number(match[1]) * (UNIT_SECONDS[match[2] ?? 's'] ?? 1);
}

/** `90`, `90s`, `10m`, `2h` or `1d`, as seconds. */
export function parseSeconds(value: string): number {
  const [, digits, unit = 's'] = /^(\d{1,9})([smhd]?)$/.exec(value) ?? [];
  if (digits === undefined) {
    throw new InvalidArgumentError('Expected a duration such as 90s, 10m, 2h or 1d.');
  }
  return Number(digits) * (SECONDS_OF_UNIT[unit === '' ? 's' : unit] ?? 1);
}

const SECONDS_OF_UNIT: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3_600, d: 86_400 };

/** Ports, several times. */
export function collectPorts(value: string, previous: readonly number[] = []): number[] {
  const port = parseWholeNumber(value);
  if (port < 1 || port > 65_535) throw new InvalidArgumentError('Expected a port, 1 to 65535.');
  return [...previous, port];
}
