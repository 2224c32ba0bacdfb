/**
 * Reads the settings file: YAML 1.2 or JSON, told apart by content. Promises a plain object or a
 * StartError that names the file and the line; never shows the file's text, which may hold a password.
 */
import { readFileSync } from 'node:fs';
import { parseDocument } from 'yaml';
import { StartError } from '../kernel/errors.ts';

/** The file as a plain object; an empty file is an empty object. */
export function readSettingsFile(file: string): Readonly<Record<string, unknown>> {
  const content = parseContent(file, readText(file));
  if (content === null || content === undefined) return {};
  if (typeof content === 'object' && !Array.isArray(content)) {
    return content as Readonly<Record<string, unknown>>;
  }
  throw new StartError(
    `The settings file ${file} does not contain a map of settings.`,
    'Write `key: value` lines, as in config/reference.yaml.',
  );
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8').replace(/^\uFEFF/, '');
  } catch (cause) {
    const reason = (cause as NodeJS.ErrnoException).code ?? 'unknown reason';
    throw new StartError(
      `The settings file ${file} cannot be read (${reason}).`,
      'Check the path given with --config.',
      { cause },
    );
  }
}

function parseContent(file: string, text: string): unknown {
  if (text.trimStart().startsWith('{')) {
    try {
      return JSON.parse(text);
    } catch {
      // Not JSON: it may still be a YAML flow map, and YAML's errors name the line.
    }
  }
  const document = parseDocument(text, { prettyErrors: true });
  const [fault] = document.errors;
  if (fault === undefined) return document.toJS();
  const line = fault.linePos?.[0].line;
  throw new StartError(
    `The settings file ${file} is neither YAML nor JSON${line === undefined ? '' : `: line ${line}`} (${fault.code}).`,
    'Compare it with config/reference.yaml.',
  );
}
