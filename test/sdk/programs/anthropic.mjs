/** What an agent does with `@anthropic-ai/sdk`: key and proxy come from the environment alone. */
import Anthropic from '@anthropic-ai/sdk';

const client = new Anthropic();
const question = {
  model: 'claude-test',
  max_tokens: 16,
  messages: [{ role: 'user', content: 'hello?' }],
};

const calls = {
  async ordinary() {
    const answer = await client.messages.create(question);
    return { text: answer.content[0].text, id: answer._request_id };
  },

  /** Goes on only after the first event was seen: see `held-stream.ts`. */
  async stream() {
    const types = [];
    const stream = await client.messages.create({ ...question, stream: true });
    for await (const event of stream) {
      if (types.length === 0) await client.models.list();
      types.push(event.type);
    }
    return { types };
  },

  /** The accumulating helper most agents use. */
  async accumulated() {
    const stream = client.messages.stream(question);
    stream.once('streamEvent', () => void client.models.list());
    const message = await stream.finalMessage();
    return { text: message.content[0].text, stop: message.stop_reason };
  },

  async refused() {
    try {
      await client.messages.create(question);
      return { name: 'none' };
    } catch (error) {
      const { status, type, message, apiMessage } = error;
      return { name: error.constructor.name, status, type, message, apiMessage };
    }
  },
};

console.log(JSON.stringify(await calls[process.argv[2]]()));
