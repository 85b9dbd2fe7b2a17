import type { Pod } from '#api';
import type { PluginFactory } from '../contract.ts';
import { action } from '../framework/events.ts';
import type { EventResource } from '../framework/events.ts';
import { failed, skip, unresolvable } from '../framework/status.ts';
import { VolumeBinder } from './volume-binder.ts';
import type { PodClaims, PodVolumes } from './volume-binder.ts';

const name = 'VolumeBinding';

interface State {
  claims: PodClaims;
  byNode: Map<string, PodVolumes>;
  toBind?: PodVolumes;
}

/** Puts pods where their volumes are, and binds claims that wait for their first consumer. upstream: plugins/volumebinding. */
export const volumeBinding: PluginFactory = ({ client, informers, clock, cache }, args: { bindTimeoutSeconds?: number }) => {
  const binder = new VolumeBinder(client, informers, clock);
  const timeout = (args.bindTimeoutSeconds ?? 600) * 1000;
  const hasClaims = (pod: Pod): boolean =>
    pod.spec?.volumes?.some((volume) => volume.persistentVolumeClaim !== undefined || volume.ephemeral !== undefined) ?? false;
  const on = (resource: EventResource, actions: number) => ({ event: { resource, actions } });
  return {
    name,
    events: () => [
      on('Node', action.add | action.nodeLabel),
      on('PersistentVolumeClaim', action.add | action.other),
      on('PersistentVolume', action.add | action.other),
      on('StorageClass', action.add | action.other),
      on('CSIDriver', action.add | action.other),
      on('CSIStorageCapacity', action.add | action.other),
      on('CSINode', action.add | action.other),
    ],
    preFilter(state, { pod }) {
      if (!hasClaims(pod)) return { status: skip };
      const claims = binder.claimsOf(pod);
      if (claims === undefined) return { status: skip };
      if (typeof claims === 'string') return { status: unresolvable(claims) };
      if (claims.immediate.length > 0) return { status: unresolvable('pod has unbound immediate PersistentVolumeClaims') };
      state.write(name, { claims, byNode: new Map() } satisfies State);
      return undefined;
    },
    filter(state, _pod, node) {
      const data = state.read<State>(name)!;
      const found = binder.find(data.claims, node.node!);
      if (Array.isArray(found)) return unresolvable(...found);
      data.byNode.set(node.name, found);
      return undefined;
    },
    reserve(state, _pod, nodeName) {
      const data = state.read<State>(name);
      const found = data?.byNode.get(nodeName);
      if (data && found && binder.assume(found, nodeName)) data.toBind = found;
      return undefined;
    },
    unreserve(state) {
      const found = state.read<State>(name)?.toBind;
      if (found) binder.revert(found);
    },
    async preBind(state, { pod }, nodeName, signal) {
      const found = state.read<State>(name)?.toBind;
      const node = cache.get(nodeName)?.node;
      if (!found) return undefined;
      if (!node) return failed(new Error(`node "${nodeName}" not found`));
      try {
        await binder.bind(pod, node, found, timeout, signal);
        return undefined;
      } catch (error) {
        return failed(error);
      }
    },
  };
};
