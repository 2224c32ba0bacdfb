/**
 * Which command-line tools this machine lacks, for `test.skipIf(lacks(…))`: a developer without one still
 * runs the rest and is told why something was left out. CI installs them all, and fails on a skip.
 */
import { accessSync, constants } from 'node:fs';
import path from 'node:path';

/** Debian package by tool, where the name differs. */
const PACKAGES: Readonly<Record<string, string>> = {
  certtool: 'gnutls-bin',
  'gnutls-cli': 'gnutls-bin',
  keytool: 'default-jdk-headless',
  prlimit: 'util-linux',
  script: 'bsdutils',
};

const told = new Set<string>();

/** True when any of these is not on the PATH; says so once a tool. */
export function lacks(...tools: readonly string[]): boolean {
  const missing = tools.filter((tool) => !isPresent(tool));
  for (const tool of missing) {
    if (told.has(tool)) continue;
    told.add(tool);
    const hint = `install the package ${PACKAGES[tool] ?? tool}`;
    process.stdout.write(`skipped: tests that need ${tool}, which is not here (${hint})\n`);
  }
  return missing.length > 0;
}

function isPresent(tool: string): boolean {
  const folders = (process.env['PATH'] ?? '').split(path.delimiter);
  return folders.some((folder) => {
    try {
      accessSync(path.join(folder, tool), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
