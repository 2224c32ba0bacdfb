/** A tiny authoritative DNS server over UDP (RFC 1035): A, AAAA and CNAME from a table, or silence. */
import { createSocket } from 'node:dgram';

interface DnsRecordSet {
  readonly a?: readonly string[];
  readonly aaaa?: readonly string[];
  /** Another name of the table; its records come in the same answer. */
  readonly cname?: string;
  readonly ttlS?: number;
  /** Answers this response code (2 SERVFAIL, 3 NXDOMAIN) instead. */
  readonly rcode?: number;
  /** Types that get no answer at all. */
  readonly isSilent?: boolean | 'a' | 'aaaa';
}

export interface DnsServer {
  readonly address: string;
  readonly asked: string[];
  readonly zone: Map<string, DnsRecordSet>;
  close(): Promise<void>;
}

const TYPE_A = 1;
const TYPE_CNAME = 5;
const TYPE_AAAA = 28;

export async function startDnsServer(): Promise<DnsServer> {
  const zone = new Map<string, DnsRecordSet>();
  const asked: string[] = [];
  const socket = createSocket('udp4');
  socket.on('message', (query, peer) => {
    const { name, type, end } = readQuestion(query);
    const family = type === TYPE_A ? 'a' : 'aaaa';
    asked.push(`${name} ${family}`);
    const records = zone.get(name) ?? { rcode: 3 };
    if (records.isSilent === true || records.isSilent === family) return;
    const answers = records.rcode === undefined ? answersOf(zone, name, type) : [];
    const header = Buffer.alloc(12);
    query.copy(header, 0, 0, 2);
    header.writeUInt16BE(0x8580 | (records.rcode ?? 0), 2);
    header.writeUInt16BE(1, 4);
    header.writeUInt16BE(answers.length, 6);
    socket.send(
      Buffer.concat([header, query.subarray(12, end), ...answers]),
      peer.port,
      peer.address,
    );
  });
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
  return {
    address: `127.0.0.1:${socket.address().port}`,
    asked,
    zone,
    close: () => new Promise((resolve) => socket.close(() => resolve())),
  };
}

function readQuestion(query: Buffer): { name: string; type: number; end: number } {
  const labels: string[] = [];
  let at = 12;
  for (let length = query[at] ?? 0; length > 0; length = query[at] ?? 0) {
    labels.push(query.toString('latin1', at + 1, at + 1 + length));
    at += 1 + length;
  }
  return { name: labels.join('.'), type: query.readUInt16BE(at + 1), end: at + 5 };
}

/** The chain of aliases in its order, then the addresses at its end. */
function answersOf(zone: DnsServer['zone'], asked: string, type: number): Buffer[] {
  const answers: Buffer[] = [];
  let name = asked;
  let records = zone.get(name);
  for (let length = 0; records?.cname !== undefined && length < CHAIN_MAX; length += 1) {
    answers.push(answer(name, TYPE_CNAME, encodeName(records.cname), records.ttlS));
    name = records.cname;
    records = zone.get(name);
  }
  for (const address of (type === TYPE_A ? records?.a : records?.aaaa) ?? []) {
    const data =
      type === TYPE_AAAA ? ipv6Bytes(address) : Buffer.from(address.split('.').map(Number));
    answers.push(answer(name, type, data, records?.ttlS));
  }
  return answers;
}

/** Of a chain that leads to itself, this much is answered. */
const CHAIN_MAX = 16;

function answer(name: string, type: number, data: Buffer, ttlS = 30): Buffer {
  const head = Buffer.alloc(10);
  head.writeUInt16BE(type, 0);
  head.writeUInt16BE(1, 2);
  head.writeUInt32BE(ttlS, 4);
  head.writeUInt16BE(data.length, 8);
  return Buffer.concat([encodeName(name), head, data]);
}

function encodeName(name: string): Buffer {
  const labels = name.split('.').map((label) => Buffer.from([label.length, ...Buffer.from(label)]));
  return Buffer.concat([...labels, Buffer.from([0])]);
}

function ipv6Bytes(address: string): Buffer {
  const [head = '', tail] = address.split('::');
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  const middle = Array<string>(8 - left.length - right.length).fill('0');
  return Buffer.from(
    [...left, ...middle, ...right].flatMap((part) => {
      const word = Number.parseInt(part, 16);
      return [word >> 8, word & 255];
    }),
  );
}
