/** Placing by template: every spelling of `{{ value }}` that the API takes is replaced, the value never read as one. */
import { describe, expect, test } from 'vitest';
import { placeValue } from '../../src/inject/place.ts';
import { Hidden } from '../../src/kernel/hidden.ts';

describe('custom templates', () => {
  test.each(['{{value}}', '{{ value }}', '{{\tvalue\t}}', '{{  value}}'])('%j', (mark) => {
    const placement = { type: 'custom', headers: { 'X-Key': `a ${mark} b` } } as const;
    const { fields } = placeValue(placement, new Hidden('the $& {{ value }}'), []);
    expect(fields).toEqual(['X-Key', 'a the $& {{ value }} b']);
  });
});
