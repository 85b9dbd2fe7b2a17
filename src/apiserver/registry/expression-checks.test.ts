import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  DeviceClass,
  ResourceClaimTemplate,
  ResourceV1ResourceClaim,
  ValidatingAdmissionPolicy,
  ValidatingWebhookConfiguration,
} from '#api';
import type { Kind } from '#api';
import { rulesFor } from '#api/rules';
import type { KubeObject } from '#machinery/meta';
import { loadExpressionChecks } from './expression-checks.ts';

const expressions = await loadExpressionChecks();

/** The fields that are wrong, in order. */
function wrong(kind: Kind<never>, object: object, old?: object): string[] {
  const rules = rulesFor(kind as Kind);
  const [given, stored] = [object as KubeObject, old as KubeObject | undefined];
  const checks = rules.hasExpressions?.(given, stored) ? expressions : undefined;
  const errors = stored ? rules.validateUpdate?.(given, stored, checks) : rules.validate?.(given, checks);
  return (errors ?? []).map(({ field }) => field);
}

const match = {
  matchPolicy: 'Exact',
  namespaceSelector: {},
  objectSelector: {},
  resourceRules: [{ operations: ['*'], apiGroups: [''], apiVersions: ['v1'], resources: ['pods'] }],
};

test('what is wrong with expressions is told in order with what else is wrong', () => {
  const policy = {
    metadata: { name: 'p' },
    spec: {
      matchConstraints: match,
      matchConditions: [{ expression: '1' }, { name: 'empty', expression: ' ' }],
      variables: [{ name: 'none' }, { name: '', expression: 'object.x +' }, { name: 'v', expression: 'object.v' }],
      validations: [
        { expression: 'variables.v == variables.none', message: 'a\nb', messageExpression: '1' },
        { reason: 'None', messageExpression: 'variables.v' },
      ],
      auditAnnotations: [
        { key: '-', valueExpression: '1' },
        { key: 'long', valueExpression: `"${'x'.repeat(6000)}` },
      ],
    },
  };
  assert.deepEqual(wrong(ValidatingAdmissionPolicy as Kind<never>, policy), [
    'spec.failurePolicy',
    'spec.matchConditions[0].expression',
    'spec.matchConditions[0].name',
    'spec.matchConditions[1].expression',
    'spec.variables[0].expression',
    'spec.variables[1].name',
    'spec.variables[1].expression',
    'spec.validations[0].expression',
    'spec.validations[0].messageExpression',
    'spec.validations[0].message',
    'spec.validations[1].expression',
    'spec.validations[1].messageExpression',
    'spec.validations[1].reason',
    'spec.auditAnnotations[0].key',
    'spec.auditAnnotations[0].valueExpression',
    'spec.auditAnnotations[1].valueExpression',
  ]);
  const webhooks = {
    webhooks: [{ name: 'w', matchConditions: [{ name: '-', expression: '1' }], admissionReviewVersions: ['v1'], sideEffects: 'None' }],
  };
  const conditions = ['webhooks[0].matchConditions[0].expression', 'webhooks[0].matchConditions[0].name'];
  assert.deepEqual(wrong(ValidatingWebhookConfiguration as Kind<never>, webhooks), [
    'webhooks[0].name',
    'webhooks[0].clientConfig',
    ...conditions,
  ]);
});

test('stored conditions of webhooks and policies are not looked at again, stored expressions of policies are', () => {
  const webhook = {
    name: 'a.b.c',
    matchConditions: [{ name: 'c', expression: '1' }],
    sideEffects: 'None',
    clientConfig: { url: 'https://x' },
  };
  const configuration = { webhooks: [{ ...webhook, admissionReviewVersions: ['v1'] }] };
  assert.deepEqual(wrong(ValidatingWebhookConfiguration as Kind<never>, configuration, configuration), []);
  const spec = { failurePolicy: 'Fail', matchConstraints: match, matchConditions: webhook.matchConditions };
  const policy = { metadata: { name: 'p' }, spec: { ...spec, validations: [{ expression: '1' }] } };
  assert.deepEqual(wrong(ValidatingAdmissionPolicy as Kind<never>, policy, policy), ['spec.validations[0].expression']);
});

test('selectors of devices are compiled where they are new', () => {
  const selectors = [{ cel: { expression: '' } }, {}, { cel: { expression: '('.repeat(11 * 1024) } }, { cel: { expression: 'true' } }];
  const fields = (path: string): string[] => [`${path}[0].cel.expression`, `${path}[1].cel`, `${path}[2].cel.expression`];
  const deviceClass = { spec: { selectors, extendedResourceName: 'x' } };
  const kind = DeviceClass as Kind<never>;
  assert.deepEqual(wrong(kind, deviceClass), [...fields('spec.selectors'), 'spec.extendedResourceName']);
  assert.deepEqual(wrong(kind, deviceClass, { spec: {} }), wrong(kind, deviceClass));
  assert.deepEqual(wrong(kind, { spec: { selectors: Array.from({ length: 33 }, () => selectors[0]) } }), ['spec.selectors']);
  const request = { name: 'r', exactly: { deviceClassName: 'c', allocationMode: 'All', selectors, count: 1 } };
  const claim = { spec: { devices: { requests: [request] } } };
  const exactly = 'spec.devices.requests[0].exactly';
  assert.deepEqual(wrong(ResourceV1ResourceClaim as Kind<never>, claim), [...fields(`${exactly}.selectors`), `${exactly}.count`]);
  assert.deepEqual(wrong(ResourceV1ResourceClaim as Kind<never>, claim, { spec: {} }), ['spec']);
  const template = `spec.${exactly}`;
  const inTemplate = [...fields(`${template}.selectors`), `${template}.count`];
  assert.deepEqual(wrong(ResourceClaimTemplate as Kind<never>, { spec: claim }), inTemplate);
  assert.deepEqual(wrong(ResourceClaimTemplate as Kind<never>, { spec: claim }, { spec: {} }), [...inTemplate, 'spec']);
});
