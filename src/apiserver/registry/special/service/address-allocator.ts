import { IPAddress, ServiceCIDR } from '#api';
import type { Service } from '#api';
import type { Client, Informer } from '#client';
import type { Random } from '#machinery/clock';
import {
  addressOf,
  compareAddresses,
  contains,
  formatAddress,
  networkSize,
  nthAddress,
  parseAddressLoosely,
  parseNetworkLoosely,
} from '#machinery/ip';
import type { Address, Network } from '#machinery/ip';
import { isAlreadyExists, isNotFound } from '#machinery/status';
import { addressObject } from '../../../bootstrap/kubernetes-service.ts';
import type { ServerDependencies } from '../../../contract.ts';

export type IPFamily = 'IPv4' | 'IPv6';

/** Why an address cannot be had; the texts are upstream's (ipallocator). */
export class AddressError extends Error {
  /** There is none left, which is the server's trouble rather than the client's. */
  readonly full: boolean;
  constructor(message: string, full = false) {
    super(message);
    this.full = full;
  }
}

const familyOf = ({ family }: Network | Address): IPFamily => (family === 4 ? 'IPv4' : 'IPv6');

/** The usable part of a range: neither the network's own address nor, with IPv4, the broadcast address. */
function usable(network: Network): { first: Address; count: bigint } {
  const size = networkSize(network);
  return { first: nthAddress(network, 1n)!, count: network.family === 4 ? size - 2n : size - 1n };
}

/** So many at the low end go to Services that ask for them by number. upstream: ipallocator calculateRangeOffset. */
function staticCount(network: Network): bigint {
  const size = networkSize(network);
  if (size <= 16n) return 0n;
  const part = size / 16n;
  return part < 16n ? 16n : part > 256n ? 256n : part;
}

/**
 * Addresses of Services. An address is taken by creating its IPAddress object, which makes it safe between servers; ranges are those of
 * the ServiceCIDRs that are ready. upstream: pkg/registry/core/service/ipallocator.
 */
export class AddressAllocator {
  readonly families: readonly IPFamily[];
  readonly #client: Client;
  readonly #random: Random;
  readonly #addresses: Informer<IPAddress>;
  readonly #ranges: Informer<ServiceCIDR>;
  readonly #configured: readonly Network[];

  constructor({ client, informers, random }: ServerDependencies, cidrs: readonly string[]) {
    this.#client = client;
    this.#random = random;
    this.#addresses = informers.for(IPAddress);
    this.#ranges = informers.for(ServiceCIDR);
    this.#configured = cidrs.map((cidr) => {
      const network = parseNetworkLoosely(cidr);
      if (!network) throw new Error(`Cannot use ${cidr} for Services: it is not a network`);
      return network;
    });
    this.families = [...new Set(this.#configured.map(familyOf))];
  }

  /** Takes this very address. Throws AddressError. */
  async allocate(service: Service, ip: string, dryRun: boolean): Promise<void> {
    const address = parseAddressLoosely(ip)!;
    const network = this.#networks(familyOf(address)).find((candidate) => contains(candidate, address));
    if (!network) throw new AddressError('the provided network does not match the current range');
    const { first, count } = usable(network);
    if (compareAddresses(address, first) < 0 || address.value >= first.value + count)
      throw new AddressError(
        `the provided IP (${ip}) is not in the valid range. The range of valid IPs is ${formatAddress(addressOf(network.family, network.value))}/${network.prefix}`,
      );
    // A dry run only looks at the range.
    if (dryRun) return;
    if (!(await this.#take(service, formatAddress(address)))) throw new AddressError('provided IP is already allocated');
  }

  /** Takes some free address of a family. Throws AddressError. */
  async next(service: Service, family: IPFamily, dryRun: boolean): Promise<string> {
    for (const network of this.#networks(family)) {
      const { first, count } = usable(network);
      const reserved = staticCount(network);
      const [above, below] = [
        { start: first.value + reserved, size: count - reserved },
        { start: first.value, size: reserved < count ? reserved : count },
      ];
      for (const { start, size } of [above, below]) {
        const found = await this.#nextIn(service, network, start, size, dryRun);
        if (found) return found;
      }
    }
    throw new AddressError('range is full', true);
  }

  async #nextIn(service: Service, network: Network, start: bigint, size: bigint, dryRun: boolean): Promise<string | undefined> {
    if (size <= 0n) return undefined;
    const limit = size < 2n ** 32n ? size : 2n ** 32n;
    const offset = BigInt(Math.floor(this.#random.next() * Number(limit)));
    for (let step = 0n; step < size; step++) {
      const name = formatAddress(addressOf(network.family, start + ((offset + step) % size)));
      if (this.#addresses.get(name)) continue;
      // What a dry run shows is taken by nobody.
      if (dryRun || (await this.#take(service, name))) return name;
    }
    return undefined;
  }

  async release(ip: string): Promise<void> {
    const address = parseAddressLoosely(ip);
    if (!address) return;
    await this.#client.delete(IPAddress, { name: formatAddress(address) }).catch((error: unknown) => {
      if (!isNotFound(error)) throw error;
    });
  }

  /** False where somebody else has it. */
  async #take({ metadata }: Service, name: string): Promise<boolean> {
    const owner = { namespace: metadata?.namespace ?? '', name: metadata?.name ?? '' };
    try {
      await this.#client.create(IPAddress, addressObject(name, owner));
      return true;
    } catch (error) {
      if (isAlreadyExists(error)) return false;
      throw error;
    }
  }

  /** Ready ranges of a family; those configured, while no ServiceCIDR is there. */
  #networks(family: IPFamily): Network[] {
    const ranges = this.#ranges.list();
    const networks = ranges.length
      ? ranges
          .filter(
            ({ metadata, status }) =>
              !metadata?.deletionTimestamp && status?.conditions?.some(({ type, status: value }) => type === 'Ready' && value === 'True'),
          )
          .flatMap(({ spec }) => (spec?.cidrs ?? []).flatMap((cidr) => parseNetworkLoosely(cidr) ?? []))
      : this.#configured;
    return networks.filter((network) => familyOf(network) === family);
  }
}
