import { Node } from '#api';
import type { Binding, Pod } from '#api';
import type { AdmissionPluginFactory } from '../contract.ts';
import { isFor } from './attributes.ts';

const labels = ['topology.kubernetes.io/zone', 'topology.kubernetes.io/region'];

/** Pods carry the zone and region of their node. upstream: plugin/pkg/admission/podtopologylabels. */
export const podTopologyLabels: AdmissionPluginFactory = ({ informers }) => {
  const nodes = informers.for(Node);
  return {
    name: 'PodTopologyLabels',
    handles: (attributes) => attributes.operation === 'CREATE' && isFor(attributes, '', 'pods', '', 'binding'),
    admit({ object, subresource }) {
      const { target } = object as Binding;
      const name = subresource === 'binding' ? (target.kind === 'Node' ? target.name : undefined) : (object as Pod).spec?.nodeName;
      const known = name ? nodes.get(name)?.metadata?.labels : undefined;
      if (!known) return;
      const copied = Object.fromEntries(labels.filter((label) => known[label] !== undefined).map((label) => [label, known[label]!]));
      if (Object.keys(copied).length > 0) (object!.metadata ??= {}).labels = { ...object!.metadata.labels, ...copied };
    },
  };
};
