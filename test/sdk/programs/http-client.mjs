/**
 * What programs do with general HTTP clients and their usual proxy agents. Each entry opens one client and
 * returns how it sends a request: `{status, text}` whatever the status, or pieces as they come.
 */
import { once } from 'node:events';
import https from 'node:https';
import axios from 'axios';
import got from 'got';
import { HttpsProxyAgent as HpAgent } from 'hpagent';
import { HttpsProxyAgent } from 'https-proxy-agent';
import { EnvHttpProxyAgent, fetch as undiciFetch, ProxyAgent, request } from 'undici';

const { API_KEY, HTTPS_PROXY } = process.env;
const [name, call, url] = process.argv.slice(2);
const headers = { authorization: `Bearer ${API_KEY}`, 'content-type': 'application/json' };

function readText(pieces) {
  return Array.fromAsync(pieces, (piece) => Buffer.from(piece).toString()).then((all) =>
    all.join(''),
  );
}

function withFetch(fetch, options) {
  return async (target, method, body) => {
    const response = await fetch(target, { method, body, headers, ...options });
    return { status: response.status, pieces: response.body };
  };
}

function withAxios(options) {
  return async (url, method, data) => {
    const common = { responseType: 'stream', validateStatus: () => true };
    const response = await axios.request({ url, method, data, headers, ...common, ...options });
    return { status: response.status, pieces: response.data };
  };
}

function withGot(agent) {
  return async (target, method, body) => {
    const stream = got.stream(target, {
      method,
      headers,
      agent: { https: agent },
      throwHttpErrors: false,
      ...(body === undefined ? {} : { body }),
    });
    const [response] = await once(stream, 'response');
    return { status: response.statusCode, pieces: stream };
  };
}

function withHttps(agent) {
  return async (target, method, body) => {
    const sent = https.request(target, { method, headers, agent });
    sent.end(body);
    const [response] = await once(sent, 'response');
    return { status: response.statusCode, pieces: response };
  };
}

const keepAlive = { keepAlive: true };
const clients = {
  'undici ProxyAgent': () => {
    const dispatcher = new ProxyAgent(HTTPS_PROXY);
    return async (target, method, body) => {
      const response = await request(target, { method, body, headers, dispatcher });
      return { status: response.statusCode, pieces: response.body };
    };
  },
  'undici fetch with ProxyAgent': () =>
    withFetch(undiciFetch, { dispatcher: new ProxyAgent(HTTPS_PROXY) }),
  'undici fetch with EnvHttpProxyAgent': () =>
    withFetch(undiciFetch, { dispatcher: new EnvHttpProxyAgent() }),
  "Node's fetch": () => withFetch(globalThis.fetch, {}),
  "Node's https": () => withHttps(),
  'https with https-proxy-agent': () => withHttps(new HttpsProxyAgent(HTTPS_PROXY, keepAlive)),
  'axios alone': () => withAxios({}),
  'axios with https-proxy-agent': () =>
    withAxios({ proxy: false, httpsAgent: new HttpsProxyAgent(HTTPS_PROXY) }),
  'axios with hpagent': () =>
    withAxios({ proxy: false, httpsAgent: new HpAgent({ ...keepAlive, proxy: HTTPS_PROXY }) }),
  'got with hpagent': () => withGot(new HpAgent({ ...keepAlive, proxy: HTTPS_PROXY })),
  'got with https-proxy-agent': () => withGot(new HttpsProxyAgent(HTTPS_PROXY)),
};

const send = clients[name]();

const calls = {
  async ordinary() {
    const { status, pieces } = await send(`${url}/things`, 'POST', '{"name":"thing"}');
    return { status, text: await readText(pieces) };
  },

  /** Goes on only after the first piece was seen: see `held-stream.ts`. */
  async stream() {
    const { pieces } = await send(`${url}/stream`, 'GET');
    let text = '';
    for await (const piece of pieces) {
      if (text === '') await readText((await send(`${url}/release`, 'GET')).pieces);
      text += Buffer.from(piece).toString();
    }
    return { text };
  },

  /** What a program can say about a refusal. */
  async refused() {
    try {
      const { status, pieces } = await send(`${url}/things`, 'GET');
      return { status, text: await readText(pieces) };
    } catch (error) {
      const reasons = [];
      for (let at = error; at; at = at.cause) reasons.push(at.message);
      return { status: 0, text: reasons.join(' / ') };
    }
  },
};

console.log(JSON.stringify(await calls[call]()));
