import type { Node, NodeSelector, Pod, PreferredSchedulingTerm } from '#api';
import { nodeSelectorMatches, requiredNodeAffinity } from '#machinery/selectors';
import type { NodeMatcher } from '#machinery/selectors';
import type { PluginFactory } from '../contract.ts';
import { action } from '../framework/events.ts';
import { constant, skip, unresolvable } from '../framework/status.ts';
import { preferredWeight } from '../selector.ts';
import { normalizeScore } from './normalize-score.ts';

const name = 'NodeAffinity';
const podReason = constant('NodeAffinity', unresolvable("node(s) didn't match Pod's node affinity/selector"));
const enforcedReason = constant('NodeAffinity', unresolvable("node(s) didn't match scheduler-enforced node affinity"));

interface Args {
  addedAffinity?: {
    requiredDuringSchedulingIgnoredDuringExecution?: NodeSelector;
    preferredDuringSchedulingIgnoredDuringExecution?: PreferredSchedulingTerm[];
  };
}

/** The nodes a pod asks for by name in every alternative of its affinity (as DaemonSet pods do); undefined when some alternative does not. */
function namedNodes(pod: Pod): Set<string> | undefined {
  const terms = pod.spec?.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms;
  if (!terms?.length) return undefined;
  const names = new Set<string>();
  for (const term of terms) {
    let ofTerm: string[] | undefined;
    for (const { key, operator, values } of term.matchFields ?? [])
      if (key === 'metadata.name' && operator === 'In')
        ofTerm = ofTerm === undefined ? (values ?? []) : ofTerm.filter((value) => values?.includes(value));
    if (ofTerm === undefined) return undefined;
    for (const value of ofTerm) names.add(value);
  }
  return names;
}

/** spec.nodeSelector and node affinity. upstream: plugins/nodeaffinity. */
export const nodeAffinity: PluginFactory = (_handle, args: Args) => {
  const enforced = args.addedAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  const enforcedPreferred = args.addedAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? [];
  const preferredOf = (pod: Pod): PreferredSchedulingTerm[] =>
    pod.spec?.affinity?.nodeAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? [];
  return {
    name,
    local: true,
    events: () => [
      {
        event: { resource: 'Node', actions: action.add | action.nodeLabel },
        hint: (pod, old: Node | undefined, now: Node | undefined) => {
          if (!now || (enforced && !nodeSelectorMatches(enforced, now))) return 'skip';
          const matches = requiredNodeAffinity(pod.spec ?? {});
          if (matches && !matches(now)) return 'skip';
          return old && (!matches || matches(old)) && (!enforced || nodeSelectorMatches(enforced, old)) ? 'skip' : 'queue';
        },
      },
    ],
    preFilter(state, { pod }) {
      const matches = requiredNodeAffinity(pod.spec ?? {});
      if (!matches && !enforced) return { status: skip };
      state.write(name, matches);
      const nodeNames = namedNodes(pod);
      if (!nodeNames) return undefined;
      return nodeNames.size === 0 ? { status: unresolvable('pod affinity terms conflict') } : { nodeNames };
    },
    filter(state, _pod, node) {
      if (enforced && !nodeSelectorMatches(enforced, node.node!)) return enforcedReason;
      const matches = state.read<NodeMatcher>(name);
      return matches && !matches(node.node!) ? podReason : undefined;
    },
    preScore: (_state, { pod }) => (preferredOf(pod).length === 0 && enforcedPreferred.length === 0 ? skip : undefined),
    score: (_state, { pod }, node) => preferredWeight(enforcedPreferred, node.node!) + preferredWeight(preferredOf(pod), node.node!),
    normalizeScore: (_state, _pod, scores) => normalizeScore(scores, false),
  };
};
