import type { Endpoints } from '#api';

export type Subset = NonNullable<Endpoints['subsets']>[number];
type Address = NonNullable<Subset['addresses']>[number];
type Port = NonNullable<Subset['ports']>[number];

const addressKey = (address: Address): string => `${address.ip}|${address.targetRef?.uid ?? ''}`;
const portKey = ({ name = '', port, protocol = 'TCP', appProtocol = '' }: Port): string => `${name}/${port}/${protocol}/${appProtocol}`;

/**
 * The same addresses and ports in the canonical form: one subset for each set of ports, addresses and ports in order. An address that is ready
 * for a port is not listed as not ready for it. upstream: pkg/api/v1/endpoints RepackSubsets.
 */
export function repackSubsets(subsets: readonly Subset[]): Subset[] {
  const byAddress = new Map<string, { address: Address; ready: boolean; ports: Map<string, Port> }>();
  const note = (addresses: readonly Address[] | undefined, ports: readonly Port[], ready: boolean): void => {
    for (const address of addresses ?? []) {
      const key = `${addressKey(address)}|${ready}`;
      let entry = byAddress.get(key);
      if (!entry) byAddress.set(key, (entry = { address, ready, ports: new Map() }));
      for (const port of ports) entry.ports.set(portKey(port), port);
    }
  };
  for (const { addresses, notReadyAddresses, ports = [] } of subsets) {
    note(addresses, ports, true);
    note(notReadyAddresses, ports, false);
  }
  for (const entry of byAddress.values()) {
    const ready = entry.ready ? undefined : byAddress.get(`${addressKey(entry.address)}|true`);
    if (!ready) continue;
    const before = entry.ports.size;
    for (const key of ready.ports.keys()) entry.ports.delete(key);
    if (entry.ports.size === 0 && (before > 0 || ready.ports.size === 0)) byAddress.delete(`${addressKey(entry.address)}|false`);
  }
  const byPorts = new Map<string, Required<Subset>>();
  for (const { address, ready, ports } of byAddress.values()) {
    const sorted = [...ports].toSorted(([a], [b]) => (a < b ? -1 : 1));
    const key = sorted.map(([each]) => each).join(',');
    let subset = byPorts.get(key);
    if (!subset) byPorts.set(key, (subset = { addresses: [], notReadyAddresses: [], ports: sorted.map(([, port]) => port) }));
    (ready ? subset.addresses : subset.notReadyAddresses).push(address);
  }
  const order = (addresses: Address[]): Address[] => addresses.toSorted((a, b) => (addressKey(a) < addressKey(b) ? -1 : 1));
  return [...byPorts]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([, { addresses, notReadyAddresses, ports }]) => ({
      ...(addresses.length && { addresses: order(addresses) }),
      ...(notReadyAddresses.length && { notReadyAddresses: order(notReadyAddresses) }),
      ...(ports.length && { ports }),
    })) as Subset[];
}
