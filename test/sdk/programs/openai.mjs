/** What an agent does with the `openai` package: key and proxy come from the environment alone. */
import OpenAI, { toFile } from 'openai';
import { OpenAIRealtimeWS } from 'openai/realtime/ws';
import { HttpsProxyAgent } from 'https-proxy-agent';

const client = new OpenAI();
const question = { model: 'gpt-test', messages: [{ role: 'user', content: 'hello?' }] };

async function readError(promise) {
  try {
    await promise;
    return { name: 'none' };
  } catch (error) {
    const { status, code, type, message, error: body } = error;
    return { name: error.constructor.name, status, code, type, message, hint: body?.hint };
  }
}

const calls = {
  async ordinary() {
    const answer = await client.chat.completions.create(question);
    return { text: answer.choices[0].message.content, id: answer._request_id };
  },

  async ownKey() {
    const own = new OpenAI({ apiKey: 'sk-own-key-of-the-agent' });
    const answer = await own.chat.completions.create(question);
    return { text: answer.choices[0].message.content };
  },

  /** One client, one kept-alive connection, while the admin changes things between the calls. */
  async session() {
    const first = await calls.ordinary();
    const second = await calls.ordinary();
    return { first, second, third: await calls.refused() };
  },

  /** Goes on only after the first piece was seen: see `held-stream.ts`. */
  async stream() {
    const pieces = [];
    const stream = await client.chat.completions.create({ ...question, stream: true });
    for await (const chunk of stream) {
      if (pieces.length === 0) await client.models.list();
      pieces.push(chunk.choices[0].delta.content);
    }
    return { pieces };
  },

  async responses() {
    const types = [];
    const stream = await client.responses.create({ model: 'm', input: 'hello?', stream: true });
    for await (const event of stream) {
      if (types.length === 0) await client.models.list();
      types.push(event.type);
    }
    return { types };
  },

  async brokenStream() {
    return readError(
      (async () => {
        const stream = await client.chat.completions.create({ ...question, stream: true });
        for await (const chunk of stream) if (chunk.id) await client.models.list();
      })(),
    );
  },

  async upload() {
    const file = await toFile(Buffer.alloc(300_000, 'sallyport '), 'training.jsonl');
    const { id } = await client.files.create({ file, purpose: 'fine-tune' });
    return { id };
  },

  async realtime() {
    const agent = new HttpsProxyAgent(process.env.HTTPS_PROXY);
    const session = new OpenAIRealtimeWS({ model: 'gpt-realtime', options: { agent } }, client);
    const created = await new Promise((resolve, reject) => {
      session.on('session.created', resolve);
      session.on('error', reject);
    });
    session.close();
    return { type: created.type };
  },

  refused: () => readError(client.chat.completions.create(question)),
};

console.log(JSON.stringify(await calls[process.argv[2]]()));
