import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Container, Pod, VolumeMount } from '#api';
import type { Random } from '#machinery/clock';
import type { Device, Mount, MountPropagation } from '#runtime';
import { isHostNetwork, uidOf } from '../pod-spec.ts';
import type { MountedVolume } from '../volumes/contract.ts';
import type { Mounter } from '../volumes/mounter.ts';
import { bindSubpath, makeSubpath } from '../volumes/subpath.ts';
import { expand } from './expansion.ts';
import { hostsFile } from './hosts-file.ts';
import { containerDirectory, hostsPath, podDirectory, subpathDirectory } from './paths.ts';

export interface MountSource {
  rootDirectory: string;
  clusterDomain: string;
  mounter: Mounter;
  random: Random;
  podIps: readonly string[];
  volumes: ReadonlyMap<string, MountedVolume>;
  environment: ReadonlyMap<string, string>;
  /** The runtime can make mounts below a read-only mount read-only. */
  recursiveReadOnly: boolean;
  simulated: boolean;
}

const propagations: Record<string, MountPropagation> = {
  None: 'PROPAGATION_PRIVATE',
  HostToContainer: 'PROPAGATION_HOST_TO_CONTAINER',
  Bidirectional: 'PROPAGATION_BIDIRECTIONAL',
};

function recursive(mount: VolumeMount, supported: boolean): boolean {
  const mode = mount.recursiveReadOnly ?? 'Disabled';
  if (mode === 'Disabled') return false;
  if (!mount.readOnly)
    throw new Error(
      `failed to resolve recursive read-only mode: volume "${mount.name}" requested recursive read-only mode, but it is not read-only`,
    );
  if (mode === 'IfPossible') return supported;
  if (!supported)
    throw new Error(
      `failed to resolve recursive read-only mode: volume "${mount.name}" requested recursive read-only mode, but it is not supported by the runtime`,
    );
  return true;
}

function subpathOf(mount: VolumeMount, environment: ReadonlyMap<string, string>): string {
  if (!mount.subPathExpr) return mount.subPath ?? '';
  const missing = new Set<string>();
  const text = expand(mount.subPathExpr, (name) => {
    const value = environment.get(name);
    if (value === undefined) missing.add(name);
    return value;
  });
  if (missing.size) throw new Error(`missing value for ${[...missing].map((name) => JSON.stringify(name)).join(', ')}`);
  return text;
}

const absolute = (containerPath: string): string => (path.isAbsolute(containerPath) ? containerPath : `/${containerPath}`);

/** Every mount of a container, made ready on the node. Rejects with upstream's text. upstream: kubelet_pods.go makeMounts. */
export async function containerMounts(pod: Pod, container: Container, source: MountSource): Promise<Mount[]> {
  const mounts: Mount[] = [];
  const uid = uidOf(pod);
  let ownHosts = source.podIps.length > 0 || isHostNetwork(pod);
  for (const [index, mount] of (container.volumeMounts ?? []).entries()) {
    if (mount.mountPath === '/etc/hosts') ownHosts = false;
    const volume = source.volumes.get(mount.name);
    if (!volume) throw new Error(`cannot find volume "${mount.name}" to mount into container "${container.name}"`);
    const subpath = subpathOf(mount, source.environment);
    if (subpath && path.isAbsolute(subpath)) throw new Error(`error SubPath \`${subpath}\` must not be an absolute path`);
    if (subpath.split('/').includes('..')) throw new Error(`unable to provision SubPath \`${subpath}\`: must not contain '..'`);
    let hostPath = volume.path;
    if (subpath && !volume.image && !source.simulated) {
      const target = subpathDirectory(source.rootDirectory, uid, mount.name, container.name, index);
      try {
        await makeSubpath(volume.path, subpath);
      } catch (error) {
        throw new Error(`failed to create subPath directory for volumeMount "${mount.name}" of container "${container.name}"`, {
          cause: error,
        });
      }
      try {
        hostPath = await bindSubpath(volume.path, subpath, target, source.mounter);
      } catch (error) {
        throw new Error(`failed to prepare subPath for volumeMount "${mount.name}" of container "${container.name}"`, { cause: error });
      }
    }
    const recursiveReadOnly = recursive(mount, source.recursiveReadOnly);
    mounts.push({
      containerPath: absolute(mount.mountPath),
      ...(volume.image ? { image: volume.image, ...(subpath && { imageSubPath: subpath }) } : { hostPath }),
      readonly: mount.readOnly === true || volume.readOnly,
      propagation: propagations[mount.mountPropagation ?? 'None'] ?? 'PROPAGATION_PRIVATE',
      ...(recursiveReadOnly && { recursiveReadOnly }),
    });
  }
  if (source.simulated) return mounts;
  if (ownHosts) {
    const file = hostsPath(source.rootDirectory, uid);
    const hostFile = isHostNetwork(pod) ? await readFile('/etc/hosts', 'utf8').catch(() => '') : '';
    await mkdir(podDirectory(source.rootDirectory, uid), { recursive: true, mode: 0o750 });
    await writeFile(file, hostsFile(pod, source.podIps, source.clusterDomain, hostFile), { mode: 0o644 });
    await chmod(file, 0o644);
    mounts.push({ containerPath: '/etc/hosts', hostPath: file, propagation: 'PROPAGATION_PRIVATE' });
  }
  if (container.terminationMessagePath) {
    const directory = containerDirectory(source.rootDirectory, uid, container.name);
    await mkdir(directory, { recursive: true, mode: 0o750 });
    const file = path.join(directory, source.random.uuid().slice(0, 8));
    // Containers of any user write their last words here.
    await writeFile(file, '', { mode: 0o666 });
    await chmod(file, 0o666);
    mounts.push({ containerPath: absolute(container.terminationMessagePath), hostPath: file, propagation: 'PROPAGATION_PRIVATE' });
  }
  return mounts;
}

/** Volumes that a container gets as the devices they are. upstream: kubelet_pods.go makeBlockVolumes. */
export function containerDevices(container: Container, volumes: ReadonlyMap<string, MountedVolume>): Device[] {
  return (container.volumeDevices ?? []).map(({ name, devicePath }) => {
    const volume = volumes.get(name);
    if (!volume) throw new Error(`cannot find volume "${name}" to pass into container "${container.name}"`);
    if (!devicePath.startsWith('/')) throw new Error(`error DevicePath \`${devicePath}\` must be an absolute path`);
    return { hostPath: volume.path, containerPath: devicePath, permissions: volume.readOnly ? 'r' : 'mrw' };
  });
}
