import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deepFreeze } from '#machinery/meta';
import { createMergePatch, goFormat, jsonPatch, jsonPatchUnknownFields, mergePatch, strategicMerge } from '#machinery/patch';
import { StatusError } from '#machinery/status';

/** The reason that the client sees, or the one kept behind it. */
function reason(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    assert.ok(error instanceof StatusError, String(error));
    return error.cause instanceof Error ? error.cause.message : error.message;
  }
  return 'no failure';
}

test('JSON patch', () => {
  const cases: [unknown, object[], unknown][] = [
    [{ a: 1 }, [{ op: 'add', path: '/b', value: 2 }], { a: 1, b: 2 }],
    [{ a: [1, 3] }, [{ op: 'add', path: '/a/1', value: 2 }], { a: [1, 2, 3] }],
    [{ a: [1] }, [{ op: 'add', path: '/a/-', value: 2 }], { a: [1, 2] }],
    [{ a: [1, 2] }, [{ op: 'remove', path: '/a/-1' }], { a: [1] }],
    [{ a: 1 }, [{ op: 'replace', path: '/b', value: 2 }], { a: 1, b: 2 }],
    [{ 'x/y~z': 1 }, [{ op: 'replace', path: '/x~1y~0z', value: 2 }], { 'x/y~z': 2 }],
    [{ a: { b: 1 } }, [{ op: 'move', from: '/a/b', path: '/c' }], { a: {}, c: 1 }],
    [
      { a: { b: 1 } },
      [
        { op: 'copy', from: '/a', path: '/c' },
        { op: 'add', path: '/c/d', value: 2 },
      ],
      { a: { b: 1 }, c: { b: 1, d: 2 } },
    ],
    [{ a: 1 }, [{ op: 'test', path: '/a', value: 1 }], { a: 1 }],
    [{ a: 1 }, [{ op: 'test', path: '/b', value: null }], { a: 1 }],
    [{ a: 1 }, [{ op: 'add', path: '/a', value: null }], { a: null }],
    [{ a: 1 }, [{ op: 'replace', path: '', value: { b: 1 } }], { b: 1 }],
  ];
  for (const [document, patch, wanted] of cases)
    assert.deepEqual(jsonPatch(deepFreeze(document), deepFreeze(patch)), wanted, JSON.stringify(patch));
});

test('JSON patches that do not apply', () => {
  const cases: [object, string][] = [
    [{ op: 'test', path: '/a', value: 2 }, 'testing value /a failed: test failed'],
    [{ op: 'remove', path: '/b' }, "error in remove for path: '/b': Unable to remove nonexistent key: b: missing value"],
    [{ op: 'add', path: '/b/c', value: 1 }, 'add operation does not apply: doc is missing path: "/b/c": missing value'],
    [{ op: 'add', path: '/l/5', value: 1 }, "error in add for path: '/l/5': Unable to access invalid index: 5: invalid index referenced"],
    [{ op: 'replace', path: '/l/5', value: 1 }, 'replace operation does not apply: doc is missing key: /l/5: missing value'],
    [{ op: 'jump', path: '/a' }, 'Unexpected kind: jump'],
    [{ op: 'add', value: 1 }, 'add operation failed to decode path: missing value'],
  ];
  for (const [operation, wanted] of cases)
    assert.equal(
      reason(() => jsonPatch({ a: 1, l: [] }, [operation])),
      wanted,
    );
  assert.throws(() => jsonPatch({ a: 1 }, [{ op: 'test', path: '/a', value: 2 }]), {
    code: 422,
    message: 'the server rejected our request due to an error in our request',
  });
  assert.throws(() => jsonPatch({}, {}), { code: 400, message: 'json: cannot unmarshal object into Go value of type jsonpatch.Patch' });
  const many = Array.from({ length: 10_001 }, () => ({ op: 'test', path: '' }));
  assert.throws(() => jsonPatch({}, many), {
    code: 413,
    message: 'Request entity too large: The allowed maximum operations in a JSON patch is 10000, got 10001',
  });
  assert.deepEqual(jsonPatchUnknownFields([{ op: 'add', paths: '' }]), ['json patch unknown field "[0].paths"']);
});

