/**
 * Several pods for each of containerd's shims. A shim is two starts of a Go program and a process that stays; for a small pod that is more
 * than its containers cost. A shim serves whatever containers it is told of, and keeps those of one group together
 * (upstream: containerd runtime/v2/runc/manager groupLabels); the group is the id of the pod sandbox that was its first.
 * Groups are small, since the containers of a shim that is killed are lost with it, and nobody joins one from which somebody leaves:
 * a shim ends with its last container.
 */
import type { PodSandboxConfig, RuntimeService } from '../contract.ts';

export const groupAnnotation = 'io.containerd.runc.v2.group';

interface Group {
  /** The sandbox that was first, once it is there; undefined where it failed. */
  leader: Promise<string | undefined>;
  /** Sandboxes that nobody has asked to end. */
  readonly living: Set<string>;
  /** Sandboxes on their way into the group. */
  readonly joining: Set<Promise<unknown>>;
  places: number;
}

export class ShimGroups {
  readonly #size: number;
  /** The one that has places left. */
  #open: Group | undefined;
  readonly #ofSandbox = new Map<string, { group: Group; leader: string }>();

  constructor(size: number) {
    this.#size = size;
  }

  /** The service, with sandboxes put into groups. */
  watch(runtime: RuntimeService): RuntimeService {
    return {
      ...runtime,
      runPodSandbox: async (request, options) => {
        const run = (leader?: string): ReturnType<RuntimeService['runPodSandbox']> =>
          runtime.runPodSandbox({ ...request, ...(request.config && { config: inGroup(request.config, leader) }) }, options);
        return request.runtimeHandler ? run() : this.#run(run);
      },
      createContainer: (request, options) => {
        const { podSandboxId = '', sandboxConfig } = request;
        const config = sandboxConfig && inGroup(sandboxConfig, this.#ofSandbox.get(podSandboxId)?.leader);
        return runtime.createContainer({ ...request, ...(config && { sandboxConfig: config }) }, options);
      },
      stopPodSandbox: async (request, options) => {
        await this.#leaving(request.podSandboxId);
        return runtime.stopPodSandbox(request, options);
      },
      removePodSandbox: async (request, options) => {
        await this.#leaving(request.podSandboxId);
        this.#ofSandbox.delete(request.podSandboxId ?? '');
        return runtime.removePodSandbox(request, options);
      },
    };
  }

  async #run<Answer extends { podSandboxId?: string }>(run: (leader?: string) => Promise<Answer>): Promise<Answer> {
    for (;;) {
      const group = this.#open;
      if (!group) return this.#lead(run);
      if (--group.places === 0) this.#open = undefined;
      const leader = await group.leader;
      // Somebody has left meanwhile, or there never was anybody.
      if (leader === undefined || group.places < 0) continue;
      const joined = run(leader);
      group.joining.add(joined);
      try {
        const answer = await joined;
        this.#entered(group, leader, answer.podSandboxId ?? '');
        return answer;
      } finally {
        group.joining.delete(joined);
      }
    }
  }

  async #lead<Answer extends { podSandboxId?: string }>(run: () => Promise<Answer>): Promise<Answer> {
    const { promise, resolve } = Promise.withResolvers<string | undefined>();
    const group: Group = { leader: promise, living: new Set(), joining: new Set(), places: this.#size - 1 };
    if (group.places > 0) this.#open = group;
    try {
      const answer = await run();
      const id = answer.podSandboxId ?? '';
      this.#entered(group, id, id);
      resolve(id);
      return answer;
    } catch (error) {
      this.#close(group);
      resolve(undefined);
      throw error;
    }
  }

  #entered(group: Group, leader: string, id: string): void {
    group.living.add(id);
    this.#ofSandbox.set(id, { group, leader });
  }

  #close(group: Group): void {
    if (this.#open === group) this.#open = undefined;
    group.places = -1;
  }

  /** The last one stays until those are there who were told to join. */
  async #leaving(id = ''): Promise<void> {
    const group = this.#ofSandbox.get(id)?.group;
    if (!group) return;
    this.#close(group);
    group.living.delete(id);
    while (group.living.size === 0 && group.joining.size > 0) await Promise.allSettled(group.joining);
  }
}

/** A pod's own annotation of that name has no say. */
function inGroup(config: PodSandboxConfig, leader: string | undefined): PodSandboxConfig {
  const { [groupAnnotation]: _, ...others } = config.annotations ?? {};
  return { ...config, annotations: { ...others, ...(leader !== undefined && { [groupAnnotation]: leader }) } };
}
