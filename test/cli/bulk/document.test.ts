/** What is no document of `apply`, and how it is said. */
import { expect, test } from 'vitest';
import { parseBulkDocument, parseBulkText } from '../../../cli/bulk/document.ts';

const secret = (more: Record<string, unknown>): unknown => {
  return { sallyport: 1, secrets: [{ name: 'x', ...more }] };
};

test.each([
  ['another version', { sallyport: 2 }, 'sallyport: '],
  ['an unknown section', { sallyport: 1, colour: 1 }, 'the document: '],
  ['a list', [], 'the document: '],
  ['a value in the open', secret({ value: 'in the open' }), 'secrets[0]: '],
  ['a port that is none', secret({ ports: ['in the open'] }), 'secrets[0].ports[0]: '],
  ['two sources', secret({ value_from: { env: 'A', file: 'b' } }), 'secrets[0].value_from: '],
  [
    'a limit of nothing',
    { sallyport: 1, sandboxes: [{ name: 'x', limits: { concurrent: 0 } }] },
    'sandboxes[0].limits.concurrent: ',
  ],
  [
    'a token',
    { sallyport: 1, sandboxes: [{ name: 'x', proxy_token: 'in the open' }] },
    'sandboxes[0]: ',
  ],
])('%s is refused by its place', (_what, data, place) => {
  const parse = (): unknown => parseBulkDocument(data, 'file.yaml');
  expect(parse).toThrow(`file.yaml cannot be applied\n  ${place}`);
  expect(parse).toThrow(/^(?!.*in the open)/s);
});

test('what is no YAML is refused by its line, which is not quoted', () => {
  const parse = (): unknown =>
    parseBulkText('sallyport: 1\nsecrets:\n  - {name: "hush\n', 'file.yaml');
  expect(parse).toThrow(/^file\.yaml is neither YAML nor JSON: line \d$/);
});

test('a document without sections is one', () => {
  expect(parseBulkDocument(parseBulkText('sallyport: 1', '-'), '-')).toEqual({ sallyport: 1 });
});
