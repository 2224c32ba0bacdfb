/**
 * Where a secret's value comes from: standard input, a prompt without echo, a file or a named variable.
 * Never the command line. One trailing newline is the line's end, not the value's; all else is kept.
 */
import { isUtf8 } from 'node:buffer';
import { readFileSync } from 'node:fs';
import { buffer } from 'node:stream/consumers';
import type { Command } from 'commander';
import { Hidden } from '../src/kernel/hidden.ts';
import { CommandFault, usageFault } from './command-fault.ts';
import { EXIT_CODES } from './exit-codes.ts';
import type { Terminal } from './terminal.ts';

export interface ValueOptions {
  readonly valueFile?: string;
  readonly valueEnv?: string;
  readonly valueStdin?: boolean;
}

/** Adds the three options that name a source. */
export function addValueOptions(command: Command): Command {
  return command
    .option('--value-file <file>', 'read the value from a file')
    .option('--value-env <name>', 'read the value from a variable')
    .option('--value-stdin', 'read the value from standard input');
}

/** True when an option names a source; `update` reads a value only then. */
export function isValueGiven(options: ValueOptions): boolean {
  return [options.valueFile, options.valueEnv, options.valueStdin].some(Boolean);
}

/** The value. Without an option: a prompt on a terminal, else standard input. CommandFault when empty. */
export async function readValue(
  terminal: Terminal,
  options: ValueOptions,
  prompt: string,
): Promise<Hidden> {
  const named = [options.valueFile, options.valueEnv, options.valueStdin].filter(Boolean);
  if (named.length > 1) throw usageFault('give one of --value-file, --value-env, --value-stdin');
  const value = await readSource(terminal, options, prompt);
  if (value === '') throw usageFault('the value is empty', 'Type it, pipe it in, or name a file.');
  return new Hidden(value);
}

async function readSource(
  terminal: Terminal,
  options: ValueOptions,
  prompt: string,
): Promise<string> {
  if (options.valueFile !== undefined) return readValueFile(options.valueFile);
  if (options.valueEnv !== undefined) return readVariable(terminal, options.valueEnv);
  // Also when standard input was named: a terminal would show what is typed.
  if (terminal.stdin.isTTY) return promptHidden(terminal, prompt);
  return decodeValue(await buffer(terminal.stdin));
}

function readValueFile(file: string): string {
  return decodeValue(readBytes(file));
}

function readBytes(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (cause) {
    // Its name is not repeated: by mistake it may be the value.
    throw new CommandFault('cannot read the file that holds the value', {
      cause,
      hint: 'It holds the value alone.',
      exitCode: EXIT_CODES.usage,
    });
  }
}

function readVariable(terminal: Terminal, name: string): string {
  const value = terminal.environment[name];
  if (value !== undefined) return value;
  // What does not look like a variable may be the value, by mistake: it is not repeated.
  const shown = /^[A-Z_][A-Z0-9_]{0,63}$/.test(name) ? ` ${name}` : ' that holds the value';
  throw usageFault(`the variable${shown} is not set`, 'Export it, or name another.');
}

/** Bytes that are no text would otherwise be replaced without a word. */
function decodeValue(bytes: Uint8Array): string {
  if (!isUtf8(bytes)) throw usageFault('the value is not UTF-8 text', 'Encode it first: base64.');
  return Buffer.from(bytes)
    .toString('utf8')
    .replace(/\r?\n$/, '');
}

const ENTER = new Set(['\r', '\n', '\u0004']);
const ERASE = new Set(['\u007f', '\b']);
const CONTROL_C = '\u0003';
const CONTROL_U = '\u0015';

/** Reads one line in raw mode, so that nothing typed is shown. Control-C ends the command. */
function promptHidden(terminal: Terminal, prompt: string): Promise<string> {
  const { stdin, stderr } = terminal;
  stdin.setRawMode(true);
  // Not before: whoever answers at once, an `expect` script or a paste, would be echoed.
  stderr.write(prompt);
  stdin.setEncoding('utf8');
  stdin.resume();
  return new Promise((resolve, reject) => {
    let typed: string[] = [];
    const finish = (settle: () => void): void => {
      stdin.off('data', onData);
      stdin.setRawMode(false);
      stdin.pause();
      stderr.write('\n');
      settle();
    };
    const onData = (chunk: string): void => {
      for (const character of chunk) {
        if (ENTER.has(character)) return finish(() => resolve(typed.join('')));
        if (character === CONTROL_C)
          return finish(() => reject(usageFault('interrupted', 'Nothing was changed.')));
        if (ERASE.has(character)) typed.pop();
        else if (character === CONTROL_U) typed = [];
        else typed.push(character);
      }
    };
    stdin.on('data', onData);
  });
}
