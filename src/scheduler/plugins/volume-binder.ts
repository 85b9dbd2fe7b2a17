/**
 * Which volumes a pod's claims would get on a node, and making it so. Volumes chosen for a pod that is not bound yet are taken (assumed)
 * until their informer says so. upstream: plugins/volumebinding/binder.go, component-helpers/storage/volume.
 */
import { CSIDriver, CSIStorageCapacity, PersistentVolume, PersistentVolumeClaim, Pod, StorageClass } from '#api';
import type { Node, Volume } from '#api';
import type { Client, Informer, Informers } from '#client';
import { draft, keyOf } from '#machinery/meta';
import { sleep } from '#machinery/clock';
import type { Clock } from '#machinery/clock';
import { nodeSelectorMatches } from '#machinery/selectors';
import { quantityValue } from '../resources.ts';
import { labelSelector } from '../selector.ts';

const bindCompleted = 'pv.kubernetes.io/bind-completed';
const boundByController = 'pv.kubernetes.io/bound-by-controller';
export const selectedNodeAnnotation = 'volume.kubernetes.io/selected-node';
const noProvisioner = 'kubernetes.io/no-provisioner';

export const reasons = {
  nodeConflict: "node(s) didn't match PersistentVolume's node affinity",
  bindConflict: "node(s) didn't find available persistent volumes to bind",
  space: 'node(s) did not have enough free storage',
  missing: 'node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)',
};

/** What a pod's claims are at the start of a cycle. */
export interface PodClaims {
  bound: PersistentVolumeClaim[];
  /** To be bound when the pod's node is known. */
  delayed: PersistentVolumeClaim[];
  /** The volume controller's to bind, and not bound yet. */
  immediate: PersistentVolumeClaim[];
}

/** What has to be done for a pod on one node. */
export interface PodVolumes {
  static: { volume: PersistentVolume; claim: PersistentVolumeClaim }[];
  provision: PersistentVolumeClaim[];
}

/** The name of the claim behind a volume of a pod; undefined for volumes without one. */
export const claimNameOf = (pod: Pod, volume: Volume): string | undefined =>
  volume.persistentVolumeClaim?.claimName ?? (volume.ephemeral && `${pod.metadata?.name}-${volume.name}`);

export const classOf = (object: PersistentVolumeClaim | PersistentVolume): string =>
  object.metadata?.annotations?.['volume.beta.kubernetes.io/storage-class'] ?? object.spec?.storageClassName ?? '';

export function nodeAffinityFits(volume: PersistentVolume, node: Node): boolean {
  const required = volume.spec?.nodeAffinity?.required;
  return !required || nodeSelectorMatches(required, node);
}

const fullyBound = (claim: PersistentVolumeClaim): boolean =>
  Boolean(claim.spec?.volumeName) && claim.metadata?.annotations?.[bindCompleted] !== undefined;

const sizeOf = (claim: PersistentVolumeClaim): number => quantityValue(claim.spec?.resources?.requests?.['storage'] ?? 0);

function refersTo(volume: PersistentVolume, claim: PersistentVolumeClaim): boolean {
  const ref = volume.spec?.claimRef;
  if (!ref || ref.name !== claim.metadata?.name || ref.namespace !== claim.metadata?.namespace) return false;
  return !ref.uid || ref.uid === claim.metadata?.uid;
}

/** States that are on their way to the API: they count before the informer has them, and until it has seen something newer. */
class Assumed<T extends { metadata?: { resourceVersion?: string } }> {
  readonly #assumed = new Map<string, { object: T; over: T | undefined }>();
  readonly #current: (key: string) => T | undefined;

  constructor(current: (key: string) => T | undefined) {
    this.#current = current;
  }

  get(key: string): T | undefined {
    const now = this.#current(key);
    const entry = this.#assumed.get(key);
    if (!entry) return now;
    if (now === entry.over) return entry.object;
    this.#assumed.delete(key);
    return now;
  }

