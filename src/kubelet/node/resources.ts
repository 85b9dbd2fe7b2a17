/** What a node has and what of it pods may ask for. upstream: pkg/kubelet/nodestatus/setters.go, pkg/kubelet/cm/node_container_manager_linux.go. */
import { parseQuantity, quantity } from '#machinery/quantity';
import type { KubeletOptions } from '../contract.ts';
import type { FilesystemUse, Machine } from './machine.ts';

export interface NodeResources {
  capacity: Record<string, string>;
  allocatable: Record<string, string>;
}

/** A threshold in bytes: a quantity, or a percentage of `whole`. */
export function thresholdBytes(threshold: string | undefined, whole: number): number {
  if (!threshold) return 0;
  return threshold.endsWith('%') ? Math.trunc((whole * Number(threshold.slice(0, -1))) / 100) : parseQuantity(threshold).value();
}

export const defaultThresholds = {
  'memory.available': '100Mi',
  'nodefs.available': '10%',
  'nodefs.inodesFree': '5%',
  'imagefs.available': '15%',
};

export function nodeResources(machine: Machine, disk: FilesystemUse | undefined, options: KubeletOptions): NodeResources {
  const capacity: Record<string, string> = {
    cpu: String(machine.cpus),
    memory: quantity(machine.memoryBytes, 'BinarySI').toString(),
    'ephemeral-storage': quantity(disk?.capacityBytes ?? 100 * 2 ** 30, 'BinarySI').toString(),
    pods: String(options.maxPods ?? 110),
  };
  for (const [size, bytes] of machine.hugepages) capacity[`hugepages-${size}`] = quantity(bytes, 'BinarySI').toString();
  Object.assign(capacity, options.capacity);

  const thresholds = { ...defaultThresholds, ...options.evictionHard };
  const allocatable: Record<string, string> = {};
  for (const [name, whole] of Object.entries(capacity)) {
    let left = parseQuantity(whole);
    for (const reserved of [options.systemReserved?.[name], options.kubeReserved?.[name]])
      if (reserved) left = left.sub(parseQuantity(reserved));
    if (name === 'memory' && !options.simulated) left = left.sub(quantity(thresholdBytes(thresholds['memory.available'], left.value())));
    if (name === 'ephemeral-storage' && !options.simulated) {
      const bytes = parseQuantity(whole).value();
      left = quantity(left.value() - thresholdBytes(thresholds['nodefs.available'], bytes));
    }
    allocatable[name] = left.sign() < 0 ? '0' : left.toString();
  }
  // Memory in huge pages is not there for anything else.
  const pages = [...machine.hugepages.values()].reduce((sum, bytes) => sum + bytes, 0);
  if (pages && !options.capacity?.['memory']) allocatable['memory'] = parseQuantity(allocatable['memory']!).sub(quantity(pages)).toString();
  return { capacity, allocatable };
}
