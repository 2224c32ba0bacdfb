/** What an agent does with `@octokit/rest`: the token comes from the environment, the proxy too. */
import { Octokit } from '@octokit/rest';

/** It would also print each refused call, which its error says anyway. */
const log = { debug() {}, info() {}, warn: console.warn, error() {} };
const octokit = new Octokit({ auth: process.env.GITHUB_TOKEN, log });
const repository = { owner: 'octo', repo: 'project' };

const calls = {
  async ordinary() {
    const { data, headers } = await octokit.rest.repos.get(repository);
    return { name: data.full_name, rate: headers['x-ratelimit-remaining'] };
  },

  async create() {
    const issue = { ...repository, title: 'from a sandbox', body: 'ä'.repeat(2_000) };
    const { status, data } = await octokit.rest.issues.create(issue);
    return { status, number: data.number };
  },

  async pages() {
    const issues = await octokit.paginate(octokit.rest.issues.listForRepo, repository);
    return { numbers: issues.map(({ number }) => number) };
  },

  /** A stream of events, read as it comes. */
  async stream() {
    const options = { ...repository, request: { parseSuccessResponseBody: false } };
    const { data } = await octokit.request('GET /repos/{owner}/{repo}/feed', options);
    let text = '';
    for await (const chunk of data) {
      if (text === '') await octokit.rest.rateLimit.get();
      text += Buffer.from(chunk).toString();
    }
    return { text };
  },

  async archive() {
    const { data } = await octokit.rest.repos.downloadTarballArchive({ ...repository, ref: 'v1' });
    return { text: Buffer.from(data).toString() };
  },

  async refused() {
    try {
      await octokit.rest.repos.get(repository);
      return { name: 'none' };
    } catch (error) {
      const { name, status, message, response } = error;
      return { name, status, message, code: response?.data?.error?.code };
    }
  },
};

console.log(JSON.stringify(await calls[process.argv[2]]()));
