/** What programs do with WebSocket clients: a text and a large message there and back, then a goodbye. */
import { randomBytes } from 'node:crypto';
import { HttpsProxyAgent as HpAgent } from 'hpagent';
import { HttpsProxyAgent } from 'https-proxy-agent';
import { ProxyAgent, WebSocket as UndiciSocket } from 'undici';
import { WebSocket as WsSocket } from 'ws';

const { API_KEY, HTTPS_PROXY } = process.env;
const [name, url] = process.argv.slice(2);
const headers = { authorization: `Bearer ${API_KEY}` };

const clients = {
  'ws with https-proxy-agent': () =>
    new WsSocket(url, { headers, agent: new HttpsProxyAgent(HTTPS_PROXY) }),
  'ws with hpagent': () =>
    new WsSocket(url, { headers, agent: new HpAgent({ proxy: HTTPS_PROXY }) }),
  'undici WebSocket': () =>
    new UndiciSocket(url, { headers, dispatcher: new ProxyAgent(HTTPS_PROXY) }),
  // It cannot send the header: the key is placed by host.
  "Node's WebSocket": () => new globalThis.WebSocket(url),
};

function next(socket, event) {
  return new Promise((resolve, reject) => {
    socket.addEventListener(event, resolve, { once: true });
    socket.addEventListener('error', ({ error, message }) =>
      reject(error ?? new Error(message ?? 'refused')),
    );
  });
}

async function talk() {
  const socket = clients[name]();
  socket.binaryType = 'arraybuffer';
  await next(socket, 'open');
  socket.send('hello');
  const { data: echo } = await next(socket, 'message');
  const large = randomBytes(200_000);
  socket.send(large);
  const { data } = await next(socket, 'message');
  socket.close(1000, 'bye');
  const { code, reason } = await next(socket, 'close');
  return { echo, same: large.equals(Buffer.from(data)), code, reason };
}

const answer = await talk().catch((error) => ({ error: error.message }));
console.log(JSON.stringify(answer));
