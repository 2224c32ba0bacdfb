/** What an agent does with `stripe`, over each of its two HTTP clients. */
import { Stripe } from 'stripe';
import { HttpsProxyAgent } from 'https-proxy-agent';

const [call, client] = process.argv.slice(2);
const stripe = new Stripe(
  process.env.STRIPE_SECRET_KEY,
  client === 'fetch'
    ? { httpClient: Stripe.createFetchHttpClient() }
    : { httpAgent: new HttpsProxyAgent(process.env.HTTPS_PROXY, { keepAlive: true }) },
);

const calls = {
  async ordinary() {
    const customer = await stripe.customers.create(
      { email: 'agent@example.test', metadata: { order: '17 & more' } },
      { idempotencyKey: 'order-17' },
    );
    return { id: customer.id, request: customer.lastResponse.requestId };
  },

  async pages() {
    const ids = [];
    for await (const customer of stripe.customers.list({ limit: 1 })) ids.push(customer.id);
    return { ids };
  },

  async stream() {
    const response = await stripe.quotes.pdf('qt_1');
    let text = '';
    for await (const chunk of response) {
      if (text === '') await stripe.balance.retrieve();
      text += Buffer.from(chunk).toString();
    }
    return { text };
  },

  async refused() {
    try {
      await stripe.customers.create({ email: 'agent@example.test' });
      return { name: 'none' };
    } catch (error) {
      const { name, statusCode, message, code, type, rawType } = error;
      return { name, statusCode, message, code, type, rawType };
    }
  },
};

console.log(JSON.stringify(await calls[call]()));
