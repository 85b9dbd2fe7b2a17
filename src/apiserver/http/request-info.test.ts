import assert from 'node:assert/strict';
import { test } from 'node:test';
import { negotiate } from './negotiation.ts';
import { isLongRunning, parseRequest } from './request-info.ts';
import { goDuration, patienceOf } from './request-timeout.ts';

const shown = (method: string, url: string): string => {
  const [path = '', query = ''] = url.split('?');
  const { info, rest } = parseRequest(method, path, new URLSearchParams(query));
  if (!info.isResourceRequest) return `${info.verb} ${info.path}`;
  const parts = [info.group || 'core', info.version, info.namespace || '-', info.resource, info.name || '-', info.subresource || '-'];
  return `${info.verb} ${parts.join(' ')}${rest ? ` ${rest}` : ''}`;
};

test('parseRequest() reads what a request asks for', () => {
  const cases: [string, string, string][] = [
    ['GET', '/', 'get /'],
    ['GET', '/healthz', 'get /healthz'],
    ['GET', '/api', 'get /api'],
    ['GET', '/api/v1', 'get /api/v1'],
    ['GET', '/apis/apps/v1', 'get /apis/apps/v1'],
    ['GET', '/api/v1/nodes', 'list core v1 - nodes - -'],
    ['GET', '/api/v1/nodes/', 'list core v1 - nodes - -'],
    ['GET', '/api/v1/nodes?watch=true', 'watch core v1 - nodes - -'],
    ['GET', '/api/v1/nodes?watch=0', 'list core v1 - nodes - -'],
    ['GET', '/api/v1/watch/namespaces/n/pods/p', 'watch core v1 n pods p -'],
    ['GET', '/api/v1/namespaces', 'list core v1 - namespaces - -'],
    ['GET', '/api/v1/namespaces/n', 'get core v1 n namespaces n -'],
    ['PUT', '/api/v1/namespaces/n/status', 'update core v1 n namespaces n status'],
    ['PUT', '/api/v1/namespaces/n/finalize', 'update core v1 n namespaces n finalize'],
    ['POST', '/apis/apps/v1/namespaces/n/deployments', 'create apps v1 n deployments - -'],
    ['PATCH', '/apis/apps/v1/namespaces/n/deployments/d/scale', 'patch apps v1 n deployments d scale'],
    ['DELETE', '/api/v1/namespaces/n/pods', 'deletecollection core v1 n pods - -'],
    ['GET', '/api/v1/pods?fieldSelector=metadata.name%3Dp', 'list core v1 - pods p -'],
    ['GET', '/api/v1/namespaces/n/pods/p:80/proxy/a/b%2Fc/', 'get core v1 n pods p:80 proxy /a/b%2Fc/'],
    ['GET', '/api/v1/namespaces/n/services/https%3As%3Aweb/proxy', 'get core v1 n services https:s:web proxy'],
  ];
  for (const [method, url, wanted] of cases) assert.equal(shown(method, url), wanted, `${method} ${url}`);
});

test('parseRequest() refuses paths that play tricks', () => {
  for (const [path, code] of [
    ['/api/v1/namespaces/../pods', 500],
    ['/api/v1/namespaces/%2e%2e/secrets', 500],
    ['/api/v1/namespaces//pods', 404],
    ['/api/v1/namespaces/a%2Fb/pods', 404],
    ['/api/v1//nodes', 404],
    ['//api/v1/nodes', 404],
    ['/api/v1/namespaces/a/configmaps/b/../c', 404],
    ['/api/v1/pods/%zz', 400],
  ] as const)
    assert.throws(() => parseRequest('GET', path, new URLSearchParams()), { code }, path);
});

test('isLongRunning() knows watches and streams', () => {
  const of = (url: string): boolean => {
    const [path = '', query = ''] = url.split('?');
    return isLongRunning(parseRequest('GET', path, new URLSearchParams(query)).info);
  };
  assert.ok(of('/api/v1/pods?watch=1'));
  assert.ok(of('/api/v1/namespaces/n/pods/p/log'));
  assert.ok(!of('/api/v1/pods'));
  assert.ok(!of('/logs'));
});

test('negotiate() takes the best form that the server has', () => {
  const table = 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json';
  const cases: [string | undefined, boolean, string][] = [
    [undefined, true, 'json'],
    ['*/*', true, 'json'],
    ['application/vnd.kubernetes.protobuf,application/json', true, 'protobuf'],
    ['application/json;q=0.5,application/yaml', true, 'yaml'],
    [table, true, 'json Table'],
    [table, false, 'json'],
    ['application/json;as=Table;v=v1beta1;g=meta.k8s.io', true, 'json Table'],
    ['application/json;as=Table;v=v2;g=meta.k8s.io,application/json', true, 'json'],
    ['application/vnd.kubernetes.protobuf;as=PartialObjectMetadata;v=v1;g=meta.k8s.io', true, 'protobuf PartialObjectMetadata'],
    ['application/vnd.kubernetes.protobuf;as=Table;v=v1;g=meta.k8s.io,application/json', true, 'json'],
    ['application/xml, application/*;q=0.1', true, 'json'],
  ];
  for (const [header, shaped, wanted] of cases) {
    const { format, as } = negotiate(header, shaped, true);
    assert.equal(as ? `${format} ${as.kind}` : format, wanted, header ?? 'none');
  }
  assert.equal(negotiate('application/vnd.kubernetes.protobuf,application/json', true, false).format, 'json');
  assert.throws(() => negotiate('application/json;as=Table;v=v1;g=meta.k8s.io', false, true), { code: 406 });
  assert.throws(() => negotiate('text/html', true, true), { code: 406 });
});

test("durations are Go's", () => {
  const cases: [string, number | undefined][] = [
    ['1m30s', 90_000],
    ['1.5h', 5_400_000],
    ['200ms', 200],
    ['-1s', -1000],
    ['0', 0],
    ['5', undefined],
    ['s', undefined],
    ['', undefined],
  ];
  for (const [text, wanted] of cases) assert.equal(goDuration(text), wanted, text);
  assert.equal(patienceOf(new URLSearchParams('timeout=5s')), 5000);
  assert.equal(patienceOf(new URLSearchParams('timeout=5m')), 60_000);
  assert.throws(() => patienceOf(new URLSearchParams('timeout=soon')), { code: 400 });
});
