import type { ConfigMap, Kind, PersistentVolume, PersistentVolumeClaim, Pod, Secret } from '#api';
import { ConfigMap as ConfigMapKind, PersistentVolume as VolumeKind, PersistentVolumeClaim as ClaimKind, Secret as SecretKind } from '#api';
import type { Client, Informer, Informers } from '#client';
import { informersOver } from '#client';
import type { Clock, Random, Timer } from '#machinery/clock';
import type { Log } from '#machinery/log';
import type { KubeObject } from '#machinery/meta';
import { keyOf } from '#machinery/meta';
import { allContainers, nameOf, namespaceOf, specOf, uidOf } from '../pod-spec.ts';
import type { ObjectSource } from './contract.ts';

interface Watched {
  informer: Informer<KubeObject>;
  stop(): Promise<void>;
  users: Set<string>;
  /** Stops the watch a while after its last user. */
  expiry?: Timer;
}

export interface ObjectDependencies {
  client: Client;
  clock: Clock;
  random: Random;
  log: Log;
  /** Informers of whole kinds, where many nodes share one process and may see everything. */
  shared?: Informers;
}

/** How long an object stays watched without a pod that names it: the next pod of the namespace often names the same ones. */
const linger = 60_000;

/**
 * ConfigMaps, Secrets, claims and volumes that pods of this node name, each kept current by a watch of that one object, as the
 * node authorizer allows. upstream: pkg/kubelet/util/manager/watch_based_manager.go.
 */
export class ReferencedObjects implements ObjectSource {
  readonly #deps: ObjectDependencies;
  readonly #changed: (uid: string) => void;
  readonly #watched = new Map<string, Watched>();
  readonly #byPod = new Map<string, Set<string>>();
  #stopped = false;

  /** `changed` is called with the uid of every pod that uses an object that did. */
  constructor(deps: ObjectDependencies, changed: (uid: string) => void) {
    this.#deps = deps;
    this.#changed = changed;
  }

  #watch(kind: Kind, namespace: string, name: string, uid?: string): Watched {
    const key = `${kind.resource}/${namespace}/${name}`;
    let watched = this.#watched.get(key);
    if (!watched) {
      const own = this.#deps.shared ? undefined : informersOver(this.#deps.client, this.#deps);
      const informer = own
        ? own.for(kind, { ...(namespace && { namespace }), fieldSelector: `metadata.name=${name}` })
        : this.#deps.shared!.for(kind);
      const users = new Set<string>();
      const object = namespace ? `${namespace}/${name}` : name;
      const tell = (changed: KubeObject): void => {
        if (informer.hasSynced && keyOf(changed) === object) for (const user of users) this.#changed(user);
      };
      const subscription = informer.on({ added: tell, updated: tell, deleted: tell });
      const stop = async (): Promise<void> => {
        subscription[Symbol.dispose]();
        await own?.stop();
      };
      const made: Watched = { informer, stop, users };
      this.#watched.set(key, made);
      watched = made;
      if (uid === undefined) this.#expire(key, made);
    }
    if (uid !== undefined) {
      watched.expiry?.cancel();
      delete watched.expiry;
      watched.users.add(uid);
      const keys = this.#byPod.get(uid) ?? new Set();
      keys.add(key);
      this.#byPod.set(uid, keys);
    }
    return watched;
  }

  #expire(key: string, watched: Watched): void {
    watched.expiry?.cancel();
    if (this.#stopped) return;
    watched.expiry = this.#deps.clock.setTimeout(() => {
      if (watched.users.size || this.#watched.get(key) !== watched) return;
      this.#watched.delete(key);
      void watched.stop();
    }, linger);
  }

  async #get<T extends KubeObject>(kind: Kind<T>, namespace: string, name: string): Promise<T | undefined> {
    const watched = this.#watch(kind, namespace, name);
    await watched.informer.synced;
    return watched.informer.get(namespace ? `${namespace}/${name}` : name) as T | undefined;
  }

  configMap = (namespace: string, name: string): Promise<ConfigMap | undefined> => this.#get(ConfigMapKind, namespace, name);
  secret = (namespace: string, name: string): Promise<Secret | undefined> => this.#get(SecretKind, namespace, name);
  claim = (namespace: string, name: string): Promise<PersistentVolumeClaim | undefined> => this.#get(ClaimKind, namespace, name);
  volume = (name: string): Promise<PersistentVolume | undefined> => this.#get(VolumeKind, '', name);

  /** Watches what the pod names, from now on until `release`. */
  register(pod: Pod): void {
    const uid = uidOf(pod);
    const namespace = namespaceOf(pod);
    const configMap = (name: string | undefined): unknown => name && this.#watch(ConfigMapKind, namespace, name, uid);
    const secret = (name: string | undefined): unknown => name && this.#watch(SecretKind, namespace, name, uid);
    for (const container of allContainers(pod)) {
      for (const { configMapRef, secretRef } of container.envFrom ?? []) {
        configMap(configMapRef?.name);
        secret(secretRef?.name);
      }
      for (const { valueFrom } of container.env ?? []) {
        configMap(valueFrom?.configMapKeyRef?.name);
        secret(valueFrom?.secretKeyRef?.name);
      }
    }
    for (const { name } of specOf(pod).imagePullSecrets ?? []) secret(name);
    for (const volume of specOf(pod).volumes ?? []) {
      configMap(volume.configMap?.name);
      secret(volume.secret?.secretName);
      for (const source of volume.projected?.sources ?? []) {
        configMap(source.configMap?.name);
        secret(source.secret?.name);
      }
      const claim = volume.persistentVolumeClaim?.claimName ?? (volume.ephemeral ? `${nameOf(pod)}-${volume.name}` : undefined);
      if (claim) this.#watch(ClaimKind, namespace, claim, uid);
    }
  }

  release(uid: string): void {
    for (const key of this.#byPod.get(uid) ?? []) {
      const watched = this.#watched.get(key);
      watched?.users.delete(uid);
      if (watched && watched.users.size === 0) this.#expire(key, watched);
    }
    this.#byPod.delete(uid);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    const all = [...this.#watched.values()];
    this.#watched.clear();
    for (const { expiry } of all) expiry?.cancel();
    await Promise.all(all.map(({ stop }) => stop()));
  }
}
