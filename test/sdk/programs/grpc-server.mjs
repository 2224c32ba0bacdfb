/**
 * A real gRPC server: `node grpc-server.mjs CERT_FILE KEY_FILE` prints its port, then one JSON line for
 * every call that began or was cancelled.
 */
import { readFileSync } from 'node:fs';
import { Metadata, Server, ServerCredentials, status } from '@grpc/grpc-js';
import { echoService } from './echo-service.mjs';

const [certFile, keyFile] = process.argv.slice(2);
const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);
const MESSAGE_BYTES_MAX = 32 * 1024 * 1024;

function begin(name, call) {
  say({
    call: name,
    metadata: call.metadata.getMap(),
    hasDeadline: Number.isFinite(Number(call.getDeadline())),
  });
  call.on('cancelled', () => say({ cancelled: name }));
}

const server = new Server({
  'grpc.max_receive_message_length': MESSAGE_BYTES_MAX,
  'grpc.max_send_message_length': MESSAGE_BYTES_MAX,
});
server.addService(echoService, {
  unary: (call, done) => {
    begin('unary', call);
    const trailers = new Metadata();
    trailers.set('x-trailer', 'after');
    const first = new Metadata();
    first.set('x-first', 'before');
    call.sendMetadata(first);
    done(null, call.request, trailers);
  },
  collect: (call, done) => {
    begin('collect', call);
    const all = [];
    call.on('data', (message) => all.push(message));
    call.on('end', () => done(null, all));
  },
  spread: (call) => {
    begin('spread', call);
    for (let i = 0; i < call.request; i += 1) call.write(i);
    call.end();
  },
  chat: (call) => {
    begin('chat', call);
    call.on('data', (message) => call.write({ answer: message }));
    call.on('end', () => call.end());
  },
  fail: (call, done) => {
    begin('fail', call);
    done({ code: status.NOT_FOUND, details: 'no such thing: 100 % café' });
  },
  hold: (call) => {
    begin('hold', call);
    call.write('begun');
  },
});
const credentials = ServerCredentials.createSsl(null, [
  { cert_chain: readFileSync(certFile), private_key: readFileSync(keyFile) },
]);
server.bindAsync('127.0.0.1:0', credentials, (error, port) => {
  if (error) throw error;
  say({ port });
});
