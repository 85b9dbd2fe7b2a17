import type { ConfigMap, PersistentVolume, PersistentVolumeClaim, Pod, PodStatus, Secret, Volume } from '#api';
import type { Client } from '#client';
import type { Clock } from '#machinery/clock';
import type { Log } from '#machinery/log';
import type { ImageSpec } from '#runtime';
import type { Mounter } from './mounter.ts';

/** A volume that is set up on this node. */
export interface MountedVolume {
  /** The directory (or file) on the node; '' for an image volume. */
  path: string;
  /** Containers may only read it. */
  readOnly: boolean;
  /** Mounted by the runtime from an image. */
  image?: ImageSpec;
  /** Groups that containers get for it (the gid annotation of a PersistentVolume). */
  groups?: number[];
  /** The volume's files were written before containers of this pod started, and are renewed in place. */
  update?: true;
}

/** What plugins may use. */
export interface VolumeDependencies {
  client: Client;
  clock: Clock;
  log: Log;
  mounter: Mounter;
  rootDirectory: string;
  nodeName: string;
  nodeIps: readonly string[];
  /** Objects that pods name, kept current by watches. Undefined when there is none. */
  objects: ObjectSource;
  /** Tokens of service accounts, renewed in time. */
  tokens: TokenSource;
  allocatable(): { cpuMilli: number; memoryBytes: number; ephemeralStorageBytes: number };
  /** Addresses of a pod as last known; volumes may name them. */
  podStatus(uid: string): PodStatus | undefined;
  /** No file or mount is made. */
  simulated: boolean;
}

export interface ObjectSource {
  configMap(namespace: string, name: string): Promise<ConfigMap | undefined>;
  secret(namespace: string, name: string): Promise<Secret | undefined>;
  claim(namespace: string, name: string): Promise<PersistentVolumeClaim | undefined>;
  volume(name: string): Promise<PersistentVolume | undefined>;
}

export interface TokenSource {
  /** A token of the pod's service account; a cached one until four fifths of its life are over. */
  token(pod: Pod, audience: string, expirationSeconds: number): Promise<string>;
  /** Milliseconds since 1970 when the pod's next token is to be renewed; undefined for never. */
  nextRenewal(uid: string): number | undefined;
  forget(uid: string): void;
}

/**
 * A kind of volume. `setUp` is idempotent: it is called again whenever an object that the volume shows changed, and for volumes
 * of containers adopted after a restart. Rejects with the text that users see in the FailedMount event.
 */
export interface VolumePlugin {
  /** "kubernetes.io/empty-dir". */
  name: string;
  handles(volume: Volume): boolean;
  /** Its files must never reach a disk. */
  memory?: true;
  setUp(pod: Pod, volume: Volume, directory: string, deps: VolumeDependencies): Promise<MountedVolume>;
  /** Undoes what setUp did outside of `directory`; the directory itself is removed by the caller. Must work without the pod. */
  tearDown?(directory: string, deps: VolumeDependencies): Promise<void>;
}
