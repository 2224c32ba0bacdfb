/**
 * `npm run demo`: the whole job in under a minute, on loopback only. A secret is registered; real curl and
 * real git use it without holding it; a misuse is refused; the trail tells. Prints what each side saw, exits
 * with 1 when anything was not as promised, leaves nothing behind, also after Control-C.
 */
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeRepository } from './git-backend.ts';
import { API_HOST, GIT_HOST, OTHER_HOST, startDemoOrigin, type DemoOrigin } from './origin.ts';
import { Stage, type Outcome } from './stage.ts';

const KEY = `not-a-real-key-${randomBytes(18).toString('base64url')}`;
const OTHER_KEY = `not-a-real-key-${randomBytes(18).toString('base64url')}`;
const WIDTH = 150;

let broken = 0;

function say(text = ''): void {
  process.stdout.write(`${text}\n`);
}

function show(label: string, text: string): void {
  for (const line of text.trim().split('\n')) {
    say(`   ${label.padEnd(12)} ${line.length > WIDTH ? `${line.slice(0, WIDTH)}…` : line}`);
  }
}

function expect(promise: string, isKept: boolean): void {
  if (!isKept) broken += 1;
  say(`   ${isKept ? 'ok    ' : 'BROKEN'}       ${promise}`);
}

class Demo {
  readonly #stage: Stage;
  readonly #origin: DemoOrigin;

  constructor(stage: Stage, origin: DemoOrigin) {
    this.#stage = stage;
    this.#origin = origin;
  }

