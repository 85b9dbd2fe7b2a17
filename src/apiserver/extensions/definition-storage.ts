/**
 * A definition that is deleted first waits for its objects to go: the delete itself puts the finalizer on it.
 * upstream: apiextensions-apiserver/pkg/registry/customresourcedefinition/etcd.go.
 */
import type { CustomResourceDefinition } from '#api';
import type { KubeObject } from '#machinery/meta';
import type { FieldError } from '#machinery/status';
import type { DeleteOptions } from '../registry/contract.ts';
import { checkStoredPreconditions } from '../registry/generic/deletion.ts';
import type { Plan } from '../registry/generic/deletion.ts';
import { GenericStorage } from '../registry/generic/storage.ts';
import type { StorageParts } from '../registry/generic/storage.ts';
import { withCondition } from './conditions.ts';

export const cleanupFinalizer = 'customresourcecleanup.apiextensions.k8s.io';

/** Needs what custom resources themselves are checked with. */
async function validateLater(definition: KubeObject, old?: KubeObject): Promise<FieldError[]> {
  const { checkDefinition } = await import('./definition-checks.ts');
  return checkDefinition(definition as CustomResourceDefinition, old as CustomResourceDefinition | undefined);
}

export class DefinitionStorage extends GenericStorage {
  constructor(parts: StorageParts) {
    super({ ...parts, served: { ...parts.served, rules: { ...parts.served.rules, validateLater } } });
  }

  protected override checkPreconditions(old: KubeObject, options: DeleteOptions): void {
    checkStoredPreconditions(old, options, this.resource);
  }

  protected override planDeletion(old: KubeObject, options: DeleteOptions): Plan {
    if (old.metadata?.deletionTimestamp) return super.planDeletion(old, options);
    const definition = old as CustomResourceDefinition;
    const now = this.parts.clock.now();
    const finalizers = definition.metadata?.finalizers ?? [];
    const object: CustomResourceDefinition = {
      ...definition,
      metadata: {
        ...definition.metadata,
        deletionTimestamp: `${new Date(now).toISOString().slice(0, 19)}Z`,
        finalizers: finalizers.includes(cleanupFinalizer) ? finalizers : [...finalizers, cleanupFinalizer],
      },
      status: {
        ...definition.status,
        conditions: withCondition(
          definition.status?.conditions,
          {
            type: 'Terminating',
            status: 'True',
            reason: 'InstanceDeletionPending',
            message: 'CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon',
          },
          now,
        ),
      },
    };
    return { action: 'update', object, removeAfter: false };
  }
}
