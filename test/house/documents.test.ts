/**
 * Documents that stay true: links lead somewhere, files they name exist, the commands they show are commands,
 * the metrics they list are the metrics there are.
 */
import { existsSync, globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { Command } from 'commander';
import { describe, expect, test } from 'vitest';
import { processTerminal } from '../../cli/terminal.ts';
import type { Terminal } from '../../cli/terminal.ts';
import { SETTING_ROWS } from '../../src/settings/setting-table.ts';
import { createMetrics } from '../../src/observe/metrics.ts';
import { ROOT } from './source-tree.ts';

const DOCUMENTS = [
  'README.md',
  'SECURITY.md',
  'CHANGELOG.md',
  ...globSync('docs/**/*.md', { cwd: ROOT }),
].sort();

/** Every command with its options, none of them run. */
const program = new Command('sallyport').enablePositionalOptions();
const terminal = processTerminal();
for (const file of globSync('cli/commands/*.ts', { cwd: ROOT })) {
  const loaded = (await import(path.join(ROOT, file))) as {
    register(program: Command, terminal: Terminal): void;
  };
  loaded.register(program, terminal);
}

function read(file: string): string {
  return readFileSync(path.join(ROOT, file), 'utf8');
}

/** As GitHub makes them. */
function anchorsOf(text: string): readonly string[] {
  return [...text.matchAll(/^#+ (.+)$/gm)].map((match) =>
    (match[1] ?? '')
      .toLowerCase()
      .replaceAll(/[^\w\s-]/g, '')
      .replaceAll(' ', '-'),
  );
}

function brokenLinks(file: string): readonly string[] {
  const links = [...read(file).matchAll(/\]\((?!https?:)([^)]+)\)/g)].map(
    (match) => match[1] ?? '',
  );
  return links.filter((link) => {
    const [target = '', anchor] = link.split('#');
    const found = target === '' ? file : path.join(path.dirname(file), target);
    if (!existsSync(path.join(ROOT, found))) return true;
    return anchor !== undefined && !anchorsOf(read(found)).includes(anchor);
  });
}

test('there are documents to look at', () => {
  expect(DOCUMENTS.length).toBeGreaterThan(15);
});

describe.each(DOCUMENTS)('%s', (file) => {
  test('links lead somewhere', () => {
    expect(brokenLinks(file)).toEqual([]);
  });

  test('names files and folders that exist', () => {
    const named = [
      ...read(file).matchAll(/`((?:src|proxy|cli|admin-api|test|config|docs)\/[^`]*)`/g),
    ]
      .map((match) => match[1] ?? '')
      .filter((name) => globSync(name, { cwd: ROOT }).length === 0);
    expect(named).toEqual([]);
  });

  test('shows commands and options that exist', () => {
    expect(unknownUses(read(file))).toEqual([]);
  });

  test('names settings that exist', () => {
    const sections =
      /`((?:proxy|admin|metrics|store|vault|egress|secrets|compat|policy|audit|log|limits)\.[a-z0-9_.]+)/g;
    const named = [...read(file).matchAll(sections)].map((match) => match[1] ?? '');
    const known = [...SETTING_ROWS.keys()];
    const unknown = named.filter(
      (name) =>
        !/\.(?:ts|md|ndjson)$/.test(name) &&
        !known.some((one) => `${one}.`.startsWith(`${name.replace(/\.$/, '')}.`)),
    );
    expect(unknown).toEqual([]);
  });
});

/** `sallyport a b --option` in code: what the program does not know of it. */
function unknownUses(text: string): readonly string[] {
  const uses = [...text.matchAll(/(?:^|[`(]|-- |\$\()sallyport ((?:[a-z]+ ?)+)([^`\n]*)/gm)];
  return uses.flatMap(([use = '', words = '', rest = '']) => {
    let command: Command = program;
    for (const word of words.trim().split(' ')) {
      const next = command.commands.find((one) => one.name() === word);
      if (next === undefined) break;
      command = next;
    }
    if (command === program) return [use];
    const own = rest.split(' -- ')[0] ?? '';
    const options = [...own.matchAll(/(?<=\s|^|\[)(--[a-z][a-z-]*)/g)].map((match) => match[1]);
    const unknown = options.filter((name) => !command.options.some((one) => one.long === name));
    return unknown.map((name) => `${use}: ${name ?? ''}`);
  });
}

describe('decisions', () => {
  const records = globSync('docs/decisions/*.md', { cwd: ROOT }).sort();

  test('no number is used twice', () => {
    const numbers = records.map((file) => path.basename(file).slice(0, 4));
    expect(new Set(numbers).size).toBe(records.length);
    expect(records.length).toBeGreaterThan(15);
  });

  test.each(records)('%s begins like the others and is one page', (file) => {
    const number = Number(path.basename(file).slice(0, 4));
    const text = read(file);
    expect(text).toMatch(
      new RegExp(
        `^# ${number}\\. .+\\n\\nDate: \\d{4}-\\d\\d-\\d\\d · Status: (?:accepted|superseded by )`,
      ),
    );
    expect(text.split(/\s+/).length).toBeLessThan(600);
  });
});

test('docs/guides/operations.md lists exactly the metrics there are', async () => {
  const metrics = createMetrics();
  const text = await metrics.text();
  metrics.close();
  const known = [...text.matchAll(/^# TYPE (\S+)/gm)].map((match) => match[1] ?? '');
  const listed = [...read('docs/guides/operations.md').matchAll(/^\| `(sallyport_\w+)`/gm)];
  expect(new Set(listed.map((match) => match[1]))).toEqual(new Set(known));
});

test('docs/guides/cli.md names every command', () => {
  const guide = read('docs/guides/cli.md');
  const names = program.commands.map((command) => command.name());
  expect(names.filter((name) => !new RegExp(`\`(?:sallyport )?${name}\\b`).test(guide))).toEqual(
    [],
  );
});
