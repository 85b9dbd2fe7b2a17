import type { Node } from '#api';
import { tolerates } from '#machinery/selectors';
import type { PluginFactory } from '../contract.ts';
import { action } from '../framework/events.ts';
import { constant, unresolvable } from '../framework/status.ts';

const unschedulableTaint = { key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule' };
const reason = constant('NodeUnschedulable', unresolvable('node(s) were unschedulable'));

/** Cordoned nodes take only pods that tolerate it. upstream: plugins/nodeunschedulable. */
export const nodeUnschedulable: PluginFactory = () => ({
  name: 'NodeUnschedulable',
  local: true,
  events: () => [
    {
      event: { resource: 'Node', actions: action.add | action.nodeTaint },
      hint: (_pod, old: Node | undefined, now: Node | undefined) => {
        if (!now) return 'skip';
        return !now.spec?.unschedulable && (!old || old.spec?.unschedulable) ? 'queue' : 'skip';
      },
    },
    {
      event: { resource: 'Pod', actions: action.podToleration },
      hint: (pod, _old, now) => (now?.metadata?.uid === pod.metadata?.uid ? 'queue' : 'skip'),
    },
  ],
  filter(_state, { pod }, node) {
    if (!node.node?.spec?.unschedulable) return undefined;
    return pod.spec?.tolerations?.some((toleration) => tolerates(toleration, unschedulableTaint)) ? undefined : reason;
  },
});