  async register(): Promise<void> {
    say(
      '\n1. An admin registers two secrets. Values come from standard input, never the command line.',
    );
    const rules = {
      per_host: [
        { hosts: [API_HOST], type: 'bearer' },
        { hosts: [GIT_HOST], type: 'basic', username: 'x-access-token' },
      ],
    };
    const file = join(this.#stage.directory, 'forge-auth.json');
    writeFileSync(file, JSON.stringify(rules));
    const forge = ['--auth-file', file, '--host', API_HOST, '--host', GIT_HOST];
    await this.#command(['secret', 'create', 'forge', ...forge], KEY);
    const other = ['--bearer', '--host', OTHER_HOST];
    await this.#command(['secret', 'create', 'collector', ...other], OTHER_KEY);
  }

  async call(): Promise<void> {
    say('\n2. A sandbox calls the API with plain curl. It holds a placeholder.');
    const script = `echo "$FORGE_TOKEN"; env | sort > all.env; curl -sS https://${API_HOST}/v1/user`;
    const { stdout, stderr } = await this.#sandboxed(script);
    const [placeholder = '', body = ''] = stdout.split('\n');
    const saw = this.#origin.seen.at(-1);
    show('sandbox has', `FORGE_TOKEN=${placeholder}`);
    show('sandbox got', body + stderr);
    show('origin saw', `${saw?.line}  Authorization: ${saw?.authorization}`);
    expect('the origin got the real key', saw?.authorization === `Bearer ${KEY}`);
    expect('the sandbox got the answer', body.includes('the key was right'));
    expect('the sandbox has a placeholder only', placeholder !== '' && !stdout.includes(KEY));
    const variables = readFileSync(join(this.#stage.directory, 'all.env'), 'utf8');
    const isClean = ![KEY, 'sp_live_', 'sp_box_'].some((text) => variables.includes(text));
    expect('no key and no token is in its environment', isClean);
  }

  async clone(): Promise<void> {
    say('\n3. Real git clones, commits and pushes over smart HTTP; there it is Basic.');
    const script = [
      'set -e',
      `git clone --quiet https://${GIT_HOST}/work.git work`,
      'cd work',
      'git checkout --quiet -B main',
      'echo hello > README',
      'git add README',
      'git -c user.name=demo -c user.email=demo@example.test commit --quiet -m first',
      'git push --quiet origin main',
      'git ls-remote origin refs/heads/main',
    ].join('\n');
    const { code, stdout, stderr } = await this.#sandboxed(script);
    const push = this.#origin.seen.findLast(
      (one) => one.line === 'POST /work.git/git-receive-pack',
    );
    show('git said', stdout.trim() || stderr);
    show('origin saw', `${push?.line}  Authorization: ${push?.authorization}`);
    const basic = Buffer.from(`x-access-token:${KEY}`).toString('base64');
    expect('clone and push worked', code === 0 && stdout.includes('refs/heads/main'));
    expect('git got Basic with the real key', push?.authorization === `Basic ${basic}`);
  }

  async misuse(): Promise<void> {
    say('\n4. The sandbox sends the placeholder to a host the secret is not for.');
    const before = this.#origin.seen.length;
    const { stdout } = await this.#sandboxed(
      `curl -sS -H "Authorization: Bearer $FORGE_TOKEN" https://${OTHER_HOST}/collect`,
    );
    show('sandbox got', stdout);
    expect('it was refused, with the reason', stdout.includes('credential_host_mismatch'));
    expect('that origin saw nothing', this.#origin.seen.length === before);
  }

  async trail(): Promise<void> {
    say('\n5. What is remembered.');
    const shown = await this.#stage.sallyport(['secret', 'show', 'forge', '--json']);
    const secret = JSON.parse(shown.stdout) as { last_used_at: string | null };
    show('last used', String(secret.last_used_at));
    const untouched = await this.#stage.sallyport(['secret', 'show', 'collector', '--json']);
    const other = JSON.parse(untouched.stdout) as { last_used_at: string | null };
    const used = Date.parse(secret.last_used_at ?? '');
    expect('forge was used within this minute', Math.abs(Date.now() - used) < 60_000);
    expect('a refusal is not a use', other.last_used_at === null);
    const audit = await this.#untilAudited();
    show('audit', audit.stdout);
    expect('every use and the refusal are in the trail', isAudited(audit.stdout));
    const left = await this.#stage.sallyport(['sandbox', 'list', '--json']);
    expect('the sandboxes are gone with their commands', left.stdout.trim() === '[]');
    const said = [shown, untouched, audit, left].map((one) => one.stdout + one.stderr).join('');
    expect('the admin side never shows the key', !said.includes(KEY));
  }

  async #untilAudited(): Promise<Outcome> {
    for (let attempt = 1; ; attempt += 1) {
      const audit = await this.#stage.sallyport(['audit', 'forge']);
      if (isAudited(audit.stdout) || attempt === 20) return audit;
      await new Promise((resolve) => void setTimeout(resolve, 100));
    }
  }

  async #command(args: readonly string[], input: string): Promise<void> {
    show('$', `sallyport ${args.join(' ').replaceAll(`${this.#stage.directory}/`, '')}`);
    const { code, stdout, stderr } = await this.#stage.sallyport(args, input);
    show('', stdout + stderr);
    expect('done', code === 0);
  }

  #sandboxed(script: string): Promise<Outcome> {
    show('$', 'sallyport run --secret forge=FORGE_TOKEN --secret collector -- sh -c …');
    show('', script);
    const bound = ['--secret', 'forge=FORGE_TOKEN', '--secret', 'collector'];
    return this.#stage.sallyport(['run', ...bound, '--', 'sh', '-c', script]);
  }
}

function isAudited(text: string): boolean {
  return ['/v1/user', 'git-receive-pack', 'credential_host_mismatch'].every((part) =>
    text.includes(part),
  );
}

async function perform(stage: Stage): Promise<void> {
  const gitRoot = join(stage.directory, 'repositories');
  mkdirSync(gitRoot);
  makeRepository(gitRoot, 'work');
  const origin = await startDemoOrigin(KEY, gitRoot);
  try {
    const extraCa = join(stage.directory, 'origin-ca.pem');
    writeFileSync(extraCa, origin.caPem);
    const there = `127.0.0.1:${origin.port}`;
    const { proxy, admin } = await stage.startProduct({
      data_dir: join(stage.directory, 'data'),
      proxy: { listen: '127.0.0.1:0' },
      admin: { listen: '127.0.0.1:0' },
      egress: {
        extra_ca: [extraCa],
        allow_private: ['127.0.0.1/32'],
        hosts: { [API_HOST]: there, [GIT_HOST]: there, [OTHER_HOST]: there },
      },
    });
    say(`Sallyport runs: proxy ${proxy}, admin ${admin}; origins on ${there}`);
    const demo = new Demo(stage, origin);
    await demo.register();
    await demo.call();
    await demo.clone();
    await demo.misuse();
    await demo.trail();
  } finally {
    await origin.close();
  }
}

const stage = new Stage(mkdtempSync(join(tmpdir(), 'sallyport-demo-')));
let interrupted: NodeJS.Signals | undefined;
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    interrupted ??= signal;
    void stage.clear();
  });
}
try {
  await perform(stage);
  say(broken === 0 ? '\nEverything was as promised.' : `\n${broken} promises were broken.`);
} catch (error) {
  broken += 1;
  if (interrupted === undefined) process.stderr.write(`${(error as Error).stack}\n`);
} finally {
  await stage.clear();
}
if (interrupted !== undefined) process.exitCode = interrupted === 'SIGINT' ? 130 : 143;
else if (broken > 0) process.exitCode = 1;
