/**
 * nginx in a temporary directory, one worker, loopback only: as the TLS origin every contender talks to,
 * and as the TLS-to-TLS reverse proxy that is the floor of the ratios.
 */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import net from 'node:net';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { TestLeaf } from '../test/support/test-authority.ts';

const READY_MS = 10_000;

export interface NginxPlan {
  readonly command: string;
  /** Made if it is not there; everything nginx writes goes here. */
  readonly directory: string;
  readonly leaf: TestLeaf;
  /** Inside `http { }`; `@PORT@` stands for the port. */
  readonly httpBlock: string;
}

async function findFreePort(): Promise<number> {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

async function waitForPort(port: number, child: ChildProcess): Promise<void> {
  const deadline = performance.now() + READY_MS;
  while (performance.now() < deadline && child.exitCode === null) {
    const socket = net.connect(port, '127.0.0.1');
    const open = await new Promise<boolean>((resolve) => {
      socket.once('connect', () => resolve(true));
      socket.once('error', () => resolve(false));
    });
    socket.destroy();
    if (open) return;
    await delay(20);
  }
  throw new Error('nginx did not start listening');
}

/** A running nginx. Dispose it. */
export class Nginx implements AsyncDisposable {
  readonly port: number;
  readonly #child: ChildProcess;

  private constructor(port: number, child: ChildProcess) {
    this.port = port;
    this.#child = child;
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  static async start(plan: NginxPlan): Promise<Nginx> {
    const port = await findFreePort();
    const { directory } = plan;
    await mkdir(directory, { recursive: true });
    await writeFile(join(directory, 'cert.pem'), plan.leaf.certPem);
    await writeFile(join(directory, 'key.pem'), plan.leaf.keyPem, { mode: 0o600 });
    const temp = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
    const config = [
      'daemon off;',
      'worker_processes 1;',
      `pid ${join(directory, 'nginx.pid')};`,
      'error_log stderr crit;',
      'events { worker_connections 4096; }',
      'http {',
      ...temp.map((name) => `  ${name}_temp_path ${join(directory, name)};`),
      '  access_log off;',
      '  keepalive_timeout 300s;',
      '  keepalive_requests 100000000;',
      '  ssl_protocols TLSv1.2 TLSv1.3;',
      `  ssl_certificate ${join(directory, 'cert.pem')};`,
      `  ssl_certificate_key ${join(directory, 'key.pem')};`,
      plan.httpBlock.replaceAll('@PORT@', String(port)),
      '}',
      '',
    ].join('\n');
    const file = join(directory, 'nginx.conf');
    await writeFile(file, config);
    const args = ['-p', directory, '-c', file, '-e', 'stderr'];
    const child = spawn(plan.command, args, { stdio: ['ignore', 'ignore', 'inherit'] });
    await waitForPort(port, child);
    return new Nginx(port, child);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null) return;
    const ended = once(this.#child, 'exit');
    this.#child.kill('SIGTERM');
    await ended;
  }
}

/** A small JSON answer for every path, as an API gives; `/big` is a file in `directory`. */
export function originBlock(directory: string, protocol: 'http1' | 'http2' = 'http1'): string {
  return `
  server {
    listen 127.0.0.1:@PORT@ ssl${protocol === 'http2' ? ' http2' : ''} backlog=4096;
    location / {
      default_type application/json;
      return 200 '{"id":"item_0001","object":"item","status":"ok","value":42}';
    }
    location = /big {
      root ${directory};
    }
  }`;
}

/** A verifying TLS-to-TLS reverse proxy with a kept-alive pool that sets one header. */
export function reverseProxyBlock(
  originPort: number,
  serverName: string,
  caFile: string,
  protocol: 'http1' | 'http2' = 'http1',
): string {
  return `
  upstream origin {
    server 127.0.0.1:${originPort};
    keepalive 128;
    keepalive_requests 100000000;
  }
  server {
    listen 127.0.0.1:@PORT@ ssl${protocol === 'http2' ? ' http2' : ''} backlog=4096;
    location / {
      proxy_pass https://origin;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host ${serverName};
      proxy_set_header Authorization "Bearer not-a-real-key-for-the-bench";
      proxy_ssl_server_name on;
      proxy_ssl_name ${serverName};
      proxy_ssl_verify on;
      proxy_ssl_trusted_certificate ${caFile};
      proxy_ssl_session_reuse on;
      proxy_max_temp_file_size 0;
    }
  }`;
}
