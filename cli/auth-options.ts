/**
 * The options of `secret create` and `secret update` that say how a value is placed and where it may go,
 * turned into the fields of the API. What was not given is left out, so that an update keeps it.
 */
import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { parse } from 'yaml';
import { CommandFault, usageFault } from './command-fault.ts';
import { EXIT_CODES } from './exit-codes.ts';
import { collect, collectPairs, collectPorts, parseSignedNumber } from './option-parsers.ts';

export interface AuthOptions {
  readonly provider?: string;
  readonly param?: Readonly<Record<string, string>>;
  readonly bearer?: boolean;
  readonly basic?: string | true;
  readonly apiKeyHeader?: string;
  readonly prefix?: string;
  readonly header?: readonly string[];
  readonly query?: string;
  readonly mtls?: boolean;
  readonly authFile?: string;
  readonly host?: readonly string[];
  readonly port?: readonly number[];
  readonly method?: readonly string[];
  readonly path?: readonly string[];
  readonly priority?: number;
  readonly onExisting?: string;
  readonly description?: string;
  readonly allowPlaintext?: boolean;
  readonly mask?: boolean;
}

/** Adds them to a command. */
export function addAuthOptions(command: Command): Command {
  return command
    .option('--provider <name>', 'take auth and hosts from the catalogue')
    .option('--param <key=text>', 'parameter of the provider', collectPairs)
    .option('--bearer', 'place as Authorization: Bearer VALUE')
    .option('--basic [user]', 'place as Basic credentials, the value being the password')
    .option('--api-key-header <name>', 'place alone in this header')
    .option('--prefix <text>', 'with --api-key-header: text before the value')
    .option('--header <line>', "place by a template: 'Name: text {{ value }}'", collect)
    .option('--query <key>', 'place in the query, under this key')
    .option('--mtls', 'show as client certificate: the value is PEM, chain and private key')
    .option('--auth-file <file>', 'JSON or YAML with the `auth` object of the API (per_host …)')
    .option('--host <name>', 'host it may go to; repeat for more', collect)
    .option('--port <number>', 'port it may go to (default 443)', collectPorts)
    .option('--method <name>', 'only these methods', collect)
    .option('--path <pattern>', 'only these paths: /a/*, /a/**', collect)
    .option('--priority <number>', 'decides between equals, -1000 to 1000', parseSignedNumber)
    .option('--on-existing <what>', 'replace or keep a credential the client sent')
    .option('--description <text>', 'for people')
    .option('--allow-plaintext', 'also on plain http://')
    .option('--no-allow-plaintext', 'not on plain http:// (the default)')
    .option('--mask', 'replace the value by * where an origin sends it back (the default)')
    .option('--no-mask', 'let it pass in responses: the sandbox sees what the origin sends');
}

/** The fields of `POST /secrets` and `PATCH /secrets/{name}`. CommandFault for options that exclude each other. */
export function readAuthFields(options: AuthOptions): Record<string, unknown> {
  const fields = {
    provider: options.provider,
    provider_params: options.param,
    auth: readAuth(options),
    hosts: options.host,
    ports: options.port,
    methods: options.method,
    paths: options.path,
    priority: options.priority,
    on_existing: options.onExisting,
    description: options.description,
    allow_plaintext: options.allowPlaintext,
    mask_responses: options.mask,
  };
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}

function readAuth(options: AuthOptions): unknown {
  const ways = [
    options.bearer === true ? { type: 'bearer' } : undefined,
    options.basic === undefined ? undefined : readBasic(options.basic),
    options.apiKeyHeader === undefined ? undefined : readApiKey(options.apiKeyHeader, options),
    options.header === undefined ? undefined : readCustom(options.header),
    options.query === undefined ? undefined : { type: 'query', name: options.query },
    options.mtls === true ? { type: 'mtls' } : undefined,
    options.authFile === undefined ? undefined : readAuthFile(options.authFile),
  ].filter((way) => way !== undefined);
  if (ways.length > 1 || (ways.length === 1 && options.provider !== undefined)) {
    throw usageFault(
      'more than one way to place the value was given',
      'Choose one of --provider, --bearer, --basic, --api-key-header, --header, --query, --mtls, --auth-file.',
    );
  }
  if (options.prefix !== undefined && options.apiKeyHeader === undefined) {
    throw usageFault('--prefix belongs to --api-key-header');
  }
  return ways[0];
}

function readBasic(user: string | true): unknown {
  return user === true ? { type: 'basic' } : { type: 'basic', username: user };
}

function readApiKey(header: string, options: AuthOptions): unknown {
  const { prefix } = options;
  return { type: 'api-key', header, ...(prefix === undefined ? {} : { prefix }) };
}

function readCustom(lines: readonly string[]): unknown {
  const headers = lines.map((line) => {
    const at = line.indexOf(':');
    // Not repeated: whoever is wrong here may have written the value itself.
    if (at < 1) throw usageFault('--header is no header line', "Write 'Name: {{ value }}'.");
    return [line.slice(0, at).trim(), line.slice(at + 1).trim()] as const;
  });
  return { type: 'custom', headers: Object.fromEntries(headers) };
}

function readAuthFile(file: string): unknown {
  try {
    return parse(readFileSync(file, 'utf8'));
  } catch (cause) {
    throw new CommandFault(`cannot read ${file} as JSON or YAML`, {
      cause,
      exitCode: EXIT_CODES.usage,
    });
  }
}
