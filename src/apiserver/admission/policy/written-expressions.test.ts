import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ValidatingAdmissionPolicy, ValidatingWebhookConfiguration } from '#api';
import { policyExpressionErrors, webhookExpressionErrors } from './written-expressions.ts';

const configuration = (...expressions: string[]): ValidatingWebhookConfiguration =>
  ({
    webhooks: [{ matchConditions: expressions.map((expression, index) => ({ name: `c${index}`, expression })) }],
  }) as unknown as ValidatingWebhookConfiguration;

test('match conditions of webhooks compile to bool', () => {
  const errors = webhookExpressionErrors(configuration('object.metadata.name == "x"', '1 + 1', '... [][[]'));
  assert.deepEqual(
    errors.map(({ field }) => field),
    ['webhooks[0].matchConditions[1].expression', 'webhooks[0].matchConditions[2].expression'],
  );
  assert.match(errors[0]!.message, /must evaluate to bool but got int/);
  assert.match(errors[1]!.message, /compilation failed: ERROR/);
});

test('what is stored already passes', () => {
  assert.deepEqual(webhookExpressionErrors(configuration('1 + 1'), configuration('1 + 1')), []);
});

test('policies see their variables in order, and parameters where they have some', () => {
  const spec = {
    variables: [
      { name: 'x', expression: 'object.spec.replicas' },
      { name: 'y', expression: 'variables.x + variables.z' },
    ],
    validations: [{ expression: 'variables.x > params.max', messageExpression: '1' }],
    auditAnnotations: [{ key: 'k', valueExpression: ' null ' }],
  };
  const fields = (more: object): string[] =>
    policyExpressionErrors({ spec: { ...spec, ...more } } as ValidatingAdmissionPolicy).map(({ field }) => field);
  const wrong = ['spec.variables[1].expression', 'spec.validations[0].messageExpression'];
  assert.deepEqual(fields({ paramKind: { apiVersion: 'v1', kind: 'ConfigMap' } }), wrong);
  assert.deepEqual(fields({}), [wrong[0], 'spec.validations[0].expression', wrong[1]]);
});
