/**
 * The server name of a TLS hello: what real clients send, every fragmentation of it, what is malformed, and
 * that no bytes whatever make the reader throw or take a prefix for the whole.
 */
import { once } from 'node:events';
import net from 'node:net';
import type { AddressInfo } from 'node:net';
import tls from 'node:tls';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FIXED } from '../../src/kernel/limits.ts';
import { readClientHello } from '../../src/wire/client-hello.ts';
import { extension, helloMessage, records, serverNames, short16 } from '../support/client-hello.ts';
import { lacks } from '../support/missing-tools.ts';
import { runTool } from '../support/tool.ts';

const NAME = 'api.example.com';
const named = helloMessage([extension(23, Buffer.alloc(0)), serverNames(NAME)]);

/** The first bytes a client sends to a port that reads and hangs up. */
async function capture(connect: (port: number) => void | Promise<unknown>): Promise<Buffer> {
  const server = net.createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const arrived = new Promise<Buffer>((resolve) => {
    const chunks: Buffer[] = [];
    server.on('connection', (socket) => {
      socket.on('error', () => undefined);
      socket.on('data', (chunk: Buffer) => {
        chunks.push(chunk);
        const all = Buffer.concat(chunks);
        if (readClientHello(all).kind === 'incomplete') return;
        socket.destroy();
        resolve(all);
      });
    });
  });
  const connecting = connect((server.address() as AddressInfo).port);
  const bytes = await arrived;
  await connecting;
  server.close();
  return bytes;
}

function connectNode(options: tls.ConnectionOptions) {
  return (port: number): void => {
    tls.connect({ host: '127.0.0.1', port, ...options }).on('error', () => undefined);
  };
}

describe('real clients', () => {
  test.each([
    ['TLS 1.3', { servername: NAME }],
    ['TLS 1.2', { servername: NAME, maxVersion: 'TLSv1.2' }],
    ['ALPN', { servername: NAME, ALPNProtocols: ['h2', 'http/1.1'] }],
    ['a large key share', { servername: NAME, ecdhCurve: 'X25519MLKEM768:P-521' }],
  ] as const)('Node, %s', async (_, options) => {
    const bytes = await capture(connectNode(options));
    expect(readClientHello(bytes)).toEqual({ kind: 'hello', serverName: NAME });
  });

  test('Node without a server name', async () => {
    const bytes = await capture(connectNode({ servername: '' }));
    expect(readClientHello(bytes)).toEqual({ kind: 'hello', serverName: null });
  });

  test.skipIf(lacks('openssl'))('OpenSSL', async () => {
    const bytes = await capture((port) =>
      runTool('openssl', ['s_client', '-connect', `127.0.0.1:${port}`, '-servername', NAME]),
    );
    expect(readClientHello(bytes)).toEqual({ kind: 'hello', serverName: NAME });
  });

  test.skipIf(lacks('curl'))('curl', async () => {
    const bytes = await capture((port) =>
      runTool('curl', ['-sS', '--connect-to', `${NAME}:443:127.0.0.1:${port}`, `https://${NAME}/`]),
    );
    expect(readClientHello(bytes)).toEqual({ kind: 'hello', serverName: NAME });
  });

  test.skipIf(lacks('gnutls-cli'))('GnuTLS', async () => {
    const at = ['--insecure', '--sni-hostname', NAME, '127.0.0.1'];
    const bytes = await capture((port) => runTool('gnutls-cli', ['--port', String(port), ...at]));
    expect(readClientHello(bytes)).toEqual({ kind: 'hello', serverName: NAME });
  });
});

describe('fragments', () => {
  test.each([1, 2, 3, 4, 5, 7, 50, 16_384])('records of %i bytes', (size) => {
    expect(readClientHello(records(named, size))).toEqual({ kind: 'hello', serverName: NAME });
  });

  test('every prefix is incomplete until the message is whole, whatever follows it', () => {
    const bytes = records(named, 40);
    for (let end = 0; end < bytes.length; end += 1) {
      expect(readClientHello(bytes.subarray(0, end))).toEqual({ kind: 'incomplete' });
    }
    const more = Buffer.concat([bytes, Buffer.from('anything')]);
    expect(readClientHello(more)).toEqual({ kind: 'hello', serverName: NAME });
  });
});

