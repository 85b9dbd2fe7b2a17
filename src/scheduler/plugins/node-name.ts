import type { PluginFactory } from '../contract.ts';
import { action } from '../framework/events.ts';
import { constant, unresolvable } from '../framework/status.ts';

const reason = constant('NodeName', unresolvable("node(s) didn't match the requested node name"));

/** A pod that names its node fits there only. upstream: plugins/nodename. */
export const nodeName: PluginFactory = () => ({
  name: 'NodeName',
  local: true,
  events: () => [{ event: { resource: 'Node', actions: action.add } }],
  filter: (_state, { pod }, node) => (pod.spec?.nodeName && pod.spec.nodeName !== node.name ? reason : undefined),
});
