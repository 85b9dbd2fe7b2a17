import type { Node, Pod } from '#api';
import { PodInfo } from '../cache/pod-info.ts';
import type { PluginFactory } from '../contract.ts';
import { action } from '../framework/events.ts';
import { constant, skip, unschedulable } from '../framework/status.ts';

const reason = constant('NodePorts', unschedulable("node(s) didn't have free ports for the requested pod ports"));

/** Host ports are taken once a node. upstream: plugins/nodeports. */
export const nodePorts: PluginFactory = () => ({
  name: 'NodePorts',
  local: true,
  events: () => [
    {
      event: { resource: 'Pod', actions: action.delete },
      hint: (pod, old: Pod | undefined) => {
        if (!old?.spec?.nodeName && !old?.status?.nominatedNodeName) return 'skip';
        const freed = new PodInfo(old).hostPorts;
        const wanted = new PodInfo(pod).hostPorts;
        return wanted.some((port) => freed.some((other) => other.port === port.port && other.protocol === port.protocol))
          ? 'queue'
          : 'skip';
      },
    },
    { event: { resource: 'Node', actions: action.add }, hint: (_pod, _old, now: Node | undefined) => (now ? 'queue' : 'skip') },
  ],
  preFilter: (_state, { hostPorts }) => (hostPorts.length === 0 ? { status: skip } : undefined),
  filter: (_state, { hostPorts }, node) => (hostPorts.some((port) => node.portConflict(port)) ? reason : undefined),
});
