/**
 * The container image, as far as it can be checked without an engine: what the Dockerfile promises, that it
 * copies what exists, and that a tree made by its steps starts.
 */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { commandEnv, ROOT, runProgram } from './command-line.ts';

interface Instruction {
  readonly name: string;
  readonly text: string;
}

/** Instructions with continued lines joined; comments are out. */
function readInstructions(): Instruction[] {
  const lines = readFileSync(join(ROOT, 'Dockerfile'), 'utf8')
    .split('\n')
    .filter((line) => !line.startsWith('#') && line.trim() !== '');
  return lines
    .join('\n')
    .replaceAll(/\\\n/g, ' ')
    .split('\n')
    .map((line) => {
      const [name = '', ...rest] = line.trim().split(/\s+/);
      return { name, text: rest.join(' ') };
    });
}

const all = readInstructions();
const last = all.slice(all.findLastIndex(({ name }) => name === 'FROM'));

function textsOf(name: string, from = last): string[] {
  return from.filter((instruction) => instruction.name === name).map(({ text }) => text);
}

/** Sources that the last stage copies from the clone. */
function copiedSources(): string[] {
  return textsOf('COPY')
    .filter((text) => !text.startsWith('--from='))
    .flatMap((text) => text.split(' ').slice(0, -1));
}

/** The image's own command, on free ports and its own data. */
async function serveFrom(app: string): Promise<{ admin: string } & AsyncDisposable> {
  const child = spawn(process.execPath, [join(app, 'cli/main.ts'), 'serve', '--ready-json'], {
    cwd: app,
    env: commandEnv({
      SALLYPORT_DATA_DIR: join(app, 'data'),
      SALLYPORT_PROXY_LISTEN: '*:0',
      SALLYPORT_ADMIN_LISTEN: '*:0',
    }),
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  const ready = JSON.parse(line.toString()) as { admin: string };
  return {
    admin: ready.admin,
    async [Symbol.asyncDispose]() {
      const ended = once(child, 'exit');
      child.kill('SIGTERM');
      await ended;
    },
  };
}

describe('the image', () => {
  test('is built in two stages on the slim image of the Node line that package.json wants', () => {
    const bases = textsOf('FROM', all);
    expect(bases).toHaveLength(2);
    for (const base of bases) expect(base).toMatch(/^node:24-slim\b/);
  });

  test('has no development dependency', () => {
    const installs = textsOf('RUN', all).filter((text) => /\bnpm\b/.test(text));
    expect(installs).toHaveLength(1);
    expect(installs[0]).toMatch(/^npm ci --omit=dev\b/);
    expect(textsOf('COPY').filter((text) => text.includes('node_modules'))).toEqual([
      '--from=dependencies /app/node_modules ./node_modules',
    ]);
  });

  test('runs as a user that is not root, with data in a volume and a health check', () => {
    expect(textsOf('USER')).toEqual(['node']);
    expect(textsOf('VOLUME')).toEqual(['/data']);
    expect(textsOf('HEALTHCHECK').join()).toContain('["node", "cli/main.ts", "health"]');
    expect(textsOf('ENV').join()).toContain('SALLYPORT_DATA_DIR=/data');
    const order = last.map(({ name }) => name);
    expect(order.indexOf('USER')).toBeLessThan(order.indexOf('ENTRYPOINT'));
  });

  test('copies only what exists and what .dockerignore lets through', () => {
    const ignored = readFileSync(join(ROOT, '.dockerignore'), 'utf8').split('\n');
    expect(copiedSources()).toContain('cli');
    for (const source of copiedSources()) {
      expect(existsSync(join(ROOT, source))).toBe(true);
      expect(ignored).toContain(`!${source}`);
    }
    expect(ignored).toContain('*');
  });

  test('a tree made by its steps starts, with production dependencies alone', async () => {
    const app = mkdtempSync(join(tmpdir(), 'sallyport-image-'));
    try {
      for (const source of [...copiedSources(), 'package-lock.json']) {
        cpSync(join(ROOT, source), join(app, source), { recursive: true });
      }
      const npm = ['ci', '--omit=dev', '--no-audit', '--no-fund', '--prefer-offline'];
      execFileSync('npm', npm, { cwd: app, env: commandEnv(), stdio: 'pipe' });
      expect(existsSync(join(app, 'node_modules/vitest'))).toBe(false);
      expect(existsSync(join(app, 'node_modules/http-proxy'))).toBe(false);
      const main = join(app, 'cli/main.ts');
      const version = await runProgram(process.execPath, [main, '--version'], { cwd: app });
      expect(version.stderr).toBe('');
      expect(version.stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
      await using server = await serveFrom(app);
      const health = await runProgram(process.execPath, [main, 'health'], {
        cwd: app,
        env: { SALLYPORT_URL: `http://${server.admin}` },
      });
      expect(health.stdout).toBe('healthy\n');
    } finally {
      rmSync(app, { recursive: true, force: true });
    }
  }, 180_000);
});
