/** Sums of what a pod asks for. upstream: component-helpers/resource/helpers.go. */
import type { Container, Pod } from '#api';
import type { Quantity } from '#machinery/quantity';
import { parseQuantity } from '#machinery/quantity';
import { containersOf, initContainersOf, isSidecar, specOf } from './pod-spec.ts';

export type Amounts = Map<string, Quantity>;
type Resources = Record<string, string | number> | undefined;

function add(into: Amounts, amounts: Iterable<[string, Quantity]>): void {
  for (const [name, amount] of amounts) into.set(name, into.get(name)?.add(amount) ?? amount);
}

function raise(into: Amounts, amounts: Iterable<[string, Quantity]>): void {
  for (const [name, amount] of amounts) {
    const known = into.get(name);
    if (!known || known.compare(amount) < 0) into.set(name, amount);
  }
}

export const amountsOf = (resources: Resources): Amounts =>
  new Map(Object.entries(resources ?? {}).map(([name, amount]) => [name, parseQuantity(amount)]));

function aggregate(pod: Pod, pick: (container: Container) => Resources): Amounts {
  const sum: Amounts = new Map();
  for (const container of containersOf(pod)) add(sum, amountsOf(pick(container)));
  // Sidecars run beside everything after them; other init containers only beside the sidecars before them.
  const sidecars: Amounts = new Map();
  const peak: Amounts = new Map();
  for (const container of initContainersOf(pod)) {
    const amounts = amountsOf(pick(container));
    if (isSidecar(container)) {
      add(sum, amounts);
      add(sidecars, amounts);
      raise(peak, sidecars);
    } else {
      const together = new Map(amounts);
      for (const [name, amount] of sidecars) together.set(name, together.get(name)?.add(amount) ?? amount);
      raise(peak, together);
    }
  }
  raise(sum, peak);
  return sum;
}

const supportedAtPodLevel = (name: string): boolean => name === 'cpu' || name === 'memory' || name.startsWith('hugepages-');

/** What the pod asks for, its overhead included. */
export function podRequests(pod: Pod): Amounts {
  const sum = aggregate(pod, (container) => container.resources?.requests as Resources);
  for (const [name, amount] of amountsOf(specOf(pod).resources?.requests as Resources))
    if (supportedAtPodLevel(name)) sum.set(name, amount);
  add(sum, amountsOf(specOf(pod).overhead as Resources));
  return sum;
}

/** What the pod may use at most, its overhead included for what is limited. */
export function podLimits(pod: Pod): Amounts {
  const sum = aggregate(pod, (container) => container.resources?.limits as Resources);
  for (const [name, amount] of amountsOf(specOf(pod).resources?.limits as Resources)) if (supportedAtPodLevel(name)) sum.set(name, amount);
  for (const [name, amount] of amountsOf(specOf(pod).overhead as Resources)) {
    const known = sum.get(name);
    if (known) sum.set(name, known.add(amount));
  }
  return sum;
}
