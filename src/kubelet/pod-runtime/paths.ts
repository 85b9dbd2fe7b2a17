/** Where things of pods lie on the node. They are upstream's paths, since tools read them. upstream: kubelet_getters.go, kuberuntime/helpers.go. */
import path from 'node:path';
import type { Pod } from '#api';
import { nameOf, namespaceOf, uidOf } from '../pod-spec.ts';

export const podDirectory = (root: string, uid: string): string => path.join(root, 'pods', uid);
export const podVolumesDirectory = (root: string, uid: string): string => path.join(podDirectory(root, uid), 'volumes');
/** `plugin` is "kubernetes.io/empty-dir", written with ~ for the slash. */
export const volumeDirectory = (root: string, uid: string, plugin: string, name: string): string =>
  path.join(podVolumesDirectory(root, uid), plugin.replaceAll('/', '~'), name);
export const containerDirectory = (root: string, uid: string, container: string): string =>
  path.join(podDirectory(root, uid), 'containers', container);
export const subpathDirectory = (root: string, uid: string, volume: string, container: string, index: number): string =>
  path.join(podDirectory(root, uid), 'volume-subpaths', volume, container, String(index));
export const hostsPath = (root: string, uid: string): string => path.join(podDirectory(root, uid), 'etc-hosts');

export const podLogDirectory = (root: string, pod: Pod): string => path.join(root, `${namespaceOf(pod)}_${nameOf(pod)}_${uidOf(pod)}`);
export const containerLogDirectory = (root: string, pod: Pod, container: string): string =>
  path.join(podLogDirectory(root, pod), container);
/** Relative to the pod's log directory. */
export const containerLogPath = (container: string, restart: number): string => path.join(container, `${restart}.log`);
