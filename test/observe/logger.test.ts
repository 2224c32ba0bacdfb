import { describe, expect, test } from 'vitest';
import { Hidden } from '../../src/kernel/hidden.ts';
import type { Logger } from '../../src/kernel/logger.ts';
import { createLogger } from '../../src/observe/logger.ts';
import type { LoggerOptions } from '../../src/observe/logger.ts';

const CANARY = 'canary-0123456789abcdef';

function capture(options: Partial<LoggerOptions> = {}): { logger: Logger; lines: string[] } {
  const lines: string[] = [];
  const destination = { write: (line: string) => void lines.push(line) };
  return {
    logger: createLogger({ level: 'debug', format: 'json', destination, ...options }),
    lines,
  };
}

function logged(fields: Record<string, unknown>, message = 'message'): Record<string, unknown> {
  const { logger, lines } = capture();
  logger.info(fields, message);
  return JSON.parse(lines.join('')) as Record<string, unknown>;
}

test('a line is JSON with time, level, message and the fields', () => {
  const line = logged({ host: 'api.example.com', port: 443 }, 'connected');
  expect(line).toMatchObject({
    level: 'info',
    message: 'connected',
    host: 'api.example.com',
    port: 443,
  });
  expect(new Date(String(line['time'])).toISOString()).toBe(line['time']);
});

test('what is below the level is not written', () => {
  const { logger, lines } = capture({ level: 'warn' });
  logger.debug({}, 'a');
  logger.info({}, 'b');
  logger.warn({}, 'c');
  logger.error({}, 'd');
  expect(lines).toHaveLength(2);
  const silent = capture({ level: 'silent' });
  silent.logger.error({}, 'e');
  expect(silent.lines).toEqual([]);
});

test('a child carries its fields', () => {
  const { logger, lines } = capture();
  logger.child({ requestId: 'r-1' }).child({ sandboxId: 's-1' }).warn({ code: 'x' }, 'm');
  expect(JSON.parse(lines.join(''))).toMatchObject({
    requestId: 'r-1',
    sandboxId: 's-1',
    code: 'x',
  });
});

describe('I3 no value reaches the log', () => {
  const cyclic: Record<string, unknown> = { value: CANARY };
  cyclic['self'] = cyclic;
  test.each<[string, Record<string, unknown>]>([
    ['a Hidden', { secret1: new Hidden(CANARY), deep: { list: [new Hidden(CANARY)] } }],
    ['fields named like credentials', { value: CANARY, token: CANARY, password: CANARY }],
    ['headers', { headers: { authorization: CANARY, cookie: CANARY, 'x-api-key': CANARY } }],
    ['camel and snake case', { proxyToken: CANARY, access_token: CANARY, apiKey: CANARY }],
    ['proxy-authorization', { 'proxy-authorization': CANARY }],
    ['bytes', { chunk: Buffer.from(CANARY), view: new Uint8Array(Buffer.from(CANARY)) }],
    ['properties of an error', { err: Object.assign(new Error('x'), { input: CANARY }) }],
    ['maps and sets', { map: new Map([['a', CANARY]]), set: new Set([CANARY]) }],
    ['what is very deep', { a: { b: { c: { d: { e: { f: { g: { h: CANARY } } } } } } } }],
    ['a cycle', cyclic],
    ['properties of a cause', { err: new Error('x', { cause: { deep: { deep: CANARY } } }) }],
  ])('%s', (_name, fields) => {
    const { logger, lines } = capture();
    logger.info(fields, 'm');
    logger.child(fields).info({}, 'm');
    expect(lines).toHaveLength(2);
    expect(lines.join('')).not.toContain(CANARY);
    expect(lines.join('')).not.toContain(Buffer.from(CANARY).toString('base64'));
    expect(lines.join('')).not.toContain([...Buffer.from(CANARY)].join(','));
  });

  test.each(['json', 'pretty'] as const)('our own tokens, wherever they stand (%s)', (format) => {
    const { logger, lines } = capture({ format });
    const token = 'sp_box_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA';
    logger.info({ url: `http://x:${token}@127.0.0.1`, err: new Error(token) }, `got ${token}`);
    expect(lines.join('')).not.toContain('AAAAAA');
    expect(lines.join('')).toContain('got sp_box_[hidden]');
  });
});

test('an error keeps its name, code, message, stack and causes', () => {
  const cause = Object.assign(new TypeError('inner'), { code: 'EINNER' });
  const { err } = logged({ err: new Error('outer', { cause }) }) as {
    err: Record<string, unknown>;
  };
  expect(err).toMatchObject({
    name: 'Error',
    message: 'outer',
    cause: { name: 'TypeError', message: 'inner', code: 'EINNER' },
  });
  expect(err['stack']).toContain('logger.test.ts');
});

test('a chain of causes that never ends does not hang', () => {
  const error = new Error('round');
  error.cause = error;
  expect(JSON.stringify(logged({ err: error }))).toContain('more causes');
});

test('pretty lines are for people: time, level, message, fields, the stack below', () => {
  const { logger, lines } = capture({ format: 'pretty' });
  logger.warn({ host: 'api.example.com', note: 'two words', err: new Error('boom') }, 'dialled');
  const text = lines.join('');
  expect(text).toMatch(/^\d\d:\d\d:\d\d\.\d{3} WARN {2}dialled {2}host=api\.example\.com {2}/);
  expect(text).toContain('note="two words"');
  expect(text).toContain('err=boom');
  expect(text).toContain('\n    Error: boom\n    at ');
  expect(text.endsWith('\n')).toBe(true);
});
