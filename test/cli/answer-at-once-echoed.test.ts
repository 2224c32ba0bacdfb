/**
 * A prompt that was shown before the terminal stopped echoing: whoever answered at once (`expect`, a paste)
 * had the value on the screen, now and then.
 */
import { PassThrough, Writable } from 'node:stream';
import { expect, test } from 'vitest';
import type { Terminal } from '../../cli/terminal.ts';
import { readValue } from '../../cli/value-source.ts';

test('the terminal echoes nothing from the first character of the prompt to the last of the answer', async () => {
  let isRaw = false;
  const echoing: string[] = [];
  const stdin = Object.assign(new PassThrough(), {
    isTTY: true,
    setRawMode: (raw: boolean) => {
      isRaw = raw;
    },
  });
  const stderr = new Writable({
    decodeStrings: false,
    write: (text: string, _encoding, done) => {
      if (!isRaw) echoing.push(text);
      if (text.includes('value: ')) stdin.write('not-a-real-key\r');
      done();
    },
  });
  const terminal: Terminal = {
    stdin: stdin as unknown as NodeJS.ReadStream,
    stdout: stderr,
    stderr: stderr as unknown as NodeJS.WriteStream,
    environment: {},
    cwd: '/',
    setExitCode: () => undefined,
  };
  const value = await readValue(terminal, {}, 'value: ');
  expect(value.reveal()).toBe('not-a-real-key');
  expect(echoing.join('')).toBe('\n');
});
