import type { Container, Pod } from '#api';
import type { ContainerConfig, Device, Mount, Signal } from '#runtime';
import { expand } from './expansion.ts';
import { containerAnnotations, containerLabels } from './labels.ts';
import type { MachineFacts } from './linux-resources.ts';
import { linuxResources } from './linux-resources.ts';
import { containerLogPath } from './paths.ts';
import type { SecuritySource } from './security-context.ts';
import { containerSecurityContext, verifyNonRoot } from './security-context.ts';

export interface ContainerSource extends SecuritySource {
  environment: ReadonlyMap<string, string>;
  mounts: Mount[];
  devices: Device[];
  /** What the runtime calls the image. */
  imageRef: string;
  restartCount: number;
  machine: MachineFacts;
  runtimeHandler: string;
  /** The container whose processes an ephemeral container sees. */
  targetId?: string;
}

/** Throws with upstream's text where the container must not be made. upstream: kuberuntime_container.go generateContainerConfig. */
export function containerConfig(pod: Pod, container: Container, source: ContainerSource): ContainerConfig {
  verifyNonRoot(pod, container, source.user);
  const lookup = (name: string): string | undefined => source.environment.get(name);
  const securityContext = containerSecurityContext(pod, container, source);
  if (source.targetId !== undefined && securityContext.namespaceOptions?.pid === 'CONTAINER')
    securityContext.namespaceOptions = { ...securityContext.namespaceOptions, pid: 'TARGET', targetId: source.targetId };
  const stopSignal = container.lifecycle?.stopSignal?.replaceAll('+', 'PLUS').replaceAll('-', 'MINUS') as Signal | undefined;
  return {
    metadata: { name: container.name, attempt: source.restartCount },
    image: {
      image: source.imageRef,
      userSpecifiedImage: container.image ?? '',
      ...(source.runtimeHandler && { runtimeHandler: source.runtimeHandler }),
    },
    command: (container.command ?? []).map((word) => expand(word, lookup)),
    args: (container.args ?? []).map((word) => expand(word, lookup)),
    workingDir: container.workingDir ?? '',
    envs: [...source.environment].map(([key, value]) => ({ key, value })),
    mounts: source.users
      ? source.mounts.map((mount) => ({ ...mount, uidMappings: source.users!.uids ?? [], gidMappings: source.users!.gids ?? [] }))
      : source.mounts,
    ...(source.devices.length && { devices: source.devices }),
    labels: containerLabels(pod, container),
    annotations: containerAnnotations(pod, container, source.restartCount),
    logPath: containerLogPath(container.name, source.restartCount),
    stdin: container.stdin === true,
    stdinOnce: container.stdinOnce === true,
    tty: container.tty === true,
    linux: { resources: linuxResources(pod, container, source.machine), securityContext },
    ...(stopSignal && { stopSignal }),
  };
}