  assume(key: string, object: T): void {
    this.#assumed.set(key, { object, over: this.#current(key) });
  }

  restore(key: string): void {
    this.#assumed.delete(key);
  }
}

export class VolumeBinder {
  readonly #client: Client;
  readonly #clock: Clock;
  readonly #claims: Informer<PersistentVolumeClaim>;
  readonly #volumes: Informer<PersistentVolume>;
  readonly #classes: Informer<StorageClass>;
  readonly #drivers: Informer<CSIDriver>;
  readonly #capacities: Informer<CSIStorageCapacity>;
  readonly #pods: Informer<Pod>;
  readonly #assumedClaims: Assumed<PersistentVolumeClaim>;
  readonly #assumedVolumes: Assumed<PersistentVolume>;

  constructor(client: Client, informers: Informers, clock: Clock) {
    this.#client = client;
    this.#clock = clock;
    this.#claims = informers.for(PersistentVolumeClaim);
    this.#volumes = informers.for(PersistentVolume);
    this.#classes = informers.for(StorageClass);
    this.#drivers = informers.for(CSIDriver);
    this.#capacities = informers.for(CSIStorageCapacity);
    this.#pods = informers.for(Pod);
    this.#assumedClaims = new Assumed((key) => this.#claims.get(key));
    this.#assumedVolumes = new Assumed((key) => this.#volumes.get(key));
  }

  claim(key: string): PersistentVolumeClaim | undefined {
    return this.#assumedClaims.get(key);
  }

  volume(name: string): PersistentVolume | undefined {
    return this.#assumedVolumes.get(name);
  }

  storageClass(name: string): StorageClass | undefined {
    return this.#classes.get(name);
  }

