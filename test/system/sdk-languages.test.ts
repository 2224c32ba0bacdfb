/**
 * HTTP clients of other languages in `sallyport run`: Python, Go and Java. What the machine lacks is skipped,
 * and said. Go and Java are compiled before, outside: only the client itself runs in the sandbox.
 */
import { spawnSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { runSallyport } from '../cli/command-line.ts';
import { openHome, runInHome } from '../sdk/client-program.ts';
import { holdStream } from '../sdk/held-stream.ts';
import { mintCanary } from '../support/canary.ts';
import { eventually } from '../support/eventually.ts';
import { valuesOf } from '../support/origin.ts';
import { reply } from '../support/origin-replies.ts';
import { startScene } from '../support/scene.ts';
import type { Scene } from '../support/scene.ts';
import { runTool } from '../support/tool.ts';

const HOST = 'api.example.test';
const OTHER = 'other.example.test';
const FOLDER = path.join(import.meta.dirname, '../sdk/languages');
/** Compiling Go's standard library with a cold cache. */
const COMPILE_MS = 300_000;
const key = mintCanary();
const held = holdStream({ contentType: 'text/plain', first: 'one\n', rest: 'two\n' });

let scene: Scene;
let build: string;

interface ProgramEnd {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

interface Language {
  readonly language: string;
  /** Ends with 0 where the language is installed. */
  readonly probe: readonly string[];
  readonly compile?: () => readonly string[];
  readonly command: () => readonly string[];
  /** What it says of a CONNECT that was refused with `host_not_allowed`. */
  readonly refusal: RegExp;
  /** HTTP version of what it sends, as the trail has it. */
  readonly version: '1.1' | '2';
  /** It cannot authenticate to a proxy: only behind the relay of `sallyport run`. */
  readonly relayOnly?: boolean;
}

const LANGUAGES: readonly Language[] = [
  {
    language: "Python's urllib",
    probe: ['python3', '-c', 'import ssl, urllib.request'],
    command: () => ['python3', path.join(FOLDER, 'urllib_client.py')],
    refusal: /^Tunnel connection failed: 403 host_not_allowed$/,
    version: '1.1',
  },
  {
    language: "Python's requests",
    probe: ['python3', '-c', 'import requests'],
    command: () => ['python3', path.join(FOLDER, 'requests_client.py')],
    refusal: /Tunnel connection failed: 403 host_not_allowed/,
    version: '1.1',
  },
  {
    language: "Go's net/http",
    probe: ['go', 'version'],
    compile: () => [
      'go',
      'build',
      '-o',
      path.join(build, 'client'),
      path.join(FOLDER, 'client.go'),
    ],
    command: () => [path.join(build, 'client')],
    refusal: /host_not_allowed$/,
    version: '2',
  },
  {
    language: "Java's HttpClient",
    probe: ['javac', '-version'],
    compile: () => ['javac', '-d', build, path.join(FOLDER, 'Client.java')],
    command: () => ['java', '-cp', build, 'Client'],
    refusal: /^Tunnel failed, got: 403$/,
    version: '2',
    relayOnly: true,
  },
];

function isInstalled({ probe: [command = '', ...args] }: Language): boolean {
  return spawnSync(command, args, { stdio: 'ignore' }).status === 0;
}

const present = LANGUAGES.filter(isInstalled);
for (const { language, probe } of LANGUAGES.filter((one) => !present.includes(one))) {
  console.log(`skipped: tests with ${language}: \`${probe.join(' ')}\` fails on this machine`);
}

beforeAll(async () => {
  build = await mkdtemp(path.join(tmpdir(), 'sallyport-languages-'));
  for (const { compile } of present) {
    const [command, ...args] = compile?.() ?? [];
    if (command === undefined) continue;
    const env = { HOME: process.env['HOME'] ?? build };
    const compiled = await runTool(command, args, { env, timeoutMs: COMPILE_MS });
    if (compiled.code !== 0) throw new Error(`${command}: ${compiled.stderr}`);
  }
  scene = await startScene({
    names: [HOST, OTHER],
    handlers: {
      '/things': reply(201, '{"id":7}', ['Content-Type', 'application/json']),
      '/stream': held.stream,
      '/release': held.release,
    },
  });
  const auth = { type: 'bearer' };
  const paths = ['/things', '/stream', '/release'];
  await scene.product.createSecret('api', key, { auth, hosts: [HOST], paths });
}, COMPILE_MS);
beforeEach(() => scene.origin.clear());
afterAll(async () => {
  await scene[Symbol.asyncDispose]();
  await rm(build, { recursive: true, force: true });
});

async function expectJob({ refusal, version }: Language, stdout: string): Promise<void> {
  const lines = stdout.trim().split('\n');
  expect(lines.slice(0, 3)).toEqual(['201 {"id":7}', 'one two', '403 credential_not_permitted']);
  expect(lines[3]).toMatch(refusal);
  const { origin, product } = scene;
  const seen = origin.requests.map(({ method, url }) => `${method} ${url}`);
  expect(seen).toEqual(['POST /things', 'GET /stream', 'GET /release']);
  for (const { rawHeaders } of origin.requests) {
    expect(valuesOf(rawHeaders, 'authorization')).toEqual([`Bearer ${key}`]);
  }
  await product.assertNoLeak(key);
  await eventually(async () => {
    const { data } = (await product.admin.must('GET', '/audit?limit=3')) as {
      data: { http_version?: string; path?: string }[];
    };
    const versions = data.filter((row) => row.path !== undefined).map((row) => row.http_version);
    expect(new Set(versions)).toEqual(new Set([version]));
  });
}

async function runBehindRun(language: Language): Promise<ProgramEnd> {
  const { admin, clientBytes } = scene.product;
  const env = { SALLYPORT_URL: admin.origin, SALLYPORT_API_KEY: admin.key };
  const bound = ['run', '--secret', 'api=API_KEY', '--allow-out', HOST, '--'];
  const job = [...language.command(), `https://${HOST}`, `https://${OTHER}/`];
  const end = await runSallyport([...bound, ...job], { env });
  clientBytes.push(Buffer.from(end.stdout + end.stderr));
  return { ...end, stderr: end.stderr.replace(/^Picked up JAVA_TOOL_OPTIONS: .*\n/, '') };
}

async function runByItself(language: Language): Promise<ProgramEnd> {
  const sandbox = await scene.product.createSandbox({
    secrets: { API_KEY: 'api' },
    network: { allow_out: [HOST] },
  });
  const home = await openHome(scene.product, sandbox);
  const [command = '', ...args] = language.command();
  return runInHome(home, command, [...args, `https://${HOST}`, `https://${OTHER}/`]);
}

describe.each(LANGUAGES)('$language', (language) => {
  const isMissing = !present.includes(language);

  test.skipIf(isMissing)('behind `sallyport run`', async () => {
    const { code, stdout, stderr } = await runBehindRun(language);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    await expectJob(language, stdout);
  });

  if (language.relayOnly === true) return;
  test.skipIf(isMissing)('with the variables and files of the API', async () => {
    const { code, stdout, stderr } = await runByItself(language);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    await expectJob(language, stdout);
  });
});
