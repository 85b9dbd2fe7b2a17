import type { Kind, Pod } from '#api';
import { Pod as PodKind } from '#api';
import type { KubeObject } from '#machinery/meta';
import { draft } from '#machinery/meta';
import { isNotFound, isStatus, StatusError } from '#machinery/status';
import type { PodTemplateSpec } from './api-types.ts';
import type { ControllerContext } from './contract.ts';
import { controllerReference } from './owner.ts';

/** True for the refusal to create something in a namespace that is being deleted: there is no use in trying again, or in an event. */
export const isNamespaceTerminating = (error: unknown): boolean =>
  isStatus(error, 'Forbidden') && (error.status.details?.causes ?? []).some((cause) => cause.reason === 'NamespaceTerminating');

/** "web-"; without the dash where that makes the name too long. */
export const podNamePrefix = (name: string): string => (name.length + 1 > 253 ? name : `${name}-`);

/** The pod that a template describes. upstream: pkg/controller/controller_utils.go GetPodFromTemplate. */
export function podFromTemplate(template: PodTemplateSpec, owner: KubeObject, ownerKind: Kind): Pod {
  const { labels, annotations, finalizers } = template.metadata ?? {};
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      generateName: podNamePrefix(owner.metadata!.name!),
      namespace: owner.metadata!.namespace!,
      labels: { ...labels },
      ...(annotations && { annotations: { ...annotations } }),
      ...(finalizers && { finalizers: [...finalizers] }),
      ownerReferences: [controllerReference(ownerKind, owner)],
    },
    spec: draft(template.spec!),
  };
}

/** Creates a pod for `owner` and records it there. */
export async function createPod(context: ControllerContext, owner: KubeObject, pod: Pod): Promise<Pod> {
  try {
    const created = await context.client.create(PodKind, pod);
    context.events.event(owner, 'Normal', 'SuccessfulCreate', `Created pod: ${created.metadata!.name}`);
    return created;
  } catch (error) {
    if (!isNamespaceTerminating(error)) context.events.event(owner, 'Warning', 'FailedCreate', `Error creating: ${messageOf(error)}`);
    throw error;
  }
}

/** Deletes a pod of `owner` and records it there. A pod that is gone already is a NotFound. */
export async function deletePod(context: ControllerContext, owner: KubeObject, pod: Pod): Promise<void> {
  const { namespace, name } = pod.metadata!;
  try {
    await context.client.delete(PodKind, { namespace: namespace!, name: name! });
    context.events.event(owner, 'Normal', 'SuccessfulDelete', `Deleted pod: ${name}`);
  } catch (error) {
    if (!isNotFound(error)) context.events.event(owner, 'Warning', 'FailedDelete', `Error deleting: ${messageOf(error)}`);
    throw error;
  }
}

export const messageOf = (error: unknown): string =>
  error instanceof StatusError || error instanceof Error ? error.message : String(error);
