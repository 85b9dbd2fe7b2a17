/** Every kind through every verb, well and badly asked. */
import { nameOf, objectOf, pathOf, samples } from './kinds.ts';
import type { Json, Sample } from './kinds.ts';
import { get, namespaceOf, patch, post, put, remove } from './scenario.ts';
import type { Scenario, Step } from './scenario.ts';

const table = 'application/json;as=Table;v=v1;g=meta.k8s.io';
const partial = 'application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io';
const partials = 'application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io';
const protobuf = 'application/vnd.kubernetes.protobuf';
const yaml = 'application/yaml';
const mine = 'differential.example/corpus';

export function verbScenario(sample: Sample): Scenario {
  const { fact } = sample;
  const { resource, group, version, kind } = fact;
  const name = `verbs ${resource}${group ? `.${group.split('.')[0]}` : ''} ${version}`;
  const ns = namespaceOf(name);
  const base = `x-${resource}-${version}`;
  const path = pathOf(sample, ns);
  // Labels' values are short.
  const mark = `${resource}-${version}`;
  const labels = { [mine]: mark };
  const chosen = `labelSelector=${encodeURIComponent(mine)}%3D${mark}`;
  const make = (of: string, metadata: Json = {}): Json => objectOf(sample, of, ns, { labels, ...sample.metadata, ...metadata });
  const whole = make(base);
  const one = `${path}/${encodeURIComponent(nameOf(sample, base))}`;
  const { apiVersion } = whole;
  const ofKind = { apiVersion, kind };
  const identity = { ...ofKind, metadata: { name: nameOf(sample, base) } };
  const without = (body: Json, ...keys: string[]): Json => Object.fromEntries(Object.entries(body).filter(([key]) => !keys.includes(key)));
  const raw = (body: Json, more: string): string => JSON.stringify(body).replace(/}$/, `,${more}}`);
  const other = (of: string): string => `${path}/${encodeURIComponent(nameOf(sample, of))}`;
  const create: Step[] = [
    post('create dry', `${path}?dryRun=All`, whole),
    get('get after dry create', one),
    post('create', `${path}?fieldManager=maker`, whole, { keep: { uid: 'metadata.uid', rv: 'metadata.resourceVersion' } }),
    post('create again', path, whole),
    post('create without name', path, { ...whole, metadata: { labels } }),
    post('create made-up name', `${path}?dryRun=All`, { ...whole, metadata: { generateName: 'made-', labels } }),
    post('create bad name', path, { ...whole, metadata: { name: 'Bad_Name/x', labels } }),
    post('create long name', path, { ...whole, metadata: { name: 'a'.repeat(300), labels } }),
    post('create other namespace', path, { ...whole, metadata: { name: 'other', namespace: 'elsewhere', labels } }),
    post('create with revision', path, make(`${base}-rv`, { resourceVersion: '5' })),
    post('create unknown field strict', `${path}?dryRun=All&fieldValidation=Strict`, { ...make(`${base}-u`), nonsense: 1 }),
    post('create unknown field warn', `${path}?dryRun=All&fieldValidation=Warn`, {
      ...make(`${base}-u`, { oddity: true }),
      nonsense: { a: 1 },
    }),
    post('create unknown field ignored', `${path}?dryRun=All&fieldValidation=Ignore`, { ...make(`${base}-u`), nonsense: 1 }),
    post('create unknown fields default', `${path}?dryRun=All`, { ...make(`${base}-u`), nonsense: 1 }),
    post('create twice a field strict', `${path}?dryRun=All&fieldValidation=Strict`, raw(make(`${base}-d`), `"kind":"${kind}"`)),
    post('create twice a field warn', `${path}?dryRun=All`, raw(make(`${base}-d`), `"kind":"${kind}"`)),
    post('create bad validation', `${path}?fieldValidation=Maybe`, make(`${base}-v`)),
    post('create bad dry run', `${path}?dryRun=Some`, make(`${base}-v`)),
    post('create other kind', path, { ...whole, kind: 'Whatever' }),
    post('create other version', path, { ...whole, apiVersion: 'other/v9' }),
    post('create without kind', `${path}?dryRun=All`, without(make(`${base}-k`), 'kind', 'apiVersion')),
    post('create nothing', path, ''),
    post('create list', path, '[]'),
    post('create text', path, '"text"'),
    post('create garbage', path, '{"a":'),
    post('create empty', path, '{}'),
    post('create bare', path, { ...ofKind, metadata: { name: `${base}-bare` } }, { keep: {} }),
    post('create yaml', `${path}?dryRun=All`, JSON.stringify(make(`${base}-y`)), { headers: { 'content-type': yaml } }),
    post('create text type', path, whole, { headers: { 'content-type': 'text/plain' } }),
    post(
      'create bad metadata',
      path,
      make(`${base}-m`, {
        labels: { 'bad key!': 'x', ok: 'bad value!' },
        annotations: { '/': 'x' },
        finalizers: ['nodomain', 'Bad Finalizer/x'],
        ownerReferences: [{ kind: 'A', name: '', uid: '', apiVersion: '' }],
      }),
    ),
    post(
      'create two controllers',
      path,
      make(`${base}-o`, {
        ownerReferences: ['a', 'b'].map((owner) => ({ apiVersion: 'v1', kind: 'Pod', name: owner, uid: owner, controller: true })),
      }),
    ),
    post('create metadata of wrong types', path, { ...whole, metadata: { name: 5, labels: [] } }),
    post('create in URL', one, whole),
    post('create as alice', path, make(`${base}-a`), { as: { user: 'alice', groups: ['developers'] } }),
  ];
  const read: Step[] = [
    get('get', one),
    get('get table', one, table),
    get('get partial', one, partial),
    get('get yaml', one, yaml),
    get('get protobuf', one, protobuf),
    get('get html', one, 'text/html'),
    get('get as nonsense', one, 'application/json;as=Nonsense;v=v1;g=meta.k8s.io'),
    get('get pretty', `${one}?pretty=true`),
    get('get missing', other(`${base}-none`)),
    // Waits for three seconds, so one kind stands for all.
    ...(resource === 'configmaps' ? [get('get future', `${one}?resourceVersion=999999999`)] : []),
    get('get bad revision', `${one}?resourceVersion=abc`),
    get('get as alice', one, undefined, { as: { user: 'alice', groups: ['developers'] } }),
    get('list', `${path}?${chosen}`),
    get('list table', `${path}?${chosen}`, table),
    get('list table objects', `${path}?${chosen}&includeObject=Object`, table),
    get('list table none', `${path}?${chosen}&includeObject=None`, table),
    get('list partial', `${path}?${chosen}`, partials),
    get('list yaml', `${path}?${chosen}`, yaml),
    get('list protobuf', `${path}?${chosen}`, protobuf),
    get('list by name', `${path}?${chosen}&fieldSelector=metadata.name%3D${encodeURIComponent(nameOf(sample, base))}`),
    get('list by other name', `${path}?${chosen}&fieldSelector=metadata.name%3Dnone`),
    get('list by nonsense', `${path}?fieldSelector=spec.nonsense%3D1`),
    get('list bad label selector', `${path}?labelSelector=a%3Db%3Dc`),
    get('list bad label', `${path}?labelSelector=a%3D-b`),
    get('list bad field selector', `${path}?fieldSelector=nonsense`),
    get('list any', `${path}?${chosen}&resourceVersion=0`),
    get('list exact without revision', `${path}?${chosen}&resourceVersionMatch=Exact`),
    get('list exact zero', `${path}?${chosen}&resourceVersionMatch=Exact&resourceVersion=0`),
    get('list bad match', `${path}?${chosen}&resourceVersionMatch=Nearly&resourceVersion=1`),
    get('list not older', `${path}?${chosen}&resourceVersionMatch=NotOlderThan&resourceVersion={{rv}}`),
    get('list bad limit', `${path}?limit=x`),
    get('list bad continue', `${path}?continue=x`),
    get('watch with bad match', `${path}?watch=1&resourceVersionMatch=Exact&resourceVersion=1`),
    get('watch initial events without match', `${path}?watch=1&sendInitialEvents=true`),
    ...(fact.namespaced ? [get('list everywhere', `${pathOf(sample, ns).replace(`/namespaces/${ns}`, '')}?${chosen}`, partials)] : []),
  ];
  const write: Step[] = [
    put('update unchanged', one, whole),
    put('update old revision', one, make(base, { resourceVersion: '1' })),
    put('update bad revision', one, make(base, { resourceVersion: 'abc' })),
    put('update other uid', one, make(base, { uid: 'other' })),
    put('update other name', one, { ...whole, metadata: { name: 'another' } }),
    put('update missing', other(`${base}-none`), make(`${base}-none`)),
    put('update other namespace', one, make(base, { namespace: 'elsewhere' })),
    put('update strict', `${one}?fieldValidation=Strict`, { ...whole, nonsense: 1 }),
    put('update as alice', one, whole, { as: { user: 'alice', groups: ['developers'] } }),
    put('update bare', one, identity),
    patch('merge dry', `${one}?dryRun=All`, 'merge', sample.change),
    patch('merge', one, 'merge', sample.change),
    patch('merge again', one, 'merge', sample.change),
    patch('merge old revision', one, 'merge', { metadata: { resourceVersion: '1' } }),
    patch('merge name', one, 'merge', { metadata: { name: 'another' } }),
    patch('merge unknown strict', `${one}?fieldValidation=Strict`, 'merge', { nonsense: 1 }),
    patch('merge unknown', `${one}?dryRun=All`, 'merge', { nonsense: 1 }),
    patch('merge wrong type', one, 'merge', { metadata: { labels: 'x' } }),
    patch('merge list', one, 'merge', '[]'),
    patch('merge garbage', one, 'merge', '{'),
    patch('merge missing', other(`${base}-none`), 'merge', sample.change),
    patch('strategic', `${one}?fieldManager=second`, 'strategic', { metadata: { annotations: { strategic: 'yes' } } }),
    patch('strategic change', `${one}?dryRun=All`, 'strategic', sample.change),
    patch('strategic replace', `${one}?dryRun=All`, 'strategic', { metadata: { labels: { $patch: 'replace', [mine]: mark } } }),
    patch('strategic nonsense', one, 'strategic', { metadata: { labels: { $patch: 'nonsense' } } }),
    patch('strategic unknown', `${one}?dryRun=All`, 'strategic', { nonsense: 1 }),
    patch('strategic unknown strict', `${one}?dryRun=All&fieldValidation=Strict`, 'strategic', { nonsense: 1 }),
    patch('json add', one, 'json', [{ op: 'add', path: '/metadata/annotations', value: { json: 'yes' } }]),
    patch('json test', one, 'json', [{ op: 'test', path: '/metadata/name', value: 'other' }]),
    patch('json bad path', one, 'json', [{ op: 'remove', path: '/metadata/nonsense/x' }]),
    patch('json bad operation', one, 'json', [{ op: 'whatever', path: '/metadata' }]),
    patch('json object', one, 'json', {}),
    patch('json unknown strict', `${one}?dryRun=All&fieldValidation=Strict`, 'json', [{ op: 'add', path: '/nonsense', value: 1 }]),
    { name: 'patch of no type', method: 'PATCH', path: one, body: {}, headers: { 'content-type': 'application/json' } },
    patch('apply without manager', one, 'apply', identity),
    patch('apply', `${one}?fieldManager=applier`, 'apply', {
      ...identity,
      metadata: { name: nameOf(sample, base), labels: { applied: 'yes' } },
    }),
    patch('apply conflict', `${one}?fieldManager=applier`, 'apply', {
      ...identity,
      metadata: { name: nameOf(sample, base), annotations: { json: 'no' } },
    }),
    patch('apply by force', `${one}?fieldManager=applier&force=true`, 'apply', {
      ...identity,
      metadata: { name: nameOf(sample, base), annotations: { json: 'no' } },
    }),
    patch('apply managed fields', `${one}?fieldManager=applier`, 'apply', {
      ...identity,
      metadata: { name: nameOf(sample, base), managedFields: [{ manager: 'x', operation: 'Apply', apiVersion: 'v1' }] },
    }),
    patch('apply other kind', `${one}?fieldManager=applier`, 'apply', { ...identity, kind: 'Whatever' }),
    patch('apply other version', `${one}?fieldManager=applier`, 'apply', { ...identity, apiVersion: 'other/v9' }),
    patch('apply unknown', `${one}?fieldManager=applier&dryRun=All`, 'apply', { ...identity, nonsense: 1 }),
    patch('apply twice a field', `${one}?fieldManager=applier&dryRun=All`, 'apply', raw(identity, `"kind":"${kind}"`)),
    patch('apply garbage', `${one}?fieldManager=applier`, 'apply', ':: {'),
    patch('apply whole dry', `${other(`${base}-applied`)}?fieldManager=applier&dryRun=All`, 'apply', make(`${base}-applied`)),
    patch('apply whole', `${other(`${base}-applied`)}?fieldManager=applier`, 'apply', make(`${base}-applied`)),
    patch('apply whole again', `${other(`${base}-applied`)}?fieldManager=applier`, 'apply', make(`${base}-applied`)),
    patch('apply less', `${other(`${base}-applied`)}?fieldManager=applier`, 'apply', {
      ...make(`${base}-applied`),
      metadata: { name: nameOf(sample, `${base}-applied`) },
    }),
    patch('apply long manager', `${one}?fieldManager=${'m'.repeat(129)}`, 'apply', identity),
    patch('merge force', `${one}?force=true`, 'merge', {}),
    patch('patch of collection', path, 'merge', {}),
    { name: 'put of collection', method: 'PUT', path, body: whole },
    get('get written', one),
  ];
  const status: Step[] = [];
  const subresources = new Map(fact.subresources.map((found) => [found.name, found]));
  if (subresources.has('status')) {
    const written = sample.status ?? {};
    status.push(
      get('status get', `${one}/status`),
      put('status update', `${one}/status`, { ...make(base, { labels: { ...labels, by: 'status' } }), status: written }),
      patch('status merge', `${one}/status?fieldManager=keeper`, 'merge', { status: written }),
      patch('status strategic', `${one}/status`, 'strategic', { status: written }),
      patch('status apply', `${one}/status?fieldManager=applier&force=true`, 'apply', { ...identity, status: written }),
      patch('status wrong type', `${one}/status`, 'merge', { status: 'x' }),
      put('status update bare', `${one}/status`, identity),
      put('status missing', `${other(`${base}-none`)}/status`, make(`${base}-none`)),
      post('status create', `${one}/status`, whole),
      remove('status delete', `${one}/status`),
      put('status in main', one, { ...whole, status: written }),
      get('get after status', one),
    );
  }
  if (subresources.has('scale'))
    status.push(
      get('scale get', `${one}/scale`),
      get('scale get table', `${one}/scale`, table),
      put('scale update', `${one}/scale`, {
        apiVersion: 'autoscaling/v1',
        kind: 'Scale',
        metadata: { name: nameOf(sample, base), namespace: ns },
        spec: { replicas: 7 },
      }),
      put('scale update negative', `${one}/scale`, {
        apiVersion: 'autoscaling/v1',
        kind: 'Scale',
        metadata: { name: nameOf(sample, base), namespace: ns },
        spec: { replicas: -7 },
      }),
      put('scale update bare', `${one}/scale`, { apiVersion: 'autoscaling/v1', kind: 'Scale' }),
      put('scale update other kind', `${one}/scale`, whole),
      patch('scale merge', `${one}/scale?fieldManager=scaler`, 'merge', { spec: { replicas: 5 } }),
      patch('scale apply', `${one}/scale?fieldManager=applier&force=true`, 'apply', {
        apiVersion: 'autoscaling/v1',
        kind: 'Scale',
        metadata: { name: nameOf(sample, base) },
        spec: { replicas: 6 },
      }),
      patch('scale json', `${one}/scale?dryRun=All`, 'json', [{ op: 'replace', path: '/spec/replicas', value: 9 }]),
      patch('scale wrong type', `${one}/scale`, 'merge', { spec: { replicas: 'x' } }),
      get('scale missing', `${other(`${base}-none`)}/scale`),
      get('get after scale', one),
    );
  status.push(get('nonsense subresource', `${one}/nonsense`), put('nonsense subresource update', `${one}/nonsense`, whole));
  const end: Step[] = [
    remove('delete other uid', one, { preconditions: { uid: 'other' } }),
    remove('delete old revision', one, { preconditions: { resourceVersion: '1' } }),
    remove('delete bad policy', one, { propagationPolicy: 'Perhaps' }),
    remove('delete two policies', one, { propagationPolicy: 'Orphan', orphanDependents: true }),
    remove('delete negative grace', `${one}?gracePeriodSeconds=-5&dryRun=All`),
    remove('delete garbage', one, '{'),
    remove('delete other kind', one, { kind: 'Whatever', apiVersion: 'v1' }),
    remove('delete dry', `${one}?dryRun=All`),
    remove('delete dry in background', one, { propagationPolicy: 'Background', dryRun: ['All'] }),
    remove('delete as alice', one, undefined, { as: { user: 'alice', groups: ['developers'] } }),
    remove('delete missing', other(`${base}-none`)),
    patch('add finalizer', one, 'merge', { metadata: { finalizers: ['differential.example/hold'] } }),
    remove('delete held', one, { preconditions: { uid: '{{uid}}' }, propagationPolicy: 'Foreground' }),
    get('get held', one),
    patch('add finalizer while held', one, 'merge', {
      metadata: { finalizers: ['differential.example/hold', 'differential.example/late'] },
    }),
    patch('release', one, 'merge', { metadata: { finalizers: null } }),
    get('get deleted', one),
    remove('delete again', one),
    ...(fact.verbs.includes('deletecollection')
      ? [
          remove('delete collection dry', `${path}?${chosen}&dryRun=All`),
          remove('delete collection of none', `${path}?labelSelector=none%3Dnone`),
          remove('delete collection bad selector', `${path}?labelSelector=a%3Db%3Dc`),
          remove('delete collection bad policy', `${path}?${chosen}`, { propagationPolicy: 'Perhaps' }),
        ]
      : []),
    remove('delete applied', other(`${base}-applied`), { propagationPolicy: 'Background' }),
    get('list in the end', `${path}?${chosen}`, partials),
  ];
  return {
    name,
    namespace: fact.namespaced,
    steps: [...create, ...read, ...write, ...status, ...end],
    cleanup: [`${base}-bare`, base, `${base}-applied`, 'made-'].map((of) => remove('', other(of), { gracePeriodSeconds: 0 })),
  };
}

export const verbScenarios = (): Scenario[] => samples.map(verbScenario);
