import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ObjectMeta } from '#machinery/meta';
import * as names from '#machinery/names';

const long = (count: number): string => 'a'.repeat(count);
const subdomainText =
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const labelText =
  "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const keyText =
  "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";

test('names: what is wrong with them', () => {
  const cases: [(value: string) => string[], string, string[]][] = [
    [names.isDNS1123Subdomain, 'a.b-c.1', []],
    [names.isDNS1123Subdomain, 'A', [subdomainText]],
    [names.isDNS1123Subdomain, long(254), ['must be no more than 253 characters']],
    [names.isDNS1123Label, 'a-1', []],
    [names.isDNS1123Label, 'a.b', ['must not contain dots']],
    [names.isDNS1123Label, 'a_b', [labelText]],
    [names.isDNS1123Label, 'a\n', [labelText]],
    [names.isDNS1123Label, long(64), ['must be no more than 63 characters']],
    [names.isWildcardDNS1123Subdomain, '*.example.com', []],
    [names.isQualifiedName, 'example.com/My_name.x', []],
    [names.isQualifiedName, '/x', ['prefix part must be non-empty']],
    [names.isQualifiedName, 'x/', ['name part must be non-empty', keyText]],
    [names.isQualifiedName, long(64), ['name part must be no more than 63 bytes']],
    [names.isValidLabelValue, '', []],
    [names.isValidLabelValue, long(64), ['must be no more than 63 bytes']],
    [names.isCIdentifier, 'a_1', []],
    [names.isRelaxedEnvVarName, 'a b', []],
    [
      names.isRelaxedEnvVarName,
      'a=b',
      ["a valid environment variable name must consist only of printable ASCII characters other than '='"],
    ],
    [names.isConfigMapKey, 'a.b', []],
    [names.isConfigMapKey, '..', ["must not be '..'"]],
    [names.isValidPortName, 'http', []],
    [names.isValidPortName, '80', ['must contain at least one letter (a-z)']],
    [names.isValidPortName, 'a--b-', ['must not contain consecutive hyphens', 'must not begin or end with a hyphen']],
    [names.isDecimalInteger, '-0', ['must be a valid decimal integer in canonical form']],
    [names.isDecimalInteger, '-12', []],
  ];
  for (const [rule, value, wanted] of cases) assert.deepEqual(rule(value), wanted, `${rule.name} ${value}`);
});

test('a dash ends a generateName', () => {
  assert.deepEqual(names.nameIsDNSSubdomain('pod-', true), []);
  assert.equal(names.nameIsDNSSubdomain('pod-', false).length, 1);
});

const meta = { name: 'a', namespace: 'b', uid: 'u', resourceVersion: '1', creationTimestamp: '2026-01-01T00:00:00Z' };

test('metadata of a new object', () => {
  const cases: [Parameters<typeof names.validateObjectMeta>[0], boolean, string[]][] = [
    [meta, true, []],
    [{ name: 'a' }, true, ['metadata.namespace: Required value']],
    [{ name: 'a', namespace: 'b' }, false, ['metadata.namespace: Forbidden: not allowed on this type']],
    [{ namespace: 'b' }, true, ['metadata.name: Required value: name or generateName is required']],
    [{ name: 'A', namespace: 'b' }, true, [`metadata.name: Invalid value: "A": ${subdomainText}`]],
    [{ ...meta, labels: { a: '-' } }, true, ['metadata.labels: Invalid value: "-": a valid label must be an empty string']],
    [{ ...meta, annotations: { 'A/B': '' } }, true, []],
    [{ ...meta, annotations: { a: long(262144) } }, true, ['metadata.annotations: Too long: may not be more than 262144 bytes']],
    [{ ...meta, finalizers: ['x/y', 'a/b/c'] }, true, ['metadata.finalizers: Invalid value: "a/b/c": a valid label key must']],
    [
      { ...meta, managedFields: [{ operation: 'Patch', manager: 'm' }] },
      true,
      ['metadata.managedFields[0].operation: Invalid value: "Patch": must be `Apply` or `Update`'],
    ],
  ];
  for (const [value, namespaced, wanted] of cases) {
    const found = names.validateObjectMeta(value, { namespaced }).map((error) => `${error.field}: ${error.message}`);
    assert.equal(found.length, wanted.length, found.join());
    for (const [index, text] of wanted.entries()) assert.equal(found[index]?.slice(0, text.length), text);
  }
});

test('metadata of an update', () => {
  const cases: [ObjectMeta, ObjectMeta, string[]][] = [
    [meta, meta, []],
    [{ ...meta, uid: 'v' }, meta, ['metadata.uid: Invalid value: "v": field is immutable']],
    [
      { name: 'a', namespace: 'b', uid: 'u', creationTimestamp: meta.creationTimestamp },
      meta,
      ['metadata.resourceVersion: Invalid value: "": must be specified for an update'],
    ],
    [{ ...meta, generation: 1 }, { ...meta, generation: 2 }, ['metadata.generation: Invalid value: 1: must not be decremented']],
    [
      { ...meta, deletionTimestamp: 'x', finalizers: ['b', 'a', 'old'] },
      { ...meta, deletionTimestamp: 'x', finalizers: ['old'] },
      [
        'metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers []string{"a", "b"}',
      ],
    ],
  ];
  for (const [value, old, wanted] of cases)
    assert.deepEqual(
      names.validateObjectMetaUpdate(value, old).map((error) => `${error.field}: ${error.message}`),
      wanted,
    );
});
