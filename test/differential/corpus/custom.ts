/** Custom resources: definitions good and bad, and objects of one that has all that a schema can say. */
import type { Json } from './kinds.ts';
import { get, patch, post, put, remove } from './scenario.ts';
import type { Scenario, Step } from './scenario.ts';

const group = 'custom.differential.example';
const definitions = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';

const schema: Json = {
  type: 'object',
  required: ['spec'],
  properties: {
    spec: {
      type: 'object',
      required: ['size'],
      'x-kubernetes-validations': [
        { rule: 'self.size <= self.most', message: 'size is more than most' },
        {
          rule: '!has(self.mode) || self.mode != "odd" || self.size % 2 == 1',
          messageExpression: '"not odd"',
          reason: 'FieldValueForbidden',
          fieldPath: '.size',
        },
      ],
      properties: {
        size: { type: 'integer', minimum: 0, maximum: 100 },
        most: { type: 'integer', default: 10 },
        mode: { type: 'string', enum: ['odd', 'even'] },
        name: { type: 'string', pattern: '^[a-z]+$', maxLength: 5, minLength: 2 },
        fixed: { type: 'string', maxLength: 20, 'x-kubernetes-validations': [{ rule: 'self == oldSelf', message: 'fixed is immutable' }] },
        nested: { type: 'object', properties: { a: { type: 'string', default: 'deep' } }, default: {} },
        list: {
          type: 'array',
          maxItems: 3,
          items: { type: 'object', required: ['key'], properties: { key: { type: 'string' }, value: { type: 'number' } } },
          'x-kubernetes-list-type': 'map',
          'x-kubernetes-list-map-keys': ['key'],
        },
        set: { type: 'array', items: { type: 'string' }, 'x-kubernetes-list-type': 'set' },
        free: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
        port: { 'x-kubernetes-int-or-string': true },
        when: { type: 'string', format: 'date-time' },
        maybe: { type: 'string', nullable: true },
        map: { type: 'object', additionalProperties: { type: 'integer' } },
        one: {
          type: 'object',
          properties: { a: { type: 'string' }, b: { type: 'string' } },
          oneOf: [{ required: ['a'] }, { required: ['b'] }],
        },
      },
    },
    status: { type: 'object', properties: { replicas: { type: 'integer' }, selector: { type: 'string' }, note: { type: 'string' } } },
  },
};

const definition: Json = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: `widgets.${group}` },
  spec: {
    group,
    scope: 'Namespaced',
    names: { plural: 'widgets', singular: 'widget', kind: 'Widget', shortNames: ['wd'], categories: ['all'] },
    versions: [
      {
        name: 'v1',
        served: true,
        storage: true,
        schema: { openAPIV3Schema: schema },
        subresources: {
          status: {},
          scale: { specReplicasPath: '.spec.size', statusReplicasPath: '.status.replicas', labelSelectorPath: '.status.selector' },
        },
        additionalPrinterColumns: [
          { name: 'Size', type: 'integer', jsonPath: '.spec.size' },
          { name: 'Mode', type: 'string', jsonPath: '.spec.mode', priority: 1 },
        ],
        selectableFields: [{ jsonPath: '.spec.mode' }],
      },
      {
        name: 'v1beta1',
        served: true,
        storage: false,
        deprecated: true,
        schema: { openAPIV3Schema: schema },
        subresources: { status: {} },
        selectableFields: [{ jsonPath: '.spec.mode' }],
      },
    ],
  },
};

const established = (body: unknown): boolean =>
  ((body as { status?: { conditions?: { type: string; status: string }[] } }).status?.conditions ?? []).some(
    ({ type, status }) => type === 'Established' && status === 'True',
  );

