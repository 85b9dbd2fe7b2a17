import { RuntimeClass } from '#api';
import type { Pod } from '#api';
import { draft, equal } from '#machinery/meta';
import { isNotFound } from '#machinery/status';
import type { AdmissionAttributes, AdmissionPluginFactory } from '../contract.ts';
import { forbid, isFor } from './attributes.ts';

type Toleration = NonNullable<NonNullable<Pod['spec']>['tolerations']>[number];

/** Whether `a` tolerates all that `b` does. upstream: pkg/util/tolerations isSuperset. */
function includes(a: Toleration, b: Toleration): boolean {
  if (equal(a, b)) return true;
  if (b.key !== a.key && (a.key || a.operator !== 'Exists')) return false;
  if (a.effect && b.effect !== a.effect) return false;
  if (a.effect === 'NoExecute' && a.tolerationSeconds !== undefined)
    if (b.tolerationSeconds === undefined || b.tolerationSeconds > a.tolerationSeconds) return false;
  if (a.operator === 'Exists') return true;
  return b.operator === 'Equal' && (a.value ?? '') === (b.value ?? '');
}

/** Both lists without what another toleration includes; of equal ones the first stays. */
function merge(first: readonly Toleration[], second: readonly Toleration[]): Toleration[] {
  const all = [...first, ...second];
  const merged: Toleration[] = [];
  for (const [index, item] of all.entries()) {
    if (merged.some((earlier) => includes(earlier, item))) continue;
    if (!all.slice(index + 1).some((later) => !equal(later, item) && includes(later, item))) merged.push(item);
  }
  return merged;
}

/** A runtime class's overhead and place are its pods'. upstream: plugin/pkg/admission/runtimeclass. */
export const runtimeClass: AdmissionPluginFactory = ({ client, informers }) => {
  const classes = informers.for(RuntimeClass);
  const find = async (attributes: AdmissionAttributes): Promise<RuntimeClass | undefined> => {
    const name = (attributes.object as Pod).spec?.runtimeClassName;
    if (name === undefined) return undefined;
    const known = classes.get(name);
    if (known) return known;
    return client.get(RuntimeClass, { name }).catch((error: unknown) => {
      if (isNotFound(error)) throw forbid(attributes, `pod rejected: RuntimeClass "${name}" not found`);
      throw error;
    });
  };
  return {
    name: 'RuntimeClass',
    handles: (attributes) => attributes.operation === 'CREATE' && isFor(attributes, '', 'pods'),
    async admit(attributes) {
      const found = await find(attributes);
      if (!found) return;
      const spec = (attributes.object as Pod).spec!;
      if (found.overhead) {
        const fixed = found.overhead.podFixed ?? {};
        if (Object.keys(spec.overhead ?? {}).length > 0 && !equal(fixed, spec.overhead))
          throw forbid(attributes, "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead");
        spec.overhead = { ...fixed };
      }
      if (!found.scheduling) return;
      const selector = { ...spec.nodeSelector };
      for (const [key, value] of Object.entries(found.scheduling.nodeSelector ?? {})) {
        if (selector[key] !== undefined && selector[key] !== value)
          throw forbid(
            attributes,
            `conflict: runtimeClass.scheduling.nodeSelector[${key}] = ${value}; pod.spec.nodeSelector[${key}] = ${selector[key]}`,
          );
        selector[key] = value;
      }
      if (Object.keys(selector).length > 0) spec.nodeSelector = selector;
      const tolerations = merge(spec.tolerations ?? [], draft(found.scheduling.tolerations ?? []));
      if (tolerations.length > 0) spec.tolerations = tolerations;
    },
    async validate(attributes) {
      const { overhead } = (attributes.object as Pod).spec!;
      const found = await find(attributes);
      if (found?.overhead) {
        if (!equal(found.overhead.podFixed ?? {}, overhead ?? {}))
          throw forbid(attributes, "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead");
      } else if (overhead !== undefined)
        throw forbid(attributes, 'pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead');
    },
  };
};
