import type { PersistentVolume, PersistentVolumeClaim, StorageClass } from '#api';
import { PersistentVolume as VolumeKind, PersistentVolumeClaim as ClaimKind, Pod as PodKind, StorageClass as ClassKind } from '#api';
import { equal, keyOf } from '#machinery/meta';
import { isNotFound } from '#machinery/status';
import type { ControllerContext, ControllerFactory } from '../contract.ts';
import { source } from '../contract.ts';
import { isPodTerminal } from '../pods.ts';
import { bestMatch, classOf, hasClass, isBoundTo, mismatch } from './matching.ts';
import { claimsUsedBy } from './protection.ts';

const bindCompleted = 'pv.kubernetes.io/bind-completed';
const boundByController = 'pv.kubernetes.io/bound-by-controller';
const provisionedBy = 'pv.kubernetes.io/provisioned-by';
const selectedNode = 'volume.kubernetes.io/selected-node';
const provisionerAnnotations = ['volume.kubernetes.io/storage-provisioner', 'volume.beta.kubernetes.io/storage-provisioner'];
const defaultClass = 'storageclass.kubernetes.io/is-default-class';

const claimPrefix = 'claim ';
const volumePrefix = 'volume ';

/** Keys of claims that wait for a volume of a class ("" : every class). */
const waiting = (context: ControllerContext, className?: string): string[] =>
  context
    .lister(ClaimKind)
    .list()
    .filter((claim) => !claim.metadata!.annotations?.[bindCompleted] && (className === undefined || classOf(claim) === className))
    .map((claim) => claimPrefix + keyOf(claim));

/** Binds claims and volumes to each other, and reclaims volumes whose claim is gone. upstream: pkg/controller/volume/persistentvolume. */
export const persistentVolumeBinderController: ControllerFactory = () => ({
  name: 'persistentvolume-binder-controller',
  serviceAccount: 'persistent-volume-binder',
  component: 'persistentvolume-controller',
  // Two claims must not take the same volume.
  workers: 1,
  watches: [
    source(ClaimKind, {
      keys: (claim) => [claimPrefix + keyOf(claim), ...(claim.spec?.volumeName ? [volumePrefix + claim.spec.volumeName] : [])],
      when: (claim, _old, event, context) => {
        if (event === 'deleted')
          for (const volume of context.lister(VolumeKind).byIndex('claim', keyOf(claim)))
            context.enqueue(volumePrefix + volume.metadata!.name);
        return true;
      },
    }),
    source(VolumeKind, {
      keys: (volume, context) => [
        volumePrefix + volume.metadata!.name!,
        ...(volume.spec?.claimRef ? [`${claimPrefix}${volume.spec.claimRef.namespace}/${volume.spec.claimRef.name}`] : []),
        ...context
          .lister(ClaimKind)
          .byIndex('volume', volume.metadata!.name!)
          .map((claim) => claimPrefix + keyOf(claim)),
        ...(volume.status?.phase === 'Available' ? waiting(context, classOf(volume)) : []),
      ],
    }),
    source(ClassKind, { keys: (_class, context) => waiting(context), when: (_class, _old, event) => event !== 'deleted' }),
  ],
  setup(context) {
    context.lister(ClaimKind).addIndex('volume', (claim) => (claim.spec?.volumeName ? [claim.spec.volumeName] : []));
    context.lister(PodKind).addIndex('claim', claimsUsedBy);
    context
      .lister(VolumeKind)
      .addIndex('claim', ({ spec }) => (spec?.claimRef ? [`${spec.claimRef.namespace}/${spec.claimRef.name}`] : []));
  },
  async reconcile(context, key) {
    const binder = new Binder(context);
    if (key.startsWith(claimPrefix)) {
      const claim = context.lister(ClaimKind).get(key.slice(claimPrefix.length));
      if (claim) await binder.syncClaim(claim);
      return;
    }
    const volume = context.lister(VolumeKind).get(key.slice(volumePrefix.length));
    if (volume) await binder.syncVolume(volume);
  },
});

