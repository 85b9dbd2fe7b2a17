import assert from 'node:assert/strict';
import { test } from 'node:test';
import { descriptionsOf, parseDeclarations } from './type-comments.ts';

test('parseDeclarations() reads comments of interfaces and their fields', () => {
  const types = parseDeclarations(`import { A } from "a";
/** A thing. */
export interface Thing {
    /** What it is called. */
    name?: string;
    /**
     * Two
     * lines.
     */
    readonly status?: A;
    bare: string;
}
export interface Plain {
    /** Has: colons. */
    "a-b": string;
}`);
  assert.equal(types.get('Thing')?.text, 'A thing.');
  assert.deepEqual(
    [...types.get('Thing')!.fields],
    [
      ['name', 'What it is called.'],
      ['status', 'Two\nlines.'],
    ],
  );
  assert.deepEqual([...types.get('Plain')!.fields], [['a-b', 'Has: colons.']]);
});

test('built-in types are described', async () => {
  const found = await descriptionsOf([
    'io.k8s.api.apps.v1.DeploymentSpec',
    'io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta',
    'io.k8s.api.none.v1.None',
  ]);
  assert.match(found.get('io.k8s.api.apps.v1.DeploymentSpec')?.fields.get('replicas') ?? '', /desired pods/);
  assert.ok(found.has('io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta'));
  assert.equal(found.size, 2);
});
