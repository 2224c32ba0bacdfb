/** The OpenAPI document held to the rules of a good one, and to what the routes answer at all. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CONTROL_ERRORS } from '../../src/kernel/errors.ts';
import { readDocument, type ApiDocument, type Operation } from '../support/api-document.ts';
import type { Schema } from '../support/json-schema.ts';
import { startAdminFixture, type AdminFixture } from './admin-fixture.ts';

let admin: AdminFixture;
let document: ApiDocument;
let text: string;

beforeAll(async () => {
  admin = await startAdminFixture();
  const answer = await admin.call('GET', '/openapi.json', undefined, null);
  text = answer.text;
  document = readDocument(answer.json);
});

afterAll(() => admin[Symbol.asyncDispose]());

/** The operations for which `isFault` holds, as a person reads them. */
function faulty(isFault: (operation: Operation) => boolean): readonly string[] {
  return document.operations.filter(isFault).map(({ method, path }) => `${method} ${path}`);
}

describe('operations', () => {
  test('are all there', () => expect(document.operations.length).toBeGreaterThan(70));

  test('have ids of their own, as an identifier is spelled', () => {
    const ids = document.operations.map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids.filter((id) => !/^[a-z][A-Za-z]+$/.test(id))).toEqual([]);
  });

  test('have one tag that is described, and a summary without a full stop', () => {
    const tags = document.tags.map(({ name }) => name);
    expect(faulty(({ tags: own }) => own.length !== 1 || !tags.includes(own[0] ?? ''))).toEqual([]);
    expect(document.tags.filter(({ description }) => description === '')).toEqual([]);
    expect(faulty(({ summary }) => !/^\S.{7,110}[^.]$/.test(summary))).toEqual([]);
  });

  test('say every parameter of their path, each once', () => {
    expect(
      faulty(({ path, parameters }) => {
        const named = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
        const said = parameters.filter((one) => one.in === 'path');
        const isSame = said.map(({ name }) => name).join() === named.join();
        return !isSame || said.some(({ required, description = '' }) => !required || !description);
      }),
    ).toEqual([]);
  });

  test('take a body only where the method has one', () => {
    expect(faulty(({ method, body }) => method === 'GET' && body !== null)).toEqual([]);
  });

  test('never ask for a secret value in a path or a query', () => {
    const names = /value|secret_value|token|key$/i;
    const isOpen = ({ name }: { readonly name: string }): boolean =>
      names.test(name) && name !== 'env_key';
    expect(faulty(({ parameters }) => parameters.some(isOpen))).toEqual([]);
  });
});

describe('responses', () => {
  test('are described, one by one, without a default', () => {
    for (const { id, responses } of document.operations) {
      expect([id, Object.keys(responses)]).not.toContain('default');
      for (const [status, { description }] of Object.entries(responses)) {
        expect([id, status, description.length > 3]).toEqual([id, status, true]);
      }
    }
  });

  test('have exactly one success, and the failures of their kind', () => {
    for (const operation of document.operations) {
      const { id, responses, isKeyed, method, path } = operation;
      const statuses = Object.keys(responses);
      expect([id, statuses.filter((status) => status < '300').length]).toEqual([id, 1]);
      const invalid = path.startsWith('/api/svc/') ? '422' : '400';
      const expected = [
        invalid,
        ...(isKeyed ? ['401', '403', '429'] : []),
        ...(path.includes('{') ? ['404'] : []),
        ...(method === 'GET' ? [] : ['413', '400']),
        '500',
      ];
      expect([id, expected.filter((status) => !statuses.includes(status))]).toEqual([id, []]);
    }
  });

  test('name the codes of every failure, all of them rows of the table', () => {
    for (const { id, responses } of document.operations) {
      for (const [status, { description }] of Object.entries(responses)) {
        if (status < '400' || status === '503') continue;
        const codes = [...description.matchAll(/^`(\w+)`: /gm)].map(([, code = '']) => code);
        expect([id, status, codes.length > 0]).toEqual([id, status, true]);
        for (const code of codes) expect(CONTROL_ERRORS).toHaveProperty(code);
      }
    }
  });

  test('have a schema with a name wherever they are JSON, and a body unless 204', () => {
    for (const { id, responses } of document.operations) {
      for (const [status, { content }] of Object.entries(responses)) {
        expect([id, status, content === undefined]).toEqual([id, status, status === '204']);
        for (const [type, { schema }] of Object.entries(content ?? {})) {
          if (!/json/.test(type)) continue;
          expect([id, status, nameOf(schema)]).toEqual([id, status, expect.stringMatching(/\w/)]);
        }
      }
    }
  });
});

/** Of a schema, or of the elements of a list. */
function nameOf(schema: Schema): string {
  return schema['$ref'] ?? schema['items']?.['$ref'] ?? '';
}

describe('schemas', () => {
  test('of bodies have a name, an example, and refuse what they do not know', () => {
    for (const { id, body } of document.operations) {
      if (body === null) continue;
      const schema = document.components[nameOf(body.schema).split('/').at(-1) ?? ''];
      expect([id, schema?.['example'] !== undefined]).toEqual([id, true]);
      expect([id, schema?.['additionalProperties']]).toEqual([id, false]);
    }
  });

  test('are all used, and every reference leads to one', () => {
    const names = Object.keys(document.components);
    const refs = new Set(
      [...text.matchAll(/"\$ref":"#\/components\/schemas\/(\w+)"/g)].map(([, name = '']) => name),
    );
    expect(names.filter((name) => !refs.has(name))).toEqual([]);
    expect([...refs].filter((name) => !names.includes(name))).toEqual([]);
  });

  test('require only fields that they have', () => {
    for (const [name, schema] of Object.entries(document.components)) {
      for (const field of schema['required'] ?? []) {
        expect([name, Object.keys(schema['properties'] ?? {})]).toEqual([
          name,
          expect.arrayContaining([field]),
        ]);
      }
    }
  });

  test('of values say that they are only written', () => {
    const values = [...text.matchAll(/"value":\{"type":"string",[^}]*\}/g)].map(([one]) => one);
    const isWritten = (one: string): boolean =>
      one.includes('"writeOnly":true') || one.includes('allow_reveal');
    expect(values.length).toBeGreaterThan(4);
    expect(values.filter((one) => !isWritten(one))).toEqual([]);
  });
});
