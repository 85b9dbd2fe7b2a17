import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ConfigMap, Deployment, Namespace, ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding } from '#api';
import { isStatus } from '#machinery/status';
import type { AdmissionAttributes } from '../../contract.ts';
import { testbed } from '../../testbed.ts';
import { MatchConditions } from './match-conditions.ts';
import { admissionActivation } from './activation.ts';
import { validatingAdmissionPolicy } from './validating.ts';

type Spec = NonNullable<ValidatingAdmissionPolicy['spec']>;
type BindingSpec = NonNullable<ValidatingAdmissionPolicyBinding['spec']>;

const deployments = {
  resourceRules: [{ apiGroups: ['apps'], apiVersions: ['v1'], operations: ['CREATE', 'UPDATE'], resources: ['deployments'] }],
};

function request(replicas: number, more: Partial<AdmissionAttributes> = {}) {
  const warnings: string[] = [];
  const annotations: Record<string, string> = {};
  const object = {
    kind: 'Deployment',
    apiVersion: 'apps/v1',
    metadata: { name: 'd', namespace: 'ns', labels: { app: 'x' } },
    spec: { replicas, selector: {}, template: { spec: { containers: [{ name: 'c', image: 'i' }] } } },
  } as Deployment;
  const attributes: AdmissionAttributes = {
    operation: 'CREATE',
    kind: Deployment,
    subresource: '',
    namespace: 'ns',
    name: 'd',
    object,
    oldObject: undefined,
    options: {},
    dryRun: false,
    user: { name: 'ann', groups: ['g'] },
    warn: (text) => warnings.push(text),
    annotate: (key, value) => (annotations[key] = value),
    ...more,
  };
  return { attributes, warnings, annotations };
}

async function ask(spec: Partial<Spec>, asked = request(5), binding: Partial<BindingSpec> = {}) {
  await using bed = testbed();
  bed.put(Namespace, { metadata: { name: 'ns', labels: { env: 'test' } } });
  bed.put(ConfigMap, { metadata: { namespace: 'ns', name: 'limits' }, data: { max: '3' } });
  bed.put(ValidatingAdmissionPolicy, { metadata: { name: 'p' }, spec: { matchConstraints: deployments, ...spec } as Spec });
  bed.put(ValidatingAdmissionPolicyBinding, {
    metadata: { name: 'b' },
    spec: { policyName: 'p', validationActions: ['Deny'], ...binding } as BindingSpec,
  });
  const plugin = validatingAdmissionPolicy({
    ...bed,
    authorizer: ({ info }) => ({ verdict: info.verb === 'create' ? 'allow' : 'no-opinion', reason: '' }),
  });
  await bed.informers.synced();
  try {
    if (plugin.handles(asked.attributes)) await plugin.validate!(asked.attributes);
    return undefined;
  } catch (error) {
    assert.ok(isStatus(error), String(error));
    return error.message;
  }
}

const prefix = `deployments.apps "d" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' denied request: `;