test('merge patch', () => {
  const cases: [unknown, unknown, unknown][] = [
    [{ a: 'b' }, { a: 'c' }, { a: 'c' }],
    [{ a: 'b' }, { a: null }, {}],
    [{ a: { b: 'c' } }, { a: { b: 'd', c: null } }, { a: { b: 'd' } }],
    [{ a: [1] }, { a: [2, null] }, { a: [2, null] }],
    [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
    [{ a: 1 }, { a: { b: null, c: 1 } }, { a: { c: 1 } }],
  ];
  for (const [document, patch, wanted] of cases) assert.deepEqual(mergePatch(deepFreeze(document), deepFreeze(patch)), wanted);
  assert.throws(() => mergePatch({}, []), {
    code: 400,
    message: 'error decoding patch: json: cannot unmarshal array into Go value of type map[string]interface {}',
  });
  assert.deepEqual(createMergePatch({ a: 1, b: { c: 1, d: 2 }, e: [1] }, { b: { c: 1 }, e: [1], f: 1 }), { a: null, b: { d: null }, f: 1 });
  assert.equal(createMergePatch({ a: [1] }, { a: [1] }), undefined);
});

const pod = 'io.k8s.api.core.v1.Pod';
const spec = (value: object): object => ({ spec: value });
const named = (...names: string[]): object[] => names.map((name) => ({ name }));

test('strategic merge', () => {
  const cases: [string, object, object, object][] = [
    [
      'lists merge by their keys, the patch first',
      spec({ containers: [{ name: 'a', image: 'x' }, { name: 'b' }] }),
      spec({ containers: [{ name: 'c' }, { name: 'a', image: 'y' }] }),
      spec({ containers: [{ name: 'c' }, { name: 'a', image: 'y' }, { name: 'b' }] }),
    ],
    [
      'an item is deleted by its key',
      spec({ containers: named('a', 'b') }),
      spec({ containers: [{ $patch: 'delete', name: 'a' }] }),
      spec({ containers: named('b') }),
    ],
    [
      'a list is replaced',
      spec({ containers: named('a', 'b') }),
      spec({ containers: [{ $patch: 'replace' }, { name: 'c' }] }),
      spec({ containers: named('c') }),
    ],
    ['an object is replaced', spec({ nodeSelector: { a: '1' } }), { spec: { $patch: 'replace', nodeName: 'n' } }, spec({ nodeName: 'n' })],
    [
      'the order is asked for',
      spec({ containers: named('a', 'b', 'c') }),
      { spec: { '$setElementOrder/containers': named('c', 'a', 'd'), containers: named('d') } },
      spec({ containers: named('b', 'c', 'a', 'd') }),
    ],
    [
      'items of a list of strings are deleted',
      { metadata: { finalizers: ['a', 'b'] } },
      { metadata: { '$deleteFromPrimitiveList/finalizers': ['a'] } },
      { metadata: { finalizers: ['b'] } },
    ],
    [
      'only retained keys stay',
      spec({ volumes: [{ name: 'v', emptyDir: {} }] }),
      spec({ volumes: [{ name: 'v', hostPath: { path: '/' }, $retainKeys: ['name', 'hostPath'] }] }),
      spec({ volumes: [{ name: 'v', hostPath: { path: '/' } }] }),
    ],
    [
      'lists without a key are replaced',
      spec({ tolerations: [{ key: 'a' }] }),
      spec({ tolerations: [{ key: 'b' }] }),
      spec({ tolerations: [{ key: 'b' }] }),
    ],
    ['null removes', spec({ nodeName: 'n', hostname: 'h' }), spec({ nodeName: null }), spec({ hostname: 'h' })],
    [
      'labels merge',
      { metadata: { labels: { a: '1' } } },
      { metadata: { labels: { b: '2' } } },
      { metadata: { labels: { a: '1', b: '2' } } },
    ],
  ];
  for (const [name, original, patch, wanted] of cases)
    assert.deepEqual(strategicMerge(deepFreeze(original), deepFreeze(patch), pod), wanted, name);
});

test('strategic merge patches that do not apply', () => {
  const cases: [object, string][] = [
    [spec({ containers: [{ image: 'x' }] }), 'map: map[image:x] does not contain declared merge key: name'],
    [spec({ containers: [{ $patch: 'twist', name: 'a' }] }), 'unknown patch type: twist in map: map[$patch:twist name:a]'],
    [spec({ volumes: [{ name: 'v', hostPath: {}, $retainKeys: ['name'] }] }), 'invalid patch format of retainKeys'],
    [spec({ '$setElementOrder/bogus': [], bogus: [1] }), 'unable to find api field in struct PodSpec for the json field "bogus"'],
  ];
  const original = spec({ containers: named('a'), volumes: named('v') });
  for (const [patch, wanted] of cases)
    assert.equal(
      reason(() => strategicMerge(original, patch, pod)),
      wanted,
    );
  assert.equal(goFormat({ b: [1, 'x', null], a: { c: true } }), 'map[a:map[c:true] b:[1 x <nil>]]');
});
