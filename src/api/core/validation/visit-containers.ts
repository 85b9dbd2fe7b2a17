import type { Container, PodSpec } from '../../facts/types.ts';

/** Every container of a pod with its path: init containers first, ephemeral ones last. upstream: VisitContainersWithPath. */
export function* containersOf(spec: PodSpec, path: string): Generator<[Container, string]> {
  for (const field of ['initContainers', 'containers', 'ephemeralContainers'] as const) {
    const containers = spec[field] as Container[] | undefined;
    if (containers) for (let index = 0; index < containers.length; index++) yield [containers[index]!, `${path}.${field}[${index}]`];
  }
}
