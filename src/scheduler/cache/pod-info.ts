/** A pod with everything the scheduler asks it again and again, worked out once. upstream: pkg/scheduler/framework PodInfo, AffinityTerm. */
import type { Pod, PodAffinityTerm, WeightedPodAffinityTerm } from '#api';
import { podRequests } from '../resources.ts';
import type { Resources } from '../resources.ts';
import { labelSelector, selectorKey } from '../selector.ts';
import type { Labels, Selector } from '../selector.ts';

export type NamespaceLabels = (namespace: string) => Labels;

/** One (anti-)affinity term of a pod, compiled. */
export interface AffinityTerm {
  readonly topologyKey: string;
  /** Equal for terms that select the same pods. */
  readonly podsKey: string;
  matches(pod: Pod, namespaceLabels: NamespaceLabels): boolean;
}

export interface WeightedTerm {
  readonly weight: number;
  readonly term: AffinityTerm;
}

export interface HostPort {
  ip: string;
  protocol: string;
  port: number;
}

function compileTerm(pod: Pod, term: PodAffinityTerm): AffinityTerm {
  const own = !term.namespaces?.length && !term.namespaceSelector;
  const namespaces = new Set(own ? [pod.metadata?.namespace ?? ''] : (term.namespaces ?? []));
  const inNamespaces: Selector | undefined = term.namespaceSelector && labelSelector(term.namespaceSelector);
  const selector = labelSelector(term.labelSelector);
  return {
    topologyKey: term.topologyKey,
    podsKey: `${[...namespaces].sort().join(',')}|${inNamespaces ? selectorKey(inNamespaces) : ''}|${selectorKey(selector)}`,
    matches(other, namespaceLabels) {
      const namespace = other.metadata?.namespace ?? '';
      if (!namespaces.has(namespace) && !inNamespaces?.matches(namespaceLabels(namespace))) return false;
      return selector.matches(other.metadata?.labels);
    },
  };
}

const none: readonly never[] = [];
const compileAll = (pod: Pod, terms: readonly PodAffinityTerm[] | undefined): readonly AffinityTerm[] =>
  terms?.length ? terms.map((term) => compileTerm(pod, term)) : none;
const compileWeighted = (pod: Pod, terms: readonly WeightedPodAffinityTerm[] | undefined): readonly WeightedTerm[] =>
  terms?.length ? terms.map(({ weight, podAffinityTerm }) => ({ weight, term: compileTerm(pod, podAffinityTerm) })) : none;

function hostPortsOf(pod: Pod): readonly HostPort[] {
  const ports: HostPort[] = [];
  for (const container of [
    ...(pod.spec?.containers ?? []),
    ...(pod.spec?.initContainers ?? []).filter((entry) => entry.restartPolicy === 'Always'),
  ])
    for (const port of container.ports ?? [])
      if (port.hostPort) ports.push({ ip: port.hostIP || '0.0.0.0', protocol: port.protocol ?? 'TCP', port: port.hostPort });
  return ports.length ? ports : none;
}

export class PodInfo {
  /** The newest that is known. */
  pod: Pod;
  readonly uid: string;
  readonly namespace: string;
  readonly name: string;
  readonly priority: number;
  readonly requests: Resources;
  /** For scoring: with defaults where a container names no request. */
  readonly nonZero: Resources;
  readonly hostPorts: readonly HostPort[];
  readonly requiredAffinity: readonly AffinityTerm[];
  readonly requiredAntiAffinity: readonly AffinityTerm[];
  readonly preferredAffinity: readonly WeightedTerm[];
  readonly preferredAntiAffinity: readonly WeightedTerm[];
  private cachedShape: string | undefined;

  /** `from`: the same pod, of which everything that was worked out is taken over. */
  constructor(pod: Pod, from?: PodInfo) {
    this.pod = pod;
    this.uid = pod.metadata?.uid ?? `${pod.metadata?.namespace}/${pod.metadata?.name}`;
    this.namespace = pod.metadata?.namespace ?? '';
    this.name = pod.metadata?.name ?? '';
    this.priority = pod.spec?.priority ?? 0;
    const fromStatus = pod.spec?.nodeName !== undefined && pod.status?.containerStatuses !== undefined;
    this.requests = from?.requests ?? podRequests(pod, { fromStatus });
    this.nonZero = from?.nonZero ?? podRequests(pod, { fromStatus, nonZero: true });
    this.hostPorts = from?.hostPorts ?? hostPortsOf(pod);
    const affinity = pod.spec?.affinity;
    this.requiredAffinity =
      from?.requiredAffinity ?? compileAll(pod, affinity?.podAffinity?.requiredDuringSchedulingIgnoredDuringExecution);
    this.requiredAntiAffinity =
      from?.requiredAntiAffinity ?? compileAll(pod, affinity?.podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution);
    this.preferredAffinity =
      from?.preferredAffinity ?? compileWeighted(pod, affinity?.podAffinity?.preferredDuringSchedulingIgnoredDuringExecution);
    this.preferredAntiAffinity =
      from?.preferredAntiAffinity ?? compileWeighted(pod, affinity?.podAntiAffinity?.preferredDuringSchedulingIgnoredDuringExecution);
    this.cachedShape = from?.cachedShape;
  }

  /** Takes a newer state of the pod that means the same to the scheduler. One that has its place is asked for its shape no more. */
  renew(pod: Pod): void {
    this.pod = pod;
    this.cachedShape = undefined;
  }

  /** The same pod as it will be once bound; shares what was worked out. */
  boundTo(nodeName: string): PodInfo {
    return new PodInfo({ ...this.pod, spec: { ...this.pod.spec!, nodeName } }, this);
  }

  get hasAffinity(): boolean {
    return (
      this.requiredAffinity.length > 0 ||
      this.requiredAntiAffinity.length > 0 ||
      this.preferredAffinity.length > 0 ||
      this.preferredAntiAffinity.length > 0
    );
  }

  /**
   * All that node-local plugins read of a pod, as a key: pods of one shape get the same answer from them on a node that did not change.
   * Whoever writes a plugin with `local` adds here what it reads.
   */
  get shape(): string {
    if (this.cachedShape === undefined) {
      const spec = this.pod.spec;
      const { requests, nonZero } = this;
      this.cachedShape = JSON.stringify([
        spec?.nodeName,
        spec?.nodeSelector,
        spec?.affinity?.nodeAffinity,
        spec?.tolerations,
        [requests.milliCpu, requests.memory, requests.ephemeralStorage, requests.scalar && [...requests.scalar]],
        [nonZero.milliCpu, nonZero.memory],
        this.hostPorts,
        spec?.containers.map((container) => container.image),
        spec?.initContainers?.map((container) => container.image),
      ]);
    }
    return this.cachedShape;
  }
}
