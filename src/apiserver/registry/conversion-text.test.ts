import assert from 'node:assert/strict';
import { test } from 'node:test';
import { conversionText } from './conversion-text.ts';
import type { GoKind } from './conversion-text.ts';

test("conversionText() says in Go's words why a value does not fit", () => {
  const cases: [value: unknown, goType: string, kind: GoKind | undefined, wanted: string][] = [
    ['x', 'int32', undefined, 'unrecognized type: int32'],
    [1.5, 'int32', undefined, 'cannot convert float64 to int32'],
    [1, 'string', undefined, 'cannot convert int64 to string'],
    [1.5, 'string', undefined, 'unrecognized type: string'],
    [3, 'v1.TaintEffect', 'string', 'cannot convert int64 to v1.TaintEffect'],
    [true, 'v1.TaintEffect', 'string', 'unrecognized type: string'],
    [1, 'bool', undefined, 'unrecognized type: bool'],
    [{}, 'string', undefined, 'unrecognized type: string'],
    ['x', '[]v1.Container', undefined, 'cannot restore slice from string'],
    [[], 'map[string]string', undefined, 'cannot restore map from slice'],
    [1, 'v1.ResourceList', 'map', 'cannot restore map from int64'],
    [[], 'v1.DeploymentSpec', undefined, 'cannot restore struct from: slice'],
  ];
  for (const [value, goType, kind, wanted] of cases) assert.equal(conversionText(value, goType, kind), wanted);
});
