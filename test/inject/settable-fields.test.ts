/** What a secret may never set, and which values a header, query or path cannot carry. */
import { describe, expect, test } from 'vitest';
import { isSettableField, placeableFault } from '../../src/inject/settable-fields.ts';
import { Hidden } from '../../src/kernel/hidden.ts';

describe('never settable', () => {
  test.each([
    'Host', 'Connection', 'Keep-Alive', 'Proxy-Authorization', 'proxy-x', 'TE', 'Trailer',
    'Transfer-Encoding', 'Upgrade', 'Content-Length', 'content_type', 'Content-Anything', 'Cookie',
    'Expect', 'Range', 'Accept-Encoding', 'ACCEPT_ENCODING', 'Sec-WebSocket-Key',
    'sec_websocket_protocol', ':authority', ':path', 'a b', 'a:b', '', 'é', 'a\r\nb',
  ])('%j', (name) => expect(isSettableField(name)).toBe(false)); // prettier-ignore

  test.each(['Authorization', 'X-Api-Key', 'x_api_key', 'PRIVATE-TOKEN', 'DD-API-KEY', 'api-key'])(
    '%s may be set',
    (name) => expect(isSettableField(name)).toBe(true),
  );
});

describe('values', () => {
  const bearer = { type: 'bearer' } as const;

  test.each([
    ['not-a-real-key\n', 'newline'],
    ['not-a-real-key\r\n', 'newline'],
    ['a\nb', 'control'],
    ['a\u0000b', 'control'],
    ['a\tb', 'control'],
    [' a', 'white space'],
    ['a ', 'white space'],
    ['\u00a0a', 'white space'],
    ['', 'empty'],
    ['x'.repeat(8_193), '8192'],
    ['é'.repeat(4_097), '8192'],
    ['a\ud800b', 'Unicode'],
  ])('%j cannot be carried', (value, word) => {
    const fault = placeableFault(new Hidden(value), bearer);
    expect(fault).toContain(word);
  });

  test.each(['x', 'a b', 'clé', 'x'.repeat(8_192), '{{ value }}'])('%j can', (value) => {
    expect(placeableFault(new Hidden(value), bearer)).toBeNull();
  });

  test('the sentence names the place, not the value', () => {
    const fault = placeableFault(new Hidden('canary\u0001x'), { type: 'query', name: 'k' });
    expect(fault).toContain('a query');
    expect(fault).not.toContain('canary');
  });
});
