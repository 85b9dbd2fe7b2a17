import assert from 'node:assert/strict';
import { test } from 'node:test';
import { policyExpressionChecks, webhookConditionErrors } from './written-expressions.ts';

test('match conditions of webhooks compile to bool', () => {
  const path = 'webhooks[0].matchConditions[0].expression';
  const cases: [expression: string, wanted: RegExp | undefined][] = [
    ['object.metadata.name == "x"', undefined],
    ['authorizer.requestResource.check("get").allowed()', undefined],
    ['1 + 1', /^Invalid value: "1 \+ 1": must evaluate to bool but got int$/],
    ['... [][[]', /compilation failed: ERROR/],
    ['params == null', /undeclared reference to 'params'/],
  ];
  for (const [expression, wanted] of cases) {
    const [error] = webhookConditionErrors(path, expression);
    assert.equal(error?.field, wanted && path);
    assert.match(error?.message ?? '', wanted ?? /^$/, expression);
  }
});

test('policies see their variables in order, and parameters where they have some', () => {
  for (const params of [false, true]) {
    const checks = policyExpressionChecks({ params, variables: true });
    assert.deepEqual(checks.variable('v', 'x', 'object.spec.replicas'), []);
    assert.match(checks.variable('v', 'y', 'variables.x + variables.z')[0]!.message, /undefined field 'z'/);
    assert.equal(checks.validation('v', 'variables.x > params.max').length, params ? 0 : 1);
    assert.deepEqual(checks.validation('v', 'variables.y == 1'), [], 'the type of what does not compile is not known');
    assert.match(checks.condition('c', 'variables.x == 1')[0]!.message, /undeclared reference to 'variables'/);
    assert.match(checks.message('m', '1')[0]!.message, /must evaluate to string but got int/);
    assert.match(checks.message('m', 'authorizer.path("/").check("get").reason()')[0]!.message, /undeclared reference to 'authorizer'/);
    assert.deepEqual(checks.annotation('a', ' null '), []);
    assert.match(checks.annotation('a', ' 1 ')[0]!.message, /^Invalid value: " 1 ": must evaluate to one of/);
  }
});