  /** Sorts a pod's claims, or says in words why the pod cannot be scheduled whatever the node. Undefined: it has none. */
  claimsOf(pod: Pod): PodClaims | string | undefined {
    const result: PodClaims = { bound: [], delayed: [], immediate: [] };
    let any = false;
    for (const volume of pod.spec?.volumes ?? []) {
      const name = claimNameOf(pod, volume);
      if (name === undefined) continue;
      any = true;
      const claim = this.claim(`${pod.metadata?.namespace}/${name}`);
      if (!claim)
        return volume.ephemeral
          ? `waiting for ephemeral volume controller to create the persistentvolumeclaim "${name}"`
          : `persistentvolumeclaim "${name}" not found`;
      if (claim.status?.phase === 'Lost')
        return `persistentvolumeclaim "${name}" bound to non-existent persistentvolume "${claim.spec?.volumeName ?? ''}"`;
      if (claim.metadata?.deletionTimestamp) return `persistentvolumeclaim "${name}" is being deleted`;
      if (volume.ephemeral && !claim.metadata?.ownerReferences?.some((owner) => owner.controller && owner.uid === pod.metadata?.uid))
        return `PVC ${keyOf(claim)} was not created for pod ${keyOf(pod)} (pod is not owner)`;
      if (fullyBound(claim)) result.bound.push(claim);
      else if (!claim.spec?.volumeName && this.#delays(claim)) result.delayed.push(claim);
      else result.immediate.push(claim);
    }
    return any ? result : undefined;
  }

  /** What is to be done on this node, or why it will not do. */
  find(claims: PodClaims, node: Node): PodVolumes | string[] {
    const conflicts: string[] = [];
    for (const claim of claims.bound) {
      const volume = this.volume(claim.spec!.volumeName!);
      if (!volume) conflicts.push(reasons.missing);
      else if (!nodeAffinityFits(volume, node)) conflicts.push(reasons.nodeConflict);
    }
    const result: PodVolumes = { static: [], provision: [] };
    const taken = new Set<string>();
    for (const claim of claims.delayed.toSorted((a, b) => sizeOf(a) - sizeOf(b))) {
      const selected = claim.metadata?.annotations?.[selectedNodeAnnotation];
      if (selected !== undefined && selected !== node.metadata?.name) return [...new Set([...conflicts, reasons.bindConflict])];
      const volume = selected === undefined ? this.#match(claim, node, taken) : undefined;
      if (volume) {
        taken.add(volume.metadata!.name!);
        result.static.push({ volume, claim });
        continue;
      }
      const why = this.#cannotProvision(claim, node);
      if (why !== undefined) conflicts.push(why);
      else result.provision.push(claim);
    }
    return conflicts.length ? [...new Set(conflicts)] : result;
  }

  /** Takes what was found; answers false when there is nothing to do. */
  assume(found: PodVolumes, nodeName: string): boolean {
    for (const entry of found.static) {
      const volume = draft(entry.volume);
      const { namespace = '', name = '', uid, resourceVersion } = entry.claim.metadata ?? {};
      volume.spec!.claimRef = {
        kind: 'PersistentVolumeClaim',
        apiVersion: 'v1',
        namespace,
        name,
        ...(uid !== undefined && { uid }),
        ...(resourceVersion !== undefined && { resourceVersion }),
      };
      // A volume that its maker reserved for the claim keeps that mark when it is released.
      if (!entry.volume.spec?.claimRef) volume.metadata!.annotations = { ...volume.metadata!.annotations, [boundByController]: 'yes' };
      this.#assumedVolumes.assume(keyOf(volume), volume);
      entry.volume = volume;
    }
    found.provision = found.provision.map((claim) => {
      const copy = draft(claim);
      copy.metadata!.annotations = { ...copy.metadata!.annotations, [selectedNodeAnnotation]: nodeName };
      this.#assumedClaims.assume(keyOf(copy), copy);
      return copy;
    });
    return found.static.length > 0 || found.provision.length > 0;
  }

  revert(found: PodVolumes): void {
    for (const { volume } of found.static) this.#assumedVolumes.restore(keyOf(volume));
    for (const claim of found.provision) this.#assumedClaims.restore(keyOf(claim));
  }

  /** Stores what was assumed, and waits until every claim is bound. Rejects when that cannot be any more, or takes too long. */
  async bind(pod: Pod, node: Node, found: PodVolumes, timeout: number, signal: AbortSignal): Promise<void> {
    for (const { volume } of found.static) await this.#client.update(PersistentVolume, volume);
    for (const claim of found.provision) await this.#client.update(PersistentVolumeClaim, claim);
    const claims = [...found.static.map((entry) => entry.claim), ...found.provision].map(keyOf);
    const ended = new AbortController();
    const stop = AbortSignal.any([ended.signal, signal]);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const look = (): void => {
      try {
        if (this.#done(pod, node, claims, found.provision)) resolve();
      } catch (error) {
        reject(error as Error);
      }
    };
    const handler = { added: look, updated: look, deleted: look };
    const subscriptions = [this.#claims.on(handler), this.#volumes.on(handler), this.#pods.on({ deleted: look })];
    const late = sleep(this.#clock, timeout, stop).then(
      () => reject(new Error('binding volumes: context deadline exceeded')),
      () => {
        // Aborted: by the end of the wait, or because the scheduler stops.
        if (signal.aborted) reject(signal.reason as Error);
      },
    );
    try {
      look();
      await promise;
    } finally {
      for (const subscription of subscriptions) subscription[Symbol.dispose]();
      ended.abort();
      await late;
    }
  }

  #done(pod: Pod, node: Node, claims: readonly string[], provisioned: readonly PersistentVolumeClaim[]): boolean {
    const current = this.#pods.get(keyOf(pod));
    if (!current || current.metadata?.uid !== pod.metadata?.uid) throw new Error('pod does not exist any more');
    const selecting = new Set(provisioned.map(keyOf));
    let all = true;
    for (const key of claims) {
      const claim = this.#claims.get(key);
      if (!claim) throw new Error(`persistentvolumeclaim "${key}" not found`);
      const assumed = this.#assumedClaims.get(key);
      if (selecting.has(key) && assumed === claim && claim.metadata?.annotations?.[selectedNodeAnnotation] !== node.metadata?.name)
        throw new Error(`provisioning failed for PVC "${claim.metadata?.name}"`);
      const volume = claim.spec?.volumeName ? this.#volumes.get(claim.spec.volumeName) : undefined;
      if (volume && !nodeAffinityFits(volume, node))
        throw new Error(`pv "${volume.metadata?.name}" node affinity doesn't match node "${node.metadata?.name}"`);
      if (!fullyBound(claim)) all = false;
    }
    return all;
  }

  #delays(claim: PersistentVolumeClaim): boolean {
    return this.#classes.get(classOf(claim))?.volumeBindingMode === 'WaitForFirstConsumer';
  }

  /** The volume reserved for the claim, or the smallest that will do. */
  #match(claim: PersistentVolumeClaim, node: Node, taken: ReadonlySet<string>): PersistentVolume | undefined {
    const wanted = sizeOf(claim);
    const selector = claim.spec?.selector && labelSelector(claim.spec.selector);
    let best: PersistentVolume | undefined;
    for (const { metadata } of this.#volumes.list()) {
      const volume = this.volume(metadata!.name!)!;
      const { spec, status } = volume;
      if (taken.has(metadata!.name!) || classOf(volume) !== classOf(claim) || volume.metadata?.deletionTimestamp) continue;
      if (spec?.claimRef && !refersTo(volume, claim)) continue;
      const size = quantityValue(spec?.capacity?.['storage'] ?? 0);
      if (size < wanted || (spec?.volumeMode ?? 'Filesystem') !== (claim.spec?.volumeMode ?? 'Filesystem')) continue;
      if ((spec?.volumeAttributesClassName ?? '') !== (claim.spec?.volumeAttributesClassName ?? '')) continue;
      const near = nodeAffinityFits(volume, node);
      if (spec?.claimRef) return near ? volume : undefined;
      if (!near || status?.phase !== 'Available') continue;
      if (selector && !selector.matches(volume.metadata?.labels)) continue;
      if (!(claim.spec?.accessModes ?? []).every((mode) => spec?.accessModes?.includes(mode))) continue;
      if (!best || size < quantityValue(best.spec?.capacity?.['storage'] ?? 0)) best = volume;
    }
    return best;
  }

