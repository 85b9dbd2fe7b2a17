/** Changing the resources of a running pod. upstream: ValidatePodResize. */
import { forbiddenField, invalidField } from '../../checks.ts';
import type { Errors } from '../../checks.ts';
import type { Container, Pod, ResourceRequirements } from '../../facts/types.ts';
import { same } from '../../same.ts';
import { isSidecar, qosClass } from '../resource-list.ts';
import type { ResourceList } from '../resource-list.ts';
import { mirrorAnnotation } from './pod-spec.ts';
import { checkPod } from './pod-update.ts';

const setsResources = (resources: ResourceRequirements | undefined): boolean =>
  Object.keys(resources?.requests ?? {}).length + Object.keys(resources?.limits ?? {}).length > 0;

export function validatePodResize(pod: Pod, old: Pod): Errors {
  if (old.metadata?.annotations?.[mirrorAnnotation] !== undefined) return [forbiddenField('', 'static pods cannot be resized')];
  if (old.spec?.os?.name === 'windows') return [forbiddenField('', 'windows pods cannot be resized')];
  const errors: Errors = [];
  const spec = pod.spec!;
  const before = old.spec!;
  checkPod(errors, pod, old);
  if ((old.status?.qosClass ?? qosClass(old)) !== qosClass(pod))
    errors.push(invalidField('spec', pod.status?.qosClass ?? '', 'Pod QOS Class may not change as a result of resizing'));
  const running = old.status?.containerStatuses?.find((status) => status.state?.running);
  if (running && !running.resources) errors.push(forbiddenField('spec', 'Pod running on node without support for resize'));
  if (setsResources(before.resources) || setsResources(spec.resources))
    errors.push(
      forbiddenField(
        '',
        'resize of pods with pod-level resources is forbidden when InPlacePodLevelResourcesVerticalScalingEnabled feature gate is disabled',
      ),
    );
  if (!checkOrder(errors, pod, old)) return errors;
  for (const field of ['initContainers', 'containers'] as const)
    for (const [index, container] of (before[field] ?? []).entries())
      if (field === 'containers' || isSidecar(container))
        checkRemoved(errors, `spec.${field}[${index}].resources`, spec[field]![index]!.resources, container.resources);
  const immutable = 'only cpu and memory resources are mutable';
  const containers = spec.containers.map((container, index) => withComputeOf(container, before.containers[index]!));
  for (const [index, container] of containers.entries())
    if (!same(container, before.containers[index])) errors.push(forbiddenField('spec', immutable));
  const initContainers = (spec.initContainers ?? []).map((container, index) => {
    const stored = before.initContainers![index]!;
    const munged = isSidecar(container) ? withComputeOf(container, stored) : container;
    if (!same(munged, stored))
      errors.push(
        forbiddenField(
          'spec',
          isSidecar(container)
            ? 'only cpu and memory resources for sidecar containers are mutable'
            : 'resources for non-sidecar init containers are immutable',
        ),
      );
    return munged;
  });
  if (errors.length === 0 && !same({ ...spec, containers, initContainers }, before)) errors.push(forbiddenField('spec', immutable));
  return errors;
}

function checkOrder(errors: Errors, pod: Pod, old: Pod): boolean {
  const before = errors.length;
  for (const field of ['containers', 'initContainers'] as const) {
    const containers = pod.spec?.[field] ?? [];
    const stored = old.spec?.[field] ?? [];
    if (containers.length !== stored.length) errors.push(forbiddenField(`spec.${field}`, `${field} may not be added or removed on resize`));
    else
      for (const [index, { name }] of stored.entries())
        if (containers[index]!.name !== name)
          errors.push(forbiddenField(`spec.${field}[${index}].name`, `${field} may not be renamed or reordered on resize`));
  }
  return errors.length === before;
}

const removed = (list: ResourceList = {}, old: ResourceList = {}): boolean => Object.keys(old).some((name) => list[name] === undefined);

function checkRemoved(
  errors: Errors,
  path: string,
  resources: ResourceRequirements | undefined,
  old: ResourceRequirements | undefined,
): void {
  if (removed(resources?.requests, old?.requests)) errors.push(forbiddenField(`${path}.requests`, 'resource requests cannot be removed'));
  if (removed(resources?.limits, old?.limits)) errors.push(forbiddenField(`${path}.limits`, 'resource limits cannot be removed'));
}

/** The container with the old amounts of cpu and memory. Upstream compares no claims and no resize policy beyond that. */
function withComputeOf(container: Container, old: Container): Container {
  const resources: ResourceRequirements = {};
  for (const list of ['requests', 'limits'] as const) {
    const amounts = { ...container.resources?.[list] };
    for (const name of ['cpu', 'memory']) {
      const stored = old.resources?.[list]?.[name];
      if (stored === undefined) delete amounts[name];
      else amounts[name] = stored;
    }
    if (Object.keys(amounts).length > 0) resources[list] = amounts;
  }
  return { ...container, resources };
}
