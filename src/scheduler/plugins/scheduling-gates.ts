import type { PluginFactory } from '../contract.ts';
import { action } from '../framework/events.ts';
import { unresolvable } from '../framework/status.ts';

/** Keeps pods with spec.schedulingGates out of the queue. upstream: plugins/schedulinggates. */
export const schedulingGates: PluginFactory = () => ({
  name: 'SchedulingGates',
  events: () => [
    {
      event: { resource: 'Pod', actions: action.podGatesEliminated },
      hint: (pod, _old, now) => (now?.metadata?.uid === pod.metadata?.uid ? 'queue' : 'skip'),
    },
  ],
  preEnqueue(pod) {
    const gates = pod.spec?.schedulingGates;
    if (!gates?.length) return undefined;
    return unresolvable(`waiting for scheduling gates: [${gates.map((gate) => gate.name).join(' ')}]`);
  },
});
