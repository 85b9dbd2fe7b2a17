import type { NodeCondition, Pod } from '#api';
import { failure, notFound } from '#machinery/status';
import type { FoundContainer, KubeletApi, KubeletOptions } from './contract.ts';
import type { PodCache } from './pod-runtime/cache.ts';
import { containerLogDirectory } from './pod-runtime/paths.ts';
import { sandboxReady } from './pod-runtime/runtime-pod.ts';
import { nameOf, namespaceOf, uidOf } from './pod-spec.ts';
import type { Stats } from './stats.ts';

export interface KubeletApiSource {
  options: KubeletOptions;
  cache: PodCache;
  stats: Stats;
  /** With the status last made. */
  pods(): Pod[];
  conditions(): NodeCondition[];
  healthy(): boolean;
}

/** What the kubelet's server asks. */
export function kubeletApi({ options, cache, stats, pods, conditions, healthy }: KubeletApiSource): KubeletApi {
  const find = (namespace: string, name: string, uid?: string): Pod | undefined =>
    pods().find((pod) => nameOf(pod) === name && namespaceOf(pod) === namespace && (!uid || uidOf(pod) === uid));
  const need = (namespace: string, name: string, uid?: string): Pod => {
    const pod = find(namespace, name, uid);
    if (!pod) throw notFound({ group: '', resource: 'pods' }, name);
    return pod;
  };
  return {
    nodeName: options.nodeName,
    runtime: options.runtime,
    podLogsDirectory: options.podLogsDirectory,
    pods,
    pod: find,
    async findContainer(namespace, name, container, { uid, previous = false } = {}): Promise<FoundContainer> {
      const pod = need(namespace, name, uid);
      const state = await cache.get(pod);
      const found = state.containers.filter((item) => item.name === container)[previous ? 1 : 0];
      if (!found) throw failure(404, 'NotFound', `container not found ("${container}")`);
      return { pod, name: container, id: found.id, state: found.state, logPath: found.logPath };
    },
    async findSandbox(namespace, name, uid) {
      const state = await cache.get(need(namespace, name, uid));
      const sandbox = state.sandboxes.find(sandboxReady);
      if (!sandbox?.id) throw failure(404, 'NotFound', `pod not found ("${name}_${namespace}")`);
      return sandbox.id;
    },
    logDirectory: (pod, container) => containerLogDirectory(options.podLogsDirectory, pod, container),
    statsSummary: () => stats.summary(),
    conditions,
    healthy,
  };
}
