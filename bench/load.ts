/**
 * Load by `hey`: N workers in a closed loop against one URL, directly or through a proxy, and what it
 * counted. An error or a status other than 200 makes the run invalid: a fast failure is no figure.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';

export interface LoadPlan {
  readonly command: string;
  readonly url: string;
  readonly connections: number;
  readonly seconds: number;
  /** `http://user:token@host:port`. */
  readonly proxy?: string;
  /** `Host` (and server name) to send, where the URL names an address. */
  readonly host?: string;
  /** A new connection for every request. */
  readonly noKeepAlive?: boolean;
}

export interface LoadResult {
  readonly requests: number;
  readonly perSecond: number;
}

/** Throws when anything but 200 was answered, or nothing. */
export async function runLoad(plan: LoadPlan): Promise<LoadResult> {
  const args = ['-z', `${plan.seconds}s`, '-c', String(plan.connections), '-disable-compression'];
  if (plan.proxy !== undefined) args.push('-x', plan.proxy);
  if (plan.host !== undefined) args.push('-host', plan.host);
  if (plan.noKeepAlive === true) args.push('-disable-keepalive');
  const child = spawn(plan.command, [...args, plan.url], { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    output += chunk.toString();
  });
  await once(child, 'close');
  const requests = Number(/\[200\]\s+(\d+) responses/.exec(output)?.[1] ?? 0);
  const others = [...output.matchAll(/\[(\d+)\]\s+(\d+) responses/g)].filter(
    ([, s]) => s !== '200',
  );
  const failed = /Error distribution:\s+([\s\S]+)/.exec(output)?.[1];
  // hey cuts its last requests off when the time is over and may report one such error a worker.
  const errors = [...(failed ?? '').matchAll(/\[(\d+)\]/g)].reduce((n, m) => n + Number(m[1]), 0);
  if (requests === 0 || others.length > 0 || errors > plan.connections) {
    const safe = output.replace(/\/\/[^@\s]*@/g, '//[credentials]@');
    throw new Error(`the load was not answered with 200 only:\n${safe.slice(-1500)}`);
  }
  return { requests, perSecond: Number(/Requests\/sec:\s+([\d.]+)/.exec(output)?.[1] ?? 0) };
}
