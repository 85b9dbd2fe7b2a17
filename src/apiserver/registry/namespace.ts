/**
 * A Namespace goes in two steps: a delete marks it Terminating, and it is removed when its own finalizers (spec.finalizers: its content
 * is gone) and those of its metadata are empty. upstream: pkg/registry/core/namespace/storage/storage.go.
 */
import type { Namespace } from '#api';
import type { KubeObject } from '#machinery/meta';
import type { DeleteOptions } from './contract.ts';
import { checkStoredPreconditions, planDeletion } from './generic/deletion.ts';
import type { Plan } from './generic/deletion.ts';
import { GenericStorage } from './generic/storage.ts';

export class NamespaceStorage extends GenericStorage {
  protected override checkPreconditions(old: KubeObject, options: DeleteOptions): void {
    checkStoredPreconditions(old, options, this.resource);
  }

  protected override planDeletion(old: KubeObject, options: DeleteOptions): Plan {
    const { clock, traits } = this.parts;
    const now = clock.now();
    const plan = planDeletion(old, options, this.served.rules, traits, now);
    const namespace = (plan.object ?? old) as Namespace;
    const content = (old as Namespace).spec?.finalizers ?? [];
    if (content.length === 0) return plan;
    if (old.metadata?.deletionTimestamp) return { action: 'pending' };
    const meta = { ...namespace.metadata };
    meta.deletionTimestamp ??= `${new Date(now).toISOString().slice(0, 19)}Z`;
    delete meta.deletionGracePeriodSeconds;
    const object: Namespace = { ...namespace, metadata: meta, status: { ...namespace.status, phase: 'Terminating' } };
    return { action: 'update', object, removeAfter: false };
  }

  /** The namespace controller finalizes: with both lists empty the object goes. */
  protected override removedByUpdate(object: KubeObject, old: KubeObject): boolean {
    return (
      old.metadata?.deletionTimestamp !== undefined &&
      !object.metadata?.finalizers?.length &&
      !(object as Namespace).spec?.finalizers?.length
    );
  }
}
