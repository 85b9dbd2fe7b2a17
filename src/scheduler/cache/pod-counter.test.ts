import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededRandom } from '#machinery/clock';
import { testNode, testPod } from '../test-cluster.ts';
import { Cache } from './cache.ts';
import type { Topology } from './topology.ts';

const termsOf = (cache: Cache) =>
  [...cache.terms.requiredAffinity.values()].map((entry) => ({
    slots: entry.slots,
    byDomain: (topology: Topology) => entry.byDomain(topology),
  }));
const together = {
  podAffinity: {
    requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKey: 'zone', labelSelector: { matchLabels: { app: 'web' } } }],
  },
};

test('pods and their affinity terms, counted by domain while pods and nodes come and go are those that a walk over all of them finds', () => {
  const random = seededRandom(7);
  const pick = (count: number): number => Math.floor(random.next() * count);
  const cache = new Cache();
  const nodeNames = Array.from({ length: 8 }, (_, index) => `node-${index}`);
  const matches = (labels: Record<string, string> | undefined): boolean => labels?.['app'] === 'web';
  const check = (): void => {
    const topology = cache.topology('zone');
    const tainted = cache.mask('tainted', (node) => (node.taints?.length ?? 0) > 0);
    const conditions = [
      { key: '', includes: () => true },
      { key: 'untainted', includes: (slot: number) => tainted[slot] === 0 },
    ];
    for (const condition of conditions) {
      const counter = cache.count('web', (info) => matches(info.pod.metadata?.labels));
      const { counts, present } = counter.byDomain(topology, condition, cache.list());
      const [walked, seen] = [new Int32Array(topology.domains), new Uint8Array(topology.domains)];
      for (const node of cache.list()) {
        const domain = topology.domainOf[node.slot]!;
        if (domain < 0 || !condition.includes(node.slot)) continue;
        seen[domain] = 1;
        for (const info of node.pods.values()) if (matches(info.pod.metadata?.labels)) walked[domain]!++;
      }
      assert.deepEqual([...counts], [...walked]);
      assert.deepEqual([...present], [...seen]);
    }
    for (const { slots, byDomain } of termsOf(cache)) {
      const walked = new Int32Array(topology.domains);
      for (const [slot, count] of slots) if (topology.domainOf[slot]! >= 0) walked[topology.domainOf[slot]!]! += count;
      assert.deepEqual([...byDomain(topology)], [...walked]);
    }
  };
  for (let step = 0; step < 2000; step++) {
    const name = nodeNames[pick(nodeNames.length)]!;
    const turn = pick(10);
    if (turn === 0) cache.removeNode(name);
    else if (turn < 3) {
      const zone = pick(4);
      const taints = pick(3) === 0 ? [{ key: 'a', effect: 'NoSchedule' }] : [];
      cache.addNode(testNode(name, { taints, ...(zone < 3 && { labels: { zone: `z${zone}` } }) }));
    } else {
      const pod = testPod(`pod-${pick(30)}`, {
        labels: { app: pick(2) ? 'web' : 'other' },
        spec: { nodeName: name, ...(pick(2) && { affinity: together }) },
      });
      if (turn < 7) cache.setPod(pod);
      else cache.removePod(pod);
    }
    check();
  }
});
