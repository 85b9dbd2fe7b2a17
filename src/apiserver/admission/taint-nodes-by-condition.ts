import type { Node } from '#api';
import type { AdmissionPluginFactory } from '../contract.ts';
import { isFor } from './attributes.ts';

const key = 'node.kubernetes.io/not-ready';

/** A new node takes no pods until a controller saw it ready. upstream: plugin/pkg/admission/nodetaint. */
export const taintNodesByCondition: AdmissionPluginFactory = () => ({
  name: 'TaintNodesByCondition',
  handles: (attributes) => attributes.operation === 'CREATE' && isFor(attributes, '', 'nodes'),
  admit({ object }) {
    const spec = ((object as Node).spec ??= {});
    if (!spec.taints?.some((taint) => taint.key === key && taint.effect === 'NoSchedule'))
      spec.taints = [...(spec.taints ?? []), { effect: 'NoSchedule', key }];
  },
});