  #cannotProvision(claim: PersistentVolumeClaim, node: Node): string | undefined {
    const storageClass = this.#classes.get(classOf(claim));
    if (!storageClass?.provisioner || storageClass.provisioner === noProvisioner) return reasons.bindConflict;
    const topologies = storageClass.allowedTopologies;
    const labels = node.metadata?.labels ?? {};
    const allowed =
      !topologies?.length ||
      topologies.some((term) => (term.matchLabelExpressions ?? []).every(({ key, values }) => values.includes(labels[key] ?? '')));
    if (!allowed) return reasons.bindConflict;
    return this.#enoughSpace(claim, storageClass, node) ? undefined : reasons.space;
  }

  #enoughSpace(claim: PersistentVolumeClaim, storageClass: StorageClass, node: Node): boolean {
    const size = claim.spec?.resources?.requests?.['storage'];
    if (size === undefined || !this.#drivers.get(storageClass.provisioner)?.spec?.storageCapacity) return true;
    return this.#capacities.list().some((capacity) => {
      const limit = capacity.maximumVolumeSize ?? capacity.capacity;
      return (
        capacity.storageClassName === storageClass.metadata?.name &&
        limit !== undefined &&
        quantityValue(limit) >= quantityValue(size) &&
        labelSelector(capacity.nodeTopology).matches(node.metadata?.labels)
      );
    });
  }
}
