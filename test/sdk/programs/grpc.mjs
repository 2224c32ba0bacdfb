/** gRPC as its users call it: `node grpc.mjs CALL TARGET`; the environment says which proxy and roots. */
import { ChannelCredentials, Client, Metadata } from '@grpc/grpc-js';
import { echoService } from './echo-service.mjs';

const [call, target, argument] = process.argv.slice(2);
const MESSAGE_BYTES_MAX = 32 * 1024 * 1024;
const client = new Client(target, ChannelCredentials.createSsl(), {
  'grpc.max_receive_message_length': MESSAGE_BYTES_MAX,
  'grpc.max_send_message_length': MESSAGE_BYTES_MAX,
});

const faultOf = ({ code, details, metadata }) => ({
  code,
  details,
  trailers: metadata?.getMap() ?? {},
});
const of = ({ path, requestSerialize, responseDeserialize }) => [
  path,
  requestSerialize,
  responseDeserialize,
];

function unary(service, message, metadata = new Metadata(), options = {}) {
  return new Promise((resolve) => {
    const seen = { first: {}, trailers: {} };
    let outcome = {};
    const running = client.makeUnaryRequest(
      ...of(service),
      message,
      metadata,
      options,
      (error, answer) => {
        outcome = error ? { fault: faultOf(error) } : { answer };
      },
    );
    running.on('metadata', (first) => (seen.first = first.getMap()));
    running.on('status', (status) => {
      seen.trailers = status.metadata.getMap();
      resolve({ ...outcome, ...seen });
    });
  });
}

function collected(stream) {
  return new Promise((resolve) => {
    const messages = [];
    stream.on('data', (message) => messages.push(message));
    stream.on('error', (error) => resolve({ messages, fault: faultOf(error) }));
    stream.on('end', () => resolve({ messages }));
  });
}

const calls = {
  unary: () => unary(echoService.unary, { hello: 'world' }),
  placeholder: () => {
    const metadata = new Metadata();
    metadata.set('x-api-key', argument);
    return unary(echoService.unary, {}, metadata);
  },
  large: async () => {
    const { answer, fault } = await unary(echoService.unary, 'm'.repeat(8 * 1024 * 1024));
    return { length: answer?.length ?? 0, fault };
  },
  many: async () => {
    const answers = await Promise.all(
      Array.from({ length: 200 }, (_, i) => unary(echoService.unary, { i })),
    );
    return answers.map(({ answer }) => answer?.i);
  },
  collect: () =>
    new Promise((resolve) => {
      const running = client.makeClientStreamRequest(
        ...of(echoService.collect),
        (error, answer) => {
          resolve(error ? { fault: faultOf(error) } : { answer });
        },
      );
      for (const message of ['a', 'b', 'c']) running.write(message);
      running.end();
    }),
  spread: () => collected(client.makeServerStreamRequest(...of(echoService.spread), 1_000)),
  chat: () => {
    const running = client.makeBidiStreamRequest(...of(echoService.chat));
    let sent = 0;
    running.on('data', () => {
      sent += 1;
      if (sent < 5) running.write(sent);
      else running.end();
    });
    running.write(sent);
    return collected(running);
  },
  fail: () => unary(echoService.fail, {}),
  deadline: () => {
    const options = { deadline: Date.now() + 700 };
    return collected(
      client.makeServerStreamRequest(...of(echoService.hold), {}, new Metadata(), options),
    );
  },
  cancel: () => {
    const running = client.makeServerStreamRequest(...of(echoService.hold), {});
    running.once('data', () => running.cancel());
    return collected(running);
  },
};

const result = await calls[call]();
client.close();
process.stdout.write(JSON.stringify(result));