describe('other protocols', () => {
  test.each([
    ['SSH', 'SSH-2.0-OpenSSH_9.6\r\n'],
    ['HTTP', 'GET / HTTP/1.1\r\n'],
    ['PostgreSQL', '\x00\x00\x00\x08\x04\xd2\x16/'],
    ['another version', '\x16\x02\x01'],
    ['an SSLv2 hello', '\x80\x2e\x01\x03\x01'],
  ])('%s is not TLS', (_, text) => {
    expect(readClientHello(Buffer.from(text, 'latin1'))).toEqual({ kind: 'not_tls' });
  });
});

describe('malformed (I6)', () => {
  const list = (content: Uint8Array): Buffer => records(helloMessage([extension(0, content)]));
  const entry = (type: number, name: string): Buffer =>
    Buffer.concat([Buffer.from([type]), short16(Buffer.from(name, 'latin1'))]);
  test.each([
    ['two names', records(helloMessage([serverNames('a.example', 'b.example')]))],
    ['the extension twice', records(helloMessage([serverNames('a'), serverNames('a')]))],
    ['an empty name', records(helloMessage([serverNames('')]))],
    ['an empty list', list(short16(Buffer.alloc(0)))],
    ['another kind of name', list(short16(entry(1, 'a')))],
    [
      'a list shorter than the extension',
      list(Buffer.concat([short16(entry(0, 'a')), Buffer.of(0)])),
    ],
    ['a list longer than the extension', list(short16(entry(0, 'ab')).subarray(0, 6))],
    ['NUL in the name', list(short16(entry(0, 'a.example\0.b')))],
    ['bytes above ASCII', list(short16(entry(0, 'ä.example')))],
    ['a space', list(short16(entry(0, 'a b')))],
    ['bytes after the extensions', records(lengthened(helloMessage([]), 1))],
    ['another message first', records(Buffer.from([2, 0, 0, 0]))],
    ['an alert first', records(Buffer.from([2, 40]), 9, 0x16)],
    [
      'another record inside',
      Buffer.concat([records(named.subarray(0, 9)), records(named, 9, 0x17)]),
    ],
    ['an empty record', Buffer.concat([Buffer.from([0x16, 3, 1, 0, 0]), records(named)])],
    ['a record that is too long', Buffer.from([0x16, 3, 1, 0xff, 0xff])],
    ['a message that is too long', records(Buffer.from([1, 1, 0, 0]))],
  ])('%s', (_, bytes) => {
    expect(readClientHello(bytes)).toMatchObject({ kind: 'malformed' });
  });

  test('one that never ends (I7)', () => {
    const message = Buffer.alloc(FIXED.clientHelloBytesMax, 0);
    message.writeUInt32BE(FIXED.clientHelloBytesMax);
    message[0] = 1;
    const bytes = records(message, 100).subarray(0, FIXED.clientHelloBytesMax);
    expect(readClientHello(bytes)).toMatchObject({ kind: 'malformed', reason: 'it is too long' });
  });
});

/** `count` more bytes at the end, the length of the message with them. */
function lengthened(message: Buffer, count: number): Buffer {
  const longer = Buffer.concat([message, Buffer.alloc(count)]);
  longer.writeUIntBE(longer.length - 4, 1, 3);
  return longer;
}

test('no bytes make it throw, and one flipped byte leaves no name but one of the same length', () => {
  const bytes = records(helloMessage([serverNames(NAME), extension(23, Buffer.alloc(0))]), 60);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 600 }), (any) => {
      readClientHello(any);
      readClientHello(Buffer.concat([Buffer.from([0x16, 3, 1]), any]));
      readClientHello(Buffer.concat([bytes.subarray(0, 60), any]));
    }),
    { numRuns: 5_000 },
  );
  for (let at = 0; at < bytes.length; at += 1) {
    for (const mask of [1, 0x10, 0x80, 0xff]) {
      const flipped = Buffer.from(bytes);
      flipped[at] = (flipped[at] ?? 0) ^ mask;
      const reading = readClientHello(flipped);
      const name = reading.kind === 'hello' ? (reading.serverName ?? '') : '';
      expect(name === '' || name.length === NAME.length).toBe(true);
    }
  }
});