function objects(): Scenario {
  const path = `/apis/${group}/v1/namespaces/custom-objects/widgets`;
  const widget = (name: string, spec: Json, more: Json = {}): Json => ({
    apiVersion: `${group}/v1`,
    kind: 'Widget',
    metadata: { name },
    spec,
    ...more,
  });
  const tried: [string, Json][] = [
    ['least', { size: 1 }],
    ['no size', {}],
    ['negative', { size: -1 }],
    ['huge', { size: 1000 }],
    ['fraction', { size: 1.5 }],
    ['text size', { size: 'x' }],
    ['more than most', { size: 11 }],
    ['not odd', { size: 2, mode: 'odd' }],
    ['bad mode', { size: 1, mode: 'strange' }],
    ['long name', { size: 1, name: 'abcdefgh' }],
    ['short name', { size: 1, name: 'a' }],
    ['bad name', { size: 1, name: 'A1' }],
    ['unknown', { size: 1, nothing: { a: 1 } }],
    ['free', { size: 1, free: { any: [1, { b: null }] } }],
    ['list', { size: 1, list: [{ key: 'a' }, { key: 'b', value: 1.5 }] }],
    ['list twice', { size: 1, list: [{ key: 'a' }, { key: 'a' }] }],
    ['list without key', { size: 1, list: [{ value: 1 }] }],
    ['list long', { size: 1, list: ['a', 'b', 'c', 'd'].map((key) => ({ key })) }],
    ['set twice', { size: 1, set: ['a', 'a'] }],
    ['port', { size: 1, port: 'http' }],
    ['port bad', { size: 1, port: true }],
    ['when', { size: 1, when: 'yesterday' }],
    ['maybe null', { size: 1, maybe: null }],
    ['name null', { size: 1, name: null }],
    ['most null', { size: 1, most: null }],
    ['map', { size: 1, map: { a: 1, b: 'x' } }],
    ['one of both', { size: 1, one: { a: 'x', b: 'y' } }],
    ['one of none', { size: 1, one: {} }],
    [
      'long integers',
      { size: 1, most: 9007199254740993n, free: { list: [1764325123456789012n, 9223372036854775807n, -9223372036854775808n] } },
    ],
    ['long size', { size: 1764325123456789012n, most: 1764325123456789013n }],
    ['long map', { size: 1, map: { a: 9223372036854775807n, b: 1e30 } }],
    ['long port', { size: 1, port: 9007199254740993n }],
    ['spec of text', 'x' as unknown as Json],
    ['several', { size: -1, name: 'A', mode: 'x', list: [{ value: 'y' }] }],
  ];
  const one = `${path}/w`;
  return {
    name: 'custom objects',
    namespace: true,
    setup: [
      post('', definitions, definition),
      get('', `${definitions}/widgets.${group}`, undefined, { until: established }),
      get('', path, undefined, { until: (body) => (body as Json)['kind'] === 'WidgetList' }),
      get('', `/openapi/v3/apis/${group}/v1`, undefined, {
        until: (body) => typeof body === 'object' && 'paths' in (body as Json) && Object.keys((body as { paths: Json }).paths).length > 3,
      }),
    ],
    steps: [
      get('definition', `${definitions}/widgets.${group}`),
      get('resources', `/apis/${group}/v1`),
      get('group', `/apis/${group}`),
      get('openapi', `/openapi/v3/apis/${group}/v1`, undefined, { view: 'openapi-v3' }),
      ...tried.map(([name, spec]) => post(`create ${name}`, `${path}?dryRun=All`, widget('x', spec))),
      post('create strict', `${path}?dryRun=All&fieldValidation=Strict`, widget('x', { size: 1, nothing: 1 })),
      post('create warned', `${path}?dryRun=All&fieldValidation=Warn`, widget('x', { size: 1, nothing: 1 })),
      post('create other kind', path, { ...widget('x', { size: 1 }), kind: 'Gadget' }),
      post('create other version', path, { ...widget('x', { size: 1 }), apiVersion: `${group}/v9` }),
      post('create bad labels', path, widget('x', { size: 1 }, { metadata: { name: 'x', labels: { 'a b': 'c' } } })),
      post('create bad metadata', path, widget('x', { size: 1 }, { metadata: { name: 'x', labels: 5 } })),
      post('create with status', path, widget('w', { size: 3, fixed: 'f', list: [{ key: 'a' }] }, { status: { note: 'dropped' } })),
      post('create again', path, widget('w', { size: 3 })),
      get('get', one),
      get('get old version', one.replace('/v1/', '/v1beta1/')),
      get('table', path, 'application/json;as=Table;v=v1;g=meta.k8s.io'),
      get('partial', one, 'application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io'),
      get('protobuf', one, 'application/vnd.kubernetes.protobuf'),
      get('yaml', one, 'application/yaml'),
      get('list', path),
      get('by field', `${path}?fieldSelector=spec.mode%3Dodd`),
      get('by other field', `${path}?fieldSelector=spec.size%3D1`),
      put('update fixed', one, widget('w', { size: 3, fixed: 'g' })),
      put('update without revision', one, widget('w', { size: 3, fixed: 'f' })),
      patch('merge', one, 'merge', { spec: { size: 5 } }),
      patch('merge bad', one, 'merge', { spec: { size: 50 } }),
      patch('merge long', `${one}?dryRun=All`, 'merge', { spec: { free: { at: 1764325123456789012n } } }),
      patch('json long', `${one}?dryRun=All`, 'json', [
        { op: 'add', path: '/spec/free', value: { at: 1764325123456789012n } },
        { op: 'test', path: '/spec/free/at', value: 1764325123456789012n },
        { op: 'copy', from: '/spec/free', path: '/spec/free/again' },
      ]),
      patch('apply long', `${one}?dryRun=All&fieldManager=other`, 'apply', widget('w', { free: { at: [9007199254740993n] } })),
      patch('strategic', one, 'strategic', { spec: { size: 5 } }),
      patch('json', one, 'json', [{ op: 'add', path: '/spec/set', value: ['a'] }]),
      patch('apply', `${one}?fieldManager=applier`, 'apply', widget('w', { size: 5, list: [{ key: 'b' }] })),
      patch('apply conflict', `${one}?fieldManager=applier`, 'apply', widget('w', { size: 6 })),
      patch('apply unknown', `${one}?fieldManager=applier`, 'apply', widget('w', { size: 5, nothing: 1 })),
      patch('status merge', `${one}/status`, 'merge', { status: { replicas: 2, selector: 'a=b' }, spec: { size: 9 } }),
      patch('status bad', `${one}/status`, 'merge', { status: { replicas: 'x' } }),
      get('scale', `${one}/scale`),
      patch('scale merge', `${one}/scale`, 'merge', { spec: { replicas: 7 } }),
      patch('scale bad', `${one}/scale`, 'merge', { spec: { replicas: 70 } }),
      get('written', one),
      get('nonsense subresource', `${one}/nonsense`),
      remove('delete', one),
      get('deleted', one),
    ],
    cleanup: [remove('', `${definitions}/widgets.${group}`)],
  };
}