test('policies refuse what their expressions do not hold for', async () => {
  for (const [spec, wanted] of [
    [{ validations: [{ expression: 'object.spec.replicas <= 5' }] }, undefined],
    [{ validations: [{ expression: 'object.spec.replicas < 5' }] }, `${prefix}failed expression: object.spec.replicas < 5`],
    [{ validations: [{ expression: 'object.spec.replicas < 5', message: 'too many' }] }, `${prefix}too many`],
    [{ validations: [{ expression: 'object.spec.replicas < 5', messageExpression: "'at most ' + string(4)" }] }, `${prefix}at most 4`],
    [
      {
        variables: [
          { name: 'replicas', expression: 'object.spec.replicas' },
          { name: 'odd', expression: 'variables.replicas % 2 == 1' },
        ],
        validations: [
          { expression: 'variables.replicas > 100 || variables.odd == false', messageExpression: "'odd: ' + string(variables.replicas)" },
        ],
      },
      `${prefix}odd: 5`,
    ],
    [{ matchConditions: [{ name: 'no', expression: 'request.operation == "UPDATE"' }], validations: [{ expression: 'false' }] }, undefined],
    [
      { validations: [{ expression: 'object.spec.none == 1' }] },
      `${prefix}expression 'object.spec.none == 1' resulted in error: no such key: none`,
    ],
    [{ failurePolicy: 'Ignore', validations: [{ expression: 'object.spec.none == 1' }] }, undefined],
    [{ validations: [{ expression: "namespaceObject.metadata.labels.env == 'test' && request.userInfo.username == 'ann'" }] }, undefined],
    [{ validations: [{ expression: "authorizer.requestResource.check('create').allowed()" }] }, undefined],
    [
      { validations: [{ expression: "authorizer.requestResource.check('delete').allowed()", reason: 'Forbidden' }] },
      `${prefix}failed expression: authorizer.requestResource.check('delete').allowed()`,
    ],
    [
      { validations: [{ expression: 'object.spec.replicas' }] },
      `${prefix}expression 'object.spec.replicas' resulted in error: compilation error: must evaluate to bool but got dyn`,
    ],
  ] as [Partial<Spec>, string | undefined][]) {
    const answer = await ask(spec);
    if (wanted?.includes('compilation error')) assert.match(answer ?? '', /compilation error: must evaluate to bool but got dyn/);
    else assert.equal(answer, wanted, JSON.stringify(spec));
  }
});

test('bindings choose, give parameters, and say what happens', async () => {
  const byParam: Partial<Spec> = {
    paramKind: { apiVersion: 'v1', kind: 'ConfigMap' },
    validations: [{ expression: 'object.spec.replicas <= int(params.data.max)' }],
  };
  assert.match(
    (await ask(byParam, request(5), { paramRef: { name: 'limits', parameterNotFoundAction: 'Deny' } })) ?? '',
    /failed expression/,
  );
  assert.equal(await ask(byParam, request(3), { paramRef: { name: 'limits', parameterNotFoundAction: 'Deny' } }), undefined);
  assert.equal(await ask(byParam, request(5), { paramRef: { name: 'none', parameterNotFoundAction: 'Allow' } }), undefined);
  assert.equal(
    await ask(byParam, request(5), { paramRef: { name: 'none', parameterNotFoundAction: 'Deny' } }),
    `${prefix}failed to configure binding: no params found for policy binding with \`Deny\` parameterNotFoundAction`,
  );
  const never: Partial<Spec> = { validations: [{ expression: 'false', message: 'no' }] };
  assert.equal(await ask(never, request(1), { matchResources: { namespaceSelector: { matchLabels: { env: 'prod' } } } }), undefined);
  const warned = request(1);
  assert.equal(await ask(never, warned, { validationActions: ['Warn', 'Audit'] }), undefined);
  assert.deepEqual(warned.warnings, ["Validation failed for ValidatingAdmissionPolicy 'p' with binding 'b': no"]);
  assert.ok(warned.annotations['validation.policy.admission.k8s.io/validation_failure']!.includes('"expressionIndex":0'));
  const noted = request(1);
  await ask({ auditAnnotations: [{ key: 'k', valueExpression: "'replicas ' + string(object.spec.replicas)" }] }, noted);
  assert.equal(noted.annotations['p/k'], 'replicas 1');
});

test('match conditions: one that does not hold outweighs one that fails', () => {
  const { attributes } = request(1);
  const versioned = { kind: attributes.kind, object: attributes.object, oldObject: undefined };
  const activation = admissionActivation({ attributes, versioned, authorizer: () => ({ verdict: 'allow', reason: '' }) });
  const matches = (...expressions: string[]): boolean | string =>
    new MatchConditions(
      expressions.map((expression, index) => ({ name: `c${index}`, expression })),
      {},
    ).matches(activation);
  assert.equal(
    matches("object.metadata.name != 'skip-me'", '!has(oldObject.x)'),
    "expression '!has(oldObject.x)' resulted in error: no such overload",
  );
  assert.equal(matches("object.metadata.name == 'd'"), true);
  assert.equal(matches('object.nothing == 1', "object.metadata.name == 'e'"), false);
  assert.match(matches('object.nothing == 1') as string, /resulted in error: no such key: nothing/);
});
