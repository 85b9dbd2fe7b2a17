import { Node as NodeKind } from '#api';
import { isNotFound } from '#machinery/status';
import type { ControllerFactory } from '../contract.ts';
import { source } from '../contract.ts';

const annotation = 'node.alpha.kubernetes.io/ttl';
/** Up to `most` nodes kubelets may keep secrets and config maps for `seconds`; a size shrinks back only at `least`. */
const boundaries = [
  { least: 0, most: 100, seconds: 0 },
  { least: 90, most: 500, seconds: 15 },
  { least: 450, most: 1000, seconds: 30 },
  { least: 900, most: 2000, seconds: 60 },
  { least: 1800, most: Infinity, seconds: 300 },
];

/** Tells kubelets how long they may keep what they read, by the size of the cluster. upstream: pkg/controller/ttl. */
export const ttlController: ControllerFactory = () => {
  let step = 0;
  return {
    name: 'ttl-controller',
    serviceAccount: 'ttl-controller',
    watches: [
      source(NodeKind, { when: (node, _old, event) => event !== 'updated' || node.metadata!.annotations?.[annotation] === undefined }),
    ],
    async reconcile(context, key) {
      const nodes = context.lister(NodeKind).list();
      const before = step;
      while (nodes.length > boundaries[step]!.most) step++;
      while (nodes.length < boundaries[step]!.least) step--;
      if (before !== step) for (const each of nodes) context.enqueue(each.metadata!.name!);
      const node = context.lister(NodeKind).get(key);
      const wanted = String(boundaries[step]!.seconds);
      if (!node || node.metadata!.annotations?.[annotation] === wanted) return;
      try {
        await context.client.patch(NodeKind, { name: key }, 'strategic', { metadata: { annotations: { [annotation]: wanted } } });
      } catch (error) {
        if (!isNotFound(error)) throw error;
      }
    },
  };
};
