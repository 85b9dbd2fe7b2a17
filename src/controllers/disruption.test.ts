import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Pod, PodDisruptionBudget } from '#api';
import { Pod as PodKind, PodDisruptionBudget as BudgetKind, ReplicaSet as ReplicaSetKind } from '#api';
import { timestamp } from '#machinery/clock';
import { disruptionController } from './disruption.ts';
import { controllerReference } from './owner.ts';
import type { Harness } from './testing/harness.ts';
import { harness, makeReady } from './testing/harness.ts';

const controllers = [disruptionController];
const labels = { app: 'web' };
const budget = (spec: object): PodDisruptionBudget => ({
  metadata: { name: 'b', namespace: 'default' },
  spec: { selector: { matchLabels: labels }, ...spec },
});

function pods(h: Harness, count: number): Pod[] {
  const set = h.api.create(ReplicaSetKind, { metadata: { name: 'rs', namespace: 'default' }, spec: { replicas: count, selector: {} } });
  return Array.from({ length: count }, (_, index) => {
    const ownerReferences = [controllerReference(ReplicaSetKind, set)];
    const pod = h.api.create(PodKind, {
      metadata: { name: `p${index}`, namespace: 'default', labels, ownerReferences },
      spec: { containers: [] },
    });
    makeReady(h.api, h.clock, pod);
    return pod;
  });
}
const status = (h: Harness): PodDisruptionBudget['status'] => h.api.get(BudgetKind, 'default/b')!.status;

for (const [spec, desired, allowed] of [
  [{ minAvailable: 3 }, 3, 1],
  [{ minAvailable: '50%' }, 2, 2],
  [{ maxUnavailable: 1 }, 3, 1],
  [{ maxUnavailable: '0%' }, 4, 0],
] as const)
  test(`a budget of ${JSON.stringify(spec)} on four healthy pods allows ${allowed}`, async () => {
    await using h = await harness({ controllers });
    pods(h, 4);
    h.api.create(BudgetKind, budget(spec));
    await h.settle();
    const { currentHealthy, desiredHealthy, expectedPods, disruptionsAllowed, conditions } = status(h)!;
    assert.deepEqual([currentHealthy, desiredHealthy, expectedPods, disruptionsAllowed], [4, desired, 4, allowed]);
    assert.deepEqual(
      [conditions![0]!.type, conditions![0]!.reason],
      ['DisruptionAllowed', allowed ? 'SufficientPods' : 'InsufficientPods'],
    );
  });

test('a pod that is being evicted does not count, until it is plain that it stays', async () => {
  await using h = await harness({ controllers });
  pods(h, 4);
  h.api.create(BudgetKind, { ...budget({ minAvailable: 3 }), status: { disruptedPods: { p0: timestamp(h.clock) } } as never });
  await h.settle();
  assert.deepEqual([status(h)!.currentHealthy, status(h)!.disruptionsAllowed], [3, 0]);
  await h.pass(125_000);
  assert.deepEqual([status(h)!.currentHealthy, status(h)!.disruptionsAllowed], [4, 1]);
});

test('pods nobody controls make a percentage meaningless: no evictions', async () => {
  await using h = await harness({ controllers });
  const [pod] = pods(h, 2);
  h.api.delete(ReplicaSetKind, 'default/rs');
  h.api.create(BudgetKind, budget({ maxUnavailable: '50%' }));
  await h.settle();
  assert.equal(status(h)!.disruptionsAllowed, 0);
  assert.equal(status(h)!.conditions![0]!.reason, 'SyncFailed');
  assert.ok(pod);
});
