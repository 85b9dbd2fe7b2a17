import type { Node } from '#api';
import { Node as NodeKind } from '#api';
import type { Network } from '#machinery/ip';
import { formatNetwork, networkSize, overlaps, parseNetwork, subnet } from '#machinery/ip';
import { isNotFound } from '#machinery/status';
import type { ControllerContext, ControllerFactory } from '../contract.ts';
import { source } from '../contract.ts';

/** One range of pod addresses, cut into pieces for nodes. */
class Pool {
  readonly #range: Network;
  readonly #prefix: number;
  readonly #taken = new Map<string, string>();
  readonly #reserved: readonly Network[];
  #next = 0;

  constructor(range: Network, prefix: number, reserved: readonly Network[]) {
    this.#range = range;
    this.#prefix = prefix;
    this.#reserved = reserved;
  }

  holds(network: Network): boolean {
    return overlaps(this.#range, network);
  }

  occupy(network: string, node: string): void {
    this.#taken.set(network, node);
  }

  release(node: string): void {
    for (const [network, owner] of this.#taken) if (owner === node) this.#taken.delete(network);
  }

  /** The next free piece, going round, so that one just given back rests; undefined when all are taken. */
  allocate(node: string): string | undefined {
    const count = Number(networkSize(this.#range) >> BigInt((this.#range.family === 6 ? 128 : 32) - this.#prefix));
    for (let tries = 0; tries < count; tries++) {
      const piece = subnet(this.#range, this.#prefix, this.#next++ % count);
      if (!piece || this.#reserved.some((network) => overlaps(network, piece))) continue;
      const text = formatNetwork(piece);
      if (this.#taken.has(text)) continue;
      this.#taken.set(text, node);
      return text;
    }
    return undefined;
  }
}

/** Gives each node its range of pod addresses. upstream: pkg/controller/nodeipam/ipam/range_allocator.go. */
export const nodeIpamController: ControllerFactory = () => {
  let pools: Pool[] = [];
  const seen = new Set<string>();
  /** Nodes (by uid) that were given ranges: the cache may not show it yet. */
  const given = new Map<string, string>();

  const note = (node: Node): void => {
    const name = node.metadata!.name!;
    seen.add(name);
    for (const text of node.spec?.podCIDRs ?? []) {
      const network = parseNetwork(text);
      if (network) for (const pool of pools) if (pool.holds(network)) pool.occupy(formatNetwork(network), name);
    }
  };
  const allocate = async (context: ControllerContext, node: Node): Promise<void> => {
    const name = node.metadata!.name!;
    const podCIDRs: string[] = [];
    for (const pool of pools) {
      const piece = pool.allocate(name);
      if (!piece) {
        context.events.event(node, 'Normal', 'CIDRNotAvailable', `Node ${name} status is now: CIDRNotAvailable`);
        for (const each of pools) each.release(name);
        throw new Error(`Cannot give node ${name} a range of pod addresses: none is left`);
      }
      podCIDRs.push(piece);
    }
    try {
      await context.client.patch(NodeKind, { name }, 'strategic', { spec: { podCIDR: podCIDRs[0], podCIDRs } });
    } catch (error) {
      for (const pool of pools) pool.release(name);
      if (!isNotFound(error)) throw error;
    }
  };

  return {
    name: 'node-ipam-controller',
    serviceAccount: 'node-controller',
    component: 'cidrAllocator',
    // One at a time: what is taken is noted without locks.
    workers: 1,
    watches: [source(NodeKind)],
    setup(context) {
      const { clusterCidrs, serviceCidrs, nodeCidrMaskSize, allocateNodeCidrs } = context.options;
      if (!allocateNodeCidrs) return;
      const reserved = serviceCidrs.map(parseNetwork).filter((network) => network !== undefined);
      pools = clusterCidrs
        .map(parseNetwork)
        .filter((network) => network !== undefined)
        .map((network) => new Pool(network, network.family === 6 ? 64 : nodeCidrMaskSize, reserved));
    },
    async reconcile(context, key) {
      if (pools.length === 0) return;
      const node = context.lister(NodeKind).get(key);
      if (!node) {
        if (seen.delete(key)) for (const pool of pools) pool.release(key);
        given.delete(key);
        return;
      }
      // Nodes that were there before this controller keep what they have.
      if (seen.size === 0) for (const each of context.lister(NodeKind).list()) note(each);
      note(node);
      if (node.spec?.podCIDRs?.length || node.spec?.podCIDR || given.get(key) === node.metadata!.uid) return;
      await allocate(context, node);
      given.set(key, node.metadata!.uid!);
    },
  };
};
