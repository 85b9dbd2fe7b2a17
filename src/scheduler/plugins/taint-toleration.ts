import type { Node } from '#api';
import { tolerates, untolerated } from '#machinery/selectors';
import type { PluginFactory } from '../contract.ts';
import { action } from '../framework/events.ts';
import { constant, unresolvable } from '../framework/status.ts';
import { normalizeScore } from './normalize-score.ts';

const reason = constant('TaintToleration', unresolvable('node(s) had untolerated taint(s)'));

/** Taints that a pod does not tolerate keep it away (NoSchedule, NoExecute) or count against the node (PreferNoSchedule). upstream: plugins/tainttoleration. */
export const taintToleration: PluginFactory = () => ({
  name: 'TaintToleration',
  local: true,
  events: () => [
    {
      event: { resource: 'Node', actions: action.add | action.nodeTaint },
      hint: (pod, old: Node | undefined, now: Node | undefined) => {
        const before = old === undefined || untolerated(old.spec?.taints, pod.spec?.tolerations) !== undefined;
        return before && now && !untolerated(now.spec?.taints, pod.spec?.tolerations) ? 'queue' : 'skip';
      },
    },
    {
      event: { resource: 'Pod', actions: action.podToleration },
      hint: (pod, _old, now) => (now?.metadata?.uid === pod.metadata?.uid ? 'queue' : 'skip'),
    },
  ],
  filter(_state, { pod }, node) {
    const taints = node.taints;
    if (!taints?.length) return undefined;
    return untolerated(taints, pod.spec?.tolerations) ? reason : undefined;
  },
  score(_state, { pod }, node) {
    let count = 0;
    for (const taint of node.taints ?? []) {
      if (taint.effect !== 'PreferNoSchedule') continue;
      const tolerated = pod.spec?.tolerations?.some(
        (toleration) => (!toleration.effect || toleration.effect === 'PreferNoSchedule') && tolerates(toleration, taint),
      );
      if (!tolerated) count++;
    }
    return count;
  },
  normalizeScore: (_state, _pod, scores) => normalizeScore(scores, true),
});
