import type { Kind } from '#api';
import type { Informer } from '#client';
import type { KubeObject, OwnerReference } from '#machinery/meta';
import { controllerOf } from '#machinery/meta';

/** The reference that makes `owner` the controller of what carries it. upstream: metav1.NewControllerRef. */
export const controllerReference = (kind: Kind, owner: KubeObject): OwnerReference => ({
  apiVersion: kind.apiVersion,
  kind: kind.kind,
  name: owner.metadata!.name!,
  uid: owner.metadata!.uid!,
  controller: true,
  blockOwnerDeletion: true,
});

export const isControlledBy = (object: KubeObject, owner: KubeObject): boolean => controllerOf(object)?.uid === owner.metadata?.uid;

const controllerIndex = 'controllerUid';

/** Indexes objects by their controller's uid; those without one by "orphan:<namespace>". upstream: PodControllerIndex. */
export function indexByController<T extends KubeObject>(informer: Informer<T>): Informer<T> {
  informer.addIndex(controllerIndex, (object) => [controllerOf(object)?.uid ?? `orphan:${object.metadata?.namespace ?? ''}`]);
  return informer;
}

/** Objects controlled by `owner`; with `orphans`, also those of its namespace without a controller. */
export function controlledBy<T extends KubeObject>(informer: Informer<T>, owner: KubeObject, orphans = false): T[] {
  const own = informer.byIndex(controllerIndex, owner.metadata!.uid!);
  return orphans ? [...own, ...informer.byIndex(controllerIndex, `orphan:${owner.metadata?.namespace ?? ''}`)] : own;
}

/**
 * The keys of the owners of a kind that a change of `object` concerns: its controller, or, for one without, every owner whose selector matches.
 */
export function ownerKeys<O extends KubeObject>(
  object: KubeObject,
  kind: Kind<O>,
  owners: Informer<O>,
  matches: (owner: O) => boolean,
): string[] {
  const controller = controllerOf(object);
  const namespace = object.metadata?.namespace ?? '';
  if (controller) {
    if (controller.kind !== kind.kind || controller.apiVersion.split('/')[0] !== kind.apiVersion.split('/')[0]) return [];
    return [`${namespace}/${controller.name}`];
  }
  if (object.metadata?.deletionTimestamp) return [];
  return owners
    .list(namespace)
    .filter(matches)
    .map((owner) => `${namespace}/${owner.metadata!.name!}`);
}
