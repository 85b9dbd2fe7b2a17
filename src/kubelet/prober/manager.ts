import type { Container, ContainerStatus, Pod, PodStatus } from '#api';
import type { ProbeResult } from '../pod-runtime/actions.ts';
import { containersOf, initContainersOf, isSidecar, uidOf } from '../pod-spec.ts';
import { ProbeResults } from './results.ts';
import type { ProbeType, WorkerDependencies } from './worker.ts';
import { ProbeWorker } from './worker.ts';

interface Watched {
  pod: Pod;
  workers: Map<string, ProbeWorker>;
}

const probes: [ProbeType, 'startupProbe' | 'livenessProbe' | 'readinessProbe'][] = [
  ['startup', 'startupProbe'],
  ['readiness', 'readinessProbe'],
  ['liveness', 'livenessProbe'],
];

/** Runs the probes of the node's pods and answers what they say. upstream: pkg/kubelet/prober/prober_manager.go. */
export class ProbeManager {
  readonly #deps: WorkerDependencies;
  readonly #pods = new Map<string, Watched>();
  readonly #owners = new Map<string, string>();

  /** `changed` is called with the pod's uid when a result does. */
  constructor(deps: Omit<WorkerDependencies, 'results'>, changed: (uid: string, type: ProbeType, result: ProbeResult) => void) {
    const results = new ProbeResults((id, type, result) => {
      const uid = this.#owners.get(id);
      if (uid !== undefined) changed(uid, type, result);
    });
    this.#deps = { ...deps, results };
  }

  /** Makes a worker for every probe of the pod; those there already go on. */
  add(pod: Pod): void {
    const uid = uidOf(pod);
    const watched = this.#pods.get(uid) ?? { pod, workers: new Map<string, ProbeWorker>() };
    watched.pod = pod;
    const containers: Container[] = [...containersOf(pod), ...initContainersOf(pod).filter(isSidecar)];
    for (const container of containers)
      for (const [type, field] of probes) {
        const probe = container[field];
        const key = `${container.name}/${type}`;
        if (probe && !watched.workers.has(key)) watched.workers.set(key, new ProbeWorker(type, pod, container, probe, this.#deps));
      }
    this.#pods.set(uid, watched);
  }

  /** Shows the workers the pod's present status. */
  observe(pod: Pod, status: PodStatus): void {
    const watched = this.#pods.get(uidOf(pod));
    if (!watched?.workers.size) return;
    for (const { containerID } of [...(status.containerStatuses ?? []), ...(status.initContainerStatuses ?? [])])
      if (containerID) this.#owners.set(containerID.replace(/^.*:\/\//, ''), uidOf(pod));
    for (const worker of watched.workers.values()) worker.observe(pod, status);
  }

  stopLivenessAndStartup(pod: Pod): void {
    for (const worker of this.#pods.get(uidOf(pod))?.workers.values() ?? []) if (worker.type !== 'readiness') worker.stop();
  }

  remove(uid: string): void {
    const watched = this.#pods.get(uid);
    if (!watched) return;
    for (const worker of watched.workers.values()) worker.dispose();
    this.#pods.delete(uid);
    for (const [id, owner] of this.#owners) if (owner === uid) this.#owners.delete(id);
  }

  stop(): void {
    for (const { workers } of this.#pods.values()) for (const worker of workers.values()) worker.stop();
    this.#pods.clear();
  }

  result(containerId: string, type: ProbeType): ProbeResult | undefined {
    return this.#deps.results.get(containerId, type);
  }

  #started(status: ContainerStatus, container: Container | undefined): boolean {
    if (!status.state?.running) return false;
    const result = this.result(status.containerID?.replace(/^.*:\/\//, '') ?? '', 'startup');
    if (result) return result === 'success';
    return status.started === true || !container?.startupProbe;
  }

  #ready(status: ContainerStatus, before: ContainerStatus | undefined, container: Container | undefined): boolean {
    if (!status.state?.running) return false;
    const result = this.result(status.containerID?.replace(/^.*:\/\//, '') ?? '', 'readiness');
    if (result) return result === 'success';
    if (!container?.readinessProbe) return true;
    // Not asked yet: after a restart of the kubelet what was ready stays so.
    return before?.ready === true && before.containerID === status.containerID;
  }

  /** Sets ready and started. Changes `status`. upstream: UpdatePodStatus. */
  apply(pod: Pod, status: PodStatus, old: PodStatus): void {
    for (const container of status.containerStatuses ?? []) {
      const before = old.containerStatuses?.find(({ name }) => name === container.name);
      const spec = containersOf(pod).find(({ name }) => name === container.name);
      container.started = this.#started(container, spec);
      container.ready = container.started && this.#ready(container, before, spec);
    }
    for (const container of status.initContainerStatuses ?? []) {
      const spec = initContainersOf(pod).find(({ name }) => name === container.name);
      container.started = this.#started(container, spec);
      const before = old.initContainerStatuses?.find(({ name }) => name === container.name);
      if (spec && isSidecar(spec)) container.ready = container.started && this.#ready(container, before, spec);
      else container.ready = container.state?.terminated?.exitCode === 0;
    }
  }
}
