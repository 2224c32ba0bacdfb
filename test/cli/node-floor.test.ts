import { describe, expect, test } from 'vitest';
import { readNodeFault } from '../../cli/node-floor.ts';

describe('the Node floor', () => {
  test.each(['24.18.1', '24.19.0', '25.0.0', '100.0.0'])('%s is new enough', (version) => {
    expect(readNodeFault(version)).toBeUndefined();
  });

  test.each(['24.18.0', '24.9.0', '22.22.0', '20.20.2', '9.99.99'])('%s is refused', (version) => {
    expect(readNodeFault(version)).toContain(`this is Node ${version}`);
  });

  test('the Node that runs this is new enough', () => {
    expect(readNodeFault(process.versions.node)).toBeUndefined();
  });
});
