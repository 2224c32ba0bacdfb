/** Our OpenAPI document as tests walk it: every operation, and whether an answer is one it promises. */
import { faultsOf, type Components, type Schema } from './json-schema.ts';

export interface Parameter {
  readonly name: string;
  readonly in: 'path' | 'query' | 'header';
  readonly required: boolean;
  readonly description?: string;
  readonly schema: Schema;
}

interface Content {
  readonly [contentType: string]: { readonly schema: Schema };
}

export interface Operation {
  readonly id: string;
  readonly method: string;
  /** With its parameters in braces. */
  readonly path: string;
  readonly summary: string;
  readonly tags: readonly string[];
  /** Does it want a key? */
  readonly isKeyed: boolean;
  readonly parameters: readonly Parameter[];
  readonly body: { readonly required: boolean; readonly schema: Schema } | null;
  readonly responses: Readonly<
    Record<string, { readonly description: string; readonly content?: Content }>
  >;
}

export interface ApiDocument {
  readonly operations: readonly Operation[];
  readonly components: Components;
  readonly tags: readonly { readonly name: string; readonly description: string }[];
}

// The document as it came; the fields read here are what the tests of the document check.
// oxlint-disable-next-line typescript/no-explicit-any
export function readDocument(json: any): ApiDocument {
  const operations: Operation[] = [];
  for (const [path, item] of Object.entries<Schema>(json.paths)) {
    for (const [method, operation] of Object.entries<Schema>(item)) {
      const body = operation['requestBody'];
      operations.push({
        id: operation['operationId'],
        method: method.toUpperCase(),
        path,
        summary: operation['summary'],
        tags: operation['tags'],
        isKeyed: operation['security'].length > 0,
        parameters: operation['parameters'] ?? [],
        body:
          body === undefined
            ? null
            : { required: body.required, schema: body.content['application/json'].schema },
        responses: operation['responses'],
      });
    }
  }
  return { operations, components: json.components.schemas, tags: json.tags };
}

/** What the document did not promise about an answer; empty when it did. NDJSON is looked at line by line. */
export function surprisesOf(
  document: ApiDocument,
  operation: Operation,
  answer: { readonly status: number; readonly contentType: string | null; readonly text: string },
): string[] {
  const response = operation.responses[answer.status];
  if (response === undefined) return [`status ${answer.status}: ${answer.text.slice(0, 300)}`];
  const type = answer.contentType?.split(';')[0] ?? '';
  if (response.content === undefined) return answer.text === '' ? [] : ['a body'];
  const form = response.content[type];
  if (form === undefined) return [`content type ${type}`];
  if (type !== 'application/json' && type !== 'application/x-ndjson') return [];
  const texts = type === 'application/json' ? [answer.text] : answer.text.split('\n').slice(0, -1);
  return texts.flatMap((text) => faultsOf(form.schema, JSON.parse(text), document.components));
}