function checked(): Scenario {
  const bad = (name: string, change: (spec: Json & { names: Json; versions: Json[] }) => void): Step => {
    const copy = structuredClone(definition) as { metadata: Json; spec: Json & { names: Json; versions: Json[] } };
    copy.metadata = { name: 'things.checked.differential.example' };
    copy.spec['group'] = 'checked.differential.example';
    copy.spec.names = { plural: 'things', singular: 'thing', kind: 'Thing' };
    change(copy.spec);
    return post(name, `${definitions}?dryRun=All`, copy);
  };
  const withSchema = (name: string, properties: Json): Step =>
    bad(`schema ${name}`, ({ versions }) => {
      versions.splice(1);
      versions[0] = {
        name: 'v1',
        served: true,
        storage: true,
        schema: { openAPIV3Schema: { type: 'object', properties: { spec: { type: 'object', properties } } } },
      };
    });
  return {
    name: 'custom definitions',
    steps: [
      bad('good', () => undefined),
      bad('other name', (spec) => void (spec.names = { plural: 'others', kind: 'Other' })),
      bad('bad names', (spec) => void (spec.names = { plural: 'Things', kind: 'thing ', shortNames: ['X'], categories: ['B C'] })),
      bad('bad scope', (spec) => void (spec['scope'] = 'Universe')),
      bad('no storage', ({ versions }) => void (versions[0]!['storage'] = false)),
      bad('two storages', ({ versions }) => void (versions[1]!['storage'] = true)),
      bad('twice a version', ({ versions }) => void (versions[1]!['name'] = 'v1')),
      bad('bad version', ({ versions }) => void (versions[1]!['name'] = 'V 1')),
      bad('no schema', ({ versions }) => void delete versions[0]!['schema']),
      bad('bad column', ({ versions }) => void (versions[0]!['additionalPrinterColumns'] = [{ name: '', type: 'color', jsonPath: 'x' }])),
      bad(
        'bad scale',
        ({ versions }) => void (versions[0]!['subresources'] = { scale: { specReplicasPath: 'x', statusReplicasPath: '.spec.x' } }),
      ),
      bad(
        'bad selectable',
        ({ versions }) => void (versions[0]!['selectableFields'] = [{ jsonPath: '.spec.nothing' }, { jsonPath: '.metadata.name' }]),
      ),
      bad('webhook without client', (spec) => void (spec['conversion'] = { strategy: 'Webhook' })),
      bad('preserve', (spec) => void (spec['preserveUnknownFields'] = true)),
      withSchema('no type', { a: { properties: { b: { type: 'string' } } } }),
      withSchema('strange type', { a: { type: 'color' } }),
      withSchema('bad pattern', { a: { type: 'string', pattern: '(' } }),
      withSchema('bad default', { a: { type: 'string', default: 5 } }),
      withSchema('unpruned default', { a: { type: 'object', properties: { b: { type: 'string' } }, default: { c: 1 } } }),
      withSchema('list without items', { a: { type: 'array' } }),
      withSchema('list keys', {
        a: {
          type: 'array',
          items: { type: 'object', properties: { k: { type: 'string' } } },
          'x-kubernetes-list-type': 'map',
          'x-kubernetes-list-map-keys': ['missing'],
        },
      }),
      withSchema('additional and properties', {
        a: { type: 'object', properties: { b: { type: 'string' } }, additionalProperties: { type: 'string' } },
      }),
      withSchema('nested type in any', { a: { type: 'object', anyOf: [{ type: 'object' }] } }),
      withSchema('forbidden', { a: { type: 'string', uniqueItems: true } }),
      withSchema('reference', { a: { $ref: '#/definitions/x' } }),
      withSchema('rule syntax', { a: { type: 'string', 'x-kubernetes-validations': [{ rule: 'self ==' }] } }),
      withSchema('rule type', { a: { type: 'string', 'x-kubernetes-validations': [{ rule: 'self' }] } }),
      withSchema('rule undeclared', {
        a: { type: 'object', properties: { b: { type: 'integer' } }, 'x-kubernetes-validations': [{ rule: 'self.c > 1' }] },
      }),
      withSchema('rule cost', {
        a: {
          type: 'array',
          items: { type: 'array', items: { type: 'string' } },
          'x-kubernetes-validations': [{ rule: 'self.all(x, x.all(y, self.all(z, z.exists(w, w == y))))' }],
        },
      }),
      withSchema('rule message', { a: { type: 'string', 'x-kubernetes-validations': [{ rule: 'true', messageExpression: '5' }] } }),
      withSchema('rule field path', {
        a: { type: 'object', properties: { b: { type: 'string' } }, 'x-kubernetes-validations': [{ rule: 'true', fieldPath: '.c' }] },
      }),
      withSchema('rule empty', { a: { type: 'string', 'x-kubernetes-validations': [{ rule: '' }] } }),
    ],
  };
}

export const customScenarios = (): Scenario[] => [checked(), objects()];
