import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Pod, ValidatingAdmissionPolicy } from '#api';
import {
  Pod as PodKind,
  ResourceClaimTemplate as TemplateKind,
  ResourceV1ResourceClaim as ClaimKind,
  ValidatingAdmissionPolicy as PolicyKind,
} from '#api';
import { checkTypes } from './policy-type-check.ts';
import { resourceClaimController } from './resource-claim.ts';
import { harness } from './testing/harness.ts';
import { validatingAdmissionPolicyStatusController } from './validating-admission-policy-status.ts';

test('a pod gets a claim from its template, holds it, and gives it back when it is done', async () => {
  await using h = await harness({ controllers: [resourceClaimController] });
  const pod: Pod = {
    metadata: { name: 'p', namespace: 'default' },
    spec: { containers: [], resourceClaims: [{ name: 'gpu', resourceClaimTemplateName: 't' }] },
  };
  h.api.create(PodKind, pod);
  await h.settle();
  assert.ok(h.events().some((event) => event.startsWith('FailedResourceClaimCreation PodResourceClaim gpu: resource claim template "t"')));
  h.api.create(TemplateKind, {
    metadata: { name: 't', namespace: 'default' },
    spec: { metadata: { labels: { a: 'b' } }, spec: { devices: {} } },
  });
  await h.settle();
  const [claim] = h.api.list(ClaimKind);
  assert.match(claim!.metadata!.name!, /^p-gpu-/);
  assert.deepEqual(claim!.metadata!.annotations, { 'resource.kubernetes.io/pod-claim-name': 'gpu' });
  assert.deepEqual(h.api.get(PodKind, 'default/p')!.status!.resourceClaimStatuses, [
    { name: 'gpu', resourceClaimName: claim!.metadata!.name },
  ]);
  const key = `default/${claim!.metadata!.name}`;
  h.api.change(ClaimKind, key, (next) => {
    next.metadata!.finalizers = ['resource.kubernetes.io/delete-protection'];
    next.status = { allocation: {} };
  });
  h.api.change(PodKind, 'default/p', (next) => void (next.spec!.nodeName = 'n'));
  await h.settle();
  assert.equal(h.api.get(ClaimKind, key)!.status!.reservedFor![0]!.name, 'p');
  h.api.change(PodKind, 'default/p', (next) => void (next.status = { ...next.status, phase: 'Succeeded' }));
  await h.settle();
  assert.equal(h.api.get(ClaimKind, key), undefined);
});

const policy = (validation: object, extra: object = {}): ValidatingAdmissionPolicy => ({
  metadata: { name: 'p' },
  spec: {
    matchConstraints: { resourceRules: [{ apiGroups: ['apps'], apiVersions: ['v1'], resources: ['deployments'] }] },
    validations: [validation as { expression: string }],
    ...extra,
  },
});

for (const [what, given, wanted] of [
  ['what fits', policy({ expression: 'object.spec.replicas > 1' }), []],
  [
    'what confuses types',
    policy({ expression: "object.spec.replicas > '1'", messageExpression: "'wants replicas > 1, got ' + object.spec.replicas" }),
    [
      /^apps\/v1, Kind=Deployment: .*found no matching overload for '_>_' applied to '\(int, string\)'/s,
      /found no matching overload for '_\+_' applied to '\(string, int\)'/,
    ],
  ],
  [
    'variables',
    policy(
      { expression: 'variables.n > 1 && variables.b' },
      {
        variables: [
          { name: 'n', expression: 'object.spec.replicas' },
          { name: 'b', expression: 'variables.n > 0' },
        ],
      },
    ),
    [],
  ],
  ['a field that is not there', policy({ expression: 'object.spec.nothing == 1' }), [/undefined field 'nothing'/]],
] as const)
  test(`checkTypes(): ${what}`, () => {
    const warnings = checkTypes(given);
    assert.equal(warnings.length, wanted.length, JSON.stringify(warnings));
    for (const [index, pattern] of wanted.entries()) assert.match(warnings[index]!.warning, pattern);
  });

test('the status says that a policy was checked', async () => {
  await using h = await harness({ controllers: [validatingAdmissionPolicyStatusController] });
  h.api.create(PolicyKind, policy({ expression: 'object.spec.replicas > 1' }));
  await h.settle();
  assert.deepEqual(h.api.get(PolicyKind, 'p')!.status, { observedGeneration: 1, typeChecking: {} });
});