class Binder {
  readonly #context: ControllerContext;

  constructor(context: ControllerContext) {
    this.#context = context;
  }

  #event(object: PersistentVolume | PersistentVolumeClaim, type: 'Normal' | 'Warning', reason: string, message: string): void {
    this.#context.events.event(object, type, reason, message);
  }

  async syncClaim(claim: PersistentVolumeClaim): Promise<void> {
    if (claim.metadata!.annotations?.[bindCompleted]) await this.#syncBoundClaim(claim);
    else if (claim.spec?.volumeName) await this.#syncNamedClaim(claim);
    else await this.#syncUnboundClaim(claim);
  }

  async #syncUnboundClaim(claim: PersistentVolumeClaim): Promise<void> {
    const storageClass = classOf(claim) ? this.#context.lister(ClassKind).get(classOf(claim)) : undefined;
    const delayed = storageClass?.volumeBindingMode === 'WaitForFirstConsumer';
    const volume = bestMatch(claim, this.#context.lister(VolumeKind).list(), delayed);
    if (volume) return this.#bind(volume, claim);
    if (!hasClass(claim) && (await this.#assignDefaultClass(claim))) return;
    if (delayed && !claim.metadata!.annotations?.[selectedNode]) this.#sayWhatIsWaitedFor(claim);
    else if (classOf(claim)) return this.#awaitProvisioner(claim, storageClass);
    else this.#event(claim, 'Normal', 'FailedBinding', 'no persistent volumes available for this claim and no storage class is set');
    await this.#setClaimStatus(claim, 'Pending');
  }

  #sayWhatIsWaitedFor(claim: PersistentVolumeClaim): void {
    const pods = this.#context
      .lister(PodKind)
      .byIndex('claim', keyOf(claim))
      .filter((pod) => !isPodTerminal(pod) && !pod.spec?.nodeName)
      .map((pod) => pod.metadata!.name!);
    if (pods.length === 0) this.#event(claim, 'Normal', 'WaitForFirstConsumer', 'waiting for first consumer to be created before binding');
    else
      this.#event(claim, 'Normal', 'WaitForPodScheduled', `waiting for pod${pods.length > 1 ? 's' : ''} ${pods.join(',')} to be scheduled`);
  }

  /** Claims of before there was a default class get it. */
  async #assignDefaultClass(claim: PersistentVolumeClaim): Promise<boolean> {
    const [newest] = this.#context
      .lister(ClassKind)
      .list()
      .filter((each: StorageClass) => each.metadata!.annotations?.[defaultClass] === 'true')
      .toSorted((a, b) => (a.metadata!.creationTimestamp! > b.metadata!.creationTimestamp! ? -1 : 1));
    if (!newest) return false;
    await this.#context.client.update(ClaimKind, { ...claim, spec: { ...claim.spec, storageClassName: newest.metadata!.name! } });
    return true;
  }

  /** Tells the class's provisioner, which runs elsewhere, that it is its turn. */
  async #awaitProvisioner(claim: PersistentVolumeClaim, storageClass: StorageClass | undefined): Promise<void> {
    if (!storageClass) {
      this.#event(claim, 'Warning', 'ProvisioningFailed', `storageclass.storage.k8s.io "${classOf(claim)}" not found`);
      return this.#setClaimStatus(claim, 'Pending');
    }
    const { provisioner } = storageClass;
    if (provisioner !== 'kubernetes.io/no-provisioner') {
      const annotations = { ...claim.metadata!.annotations };
      for (const name of provisionerAnnotations) annotations[name] = provisioner;
      if (!equal(annotations, claim.metadata!.annotations))
        await this.#context.client.update(ClaimKind, { ...claim, metadata: { ...claim.metadata, annotations } });
      this.#event(
        claim,
        'Normal',
        'ExternalProvisioning',
        `Waiting for a volume to be created either by the external provisioner '${provisioner}' or manually by the system administrator. If volume creation is delayed, please verify that the provisioner is running and correctly registered.`,
      );
    }
  }

  async #syncNamedClaim(claim: PersistentVolumeClaim): Promise<void> {
    const volume = this.#context.lister(VolumeKind).get(claim.spec!.volumeName!);
    if (!volume) return this.#setClaimStatus(claim, 'Pending');
    if (volume.spec?.claimRef) {
      if (isBoundTo(volume, claim)) return this.#bind(volume, claim);
      this.#event(claim, 'Warning', 'FailedBinding', `volume "${volume.metadata!.name}" already bound to a different claim.`);
      return this.#setClaimStatus(claim, 'Pending');
    }
    const why = mismatch(volume, claim);
    if (why === undefined) return this.#bind(volume, claim);
    this.#event(claim, 'Warning', 'VolumeMismatch', `Cannot bind to requested volume "${volume.metadata!.name}": ${why}`);
    await this.#setClaimStatus(claim, 'Pending');
  }

  async #syncBoundClaim(claim: PersistentVolumeClaim): Promise<void> {
    const lose = async (reason: string, message: string): Promise<void> => {
      if (claim.status?.phase === 'Lost') return;
      await this.#setClaimStatus(claim, 'Lost');
      this.#event(claim, 'Warning', reason, message);
    };
    if (!claim.spec?.volumeName)
      return lose('ClaimLost', 'Bound claim has lost reference to PersistentVolume. Data on the volume is lost!');
    const volume = this.#context.lister(VolumeKind).get(claim.spec.volumeName);
    if (!volume) return lose('ClaimLost', 'Bound claim has lost its PersistentVolume. Data on the volume is lost!');
    if (!volume.spec?.claimRef || volume.spec.claimRef.uid === claim.metadata!.uid) return this.#bind(volume, claim);
    return lose('ClaimMisbound', 'Two claims are bound to the same volume, this one is bound incorrectly');
  }

  /** Volume first, then the claim; each step is done again after a failure, and not when it is done. */
  async #bind(volume: PersistentVolume, claim: PersistentVolumeClaim): Promise<void> {
    const { client } = this.#context;
    const { name, namespace, uid, resourceVersion } = claim.metadata!;
    let bound = volume;
    if (volume.spec?.claimRef?.uid !== uid || !isBoundTo(volume, claim)) {
      const setAside = isBoundTo(volume, claim);
      const annotations = { ...volume.metadata!.annotations, ...(!setAside && { [boundByController]: 'yes' }) };
      const claimRef = {
        kind: 'PersistentVolumeClaim',
        namespace: namespace!,
        name: name!,
        uid: uid!,
        apiVersion: 'v1',
        resourceVersion: resourceVersion!,
      };
      bound = await client.update(VolumeKind, {
        ...volume,
        metadata: { ...volume.metadata, annotations },
        spec: { ...volume.spec, claimRef },
      });
    }
    bound = await this.#setPhase(bound, 'Bound');
    let next = claim;
    const named = claim.spec?.volumeName === volume.metadata!.name;
    if (!named || !claim.metadata!.annotations?.[bindCompleted]) {
      const annotations = { ...claim.metadata!.annotations, ...(!named && { [boundByController]: 'yes' }), [bindCompleted]: 'yes' };
      next = await client.update(ClaimKind, {
        ...claim,
        metadata: { ...claim.metadata, annotations },
        spec: { ...claim.spec, volumeName: volume.metadata!.name! },
      });
    }
    await this.#setClaimStatus(next, 'Bound', bound);
  }

  async #setClaimStatus(claim: PersistentVolumeClaim, phase: string, volume?: PersistentVolume): Promise<void> {
    const status = { ...claim.status, phase };
    if (volume) {
      status.accessModes = [...(volume.spec?.accessModes ?? [])];
      // A bound claim's size is the resizer's to change.
      if (claim.status?.phase !== 'Bound' || !claim.status.capacity) status.capacity = { ...volume.spec?.capacity };
      if (claim.status?.phase !== 'Bound' && volume.spec?.volumeAttributesClassName)
        status.currentVolumeAttributesClassName = volume.spec.volumeAttributesClassName;
    } else {
      delete status.accessModes;
      delete status.capacity;
      delete status.currentVolumeAttributesClassName;
    }
    if (equal(status, claim.status)) return;
    await this.#context.client.updateStatus(ClaimKind, { ...claim, status }).catch((error: unknown) => {
      if (!isNotFound(error)) throw error;
    });
  }

  async #setPhase(volume: PersistentVolume, phase: string, message = ''): Promise<PersistentVolume> {
    if (volume.status?.phase === phase) return volume;
    const { message: _, ...status } = volume.status ?? {};
    return this.#context.client.updateStatus(VolumeKind, { ...volume, status: { ...status, phase, ...(message && { message }) } });
  }

  async syncVolume(volume: PersistentVolume): Promise<void> {
    const reference = volume.spec?.claimRef;
    if (!reference?.uid) {
      await this.#setPhase(volume, 'Available');
      return;
    }
    const claim = await this.#claimOf(volume);
    if (!claim) {
      const released = volume.status?.phase === 'Released' || volume.status?.phase === 'Failed';
      await this.#reclaim(released ? volume : await this.#setPhase(volume, 'Released'));
      return;
    }
    if (!claim.spec?.volumeName) {
      this.#context.enqueue(claimPrefix + keyOf(claim));
      return;
    }
    if (claim.spec.volumeName === volume.metadata!.name) {
      await this.#setPhase(volume, 'Bound');
      return;
    }
    // The claim went to another volume.
    const annotations = volume.metadata!.annotations ?? {};
    if (annotations[provisionedBy] !== undefined && volume.spec!.persistentVolumeReclaimPolicy === 'Delete')
      await this.#reclaim(await this.#setPhase(volume, 'Released'));
    else await this.#unbind(volume);
  }

  /** The claim a volume is bound to: asked for where the cache does not have it, since data hangs on it. */
  async #claimOf(volume: PersistentVolume): Promise<PersistentVolumeClaim | undefined> {
    const { namespace, name, uid } = volume.spec!.claimRef!;
    const cached = this.#context.lister(ClaimKind).get(`${namespace}/${name}`);
    if (cached?.metadata!.uid === uid) return cached;
    try {
      const live = await this.#context.client.get(ClaimKind, { namespace: namespace!, name: name! });
      return live.metadata!.uid === uid ? live : undefined;
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
  }

  async #unbind(volume: PersistentVolume): Promise<void> {
    const { claimRef, ...spec } = volume.spec!;
    const { [boundByController]: byController, ...annotations } = volume.metadata!.annotations ?? {};
    const { uid: _, ...kept } = claimRef!;
    const next = await this.#context.client.update(VolumeKind, {
      ...volume,
      metadata: { ...volume.metadata, annotations },
      spec: byController === undefined ? { ...spec, claimRef: kept } : spec,
    });
    await this.#setPhase(next, 'Available');
  }

  /** What is to be deleted is its provisioner's to delete: there is none in this process. */
  async #reclaim(volume: PersistentVolume): Promise<void> {
    const { name, annotations } = volume.metadata!;
    const fail = async (reason: string, message: string): Promise<void> => {
      if (volume.status?.phase === 'Failed') return;
      await this.#setPhase(volume, 'Failed', message);
      this.#event(volume, 'Warning', reason, message);
    };
    switch (volume.spec!.persistentVolumeReclaimPolicy) {
      case 'Delete':
        if (annotations?.[provisionedBy] === undefined && !volume.spec!.csi)
          await fail('VolumeFailedDelete', `error getting deleter volume plugin for volume "${name}": no deletable volume plugin matched`);
        return;
      case 'Recycle':
        return fail('VolumeFailedRecycle', 'No recycler plugin found for the volume!');
      default:
    }
  }
}
