/**
 * A node's part in the pods' network, as a component: once the node has its pod network, the runtime gets its CNI configuration; routes
 * to the other nodes' pod networks follow their Node objects; pods get out, and their host ports get in.
 */
import { Node, Pod } from '#api';
import type { Informers } from '#client';
import type { Clock } from '#machinery/clock';
import { runningPart } from '#machinery/lifecycle';
import type { Component, Running } from '#machinery/lifecycle';
import type { Log } from '#machinery/log';
import { equal, keyOf } from '#machinery/meta';
import { localMachine } from '../command.ts';
import type { Machine } from '../command.ts';
import { addElement, emptyPiece, NftTable } from '../nft-table.ts';
import { RuleWriter } from '../rule-writer.ts';
import { removeConflist, writeConflist } from './conflist.ts';
import { hostPortsPiece, nodeTable, nodeTableName, ofFamily } from './node-table.ts';
import type { Family } from './node-table.ts';
import { pluginServes, writePlugins } from './plugin.ts';

export interface NodeNetworkOptions {
  nodeName: string;
  informers: Informers;
  /** The folder that the runtime reads CNI configuration from ("/etc/cni/net.d"). */
  confDir: string;
  /** The cluster's pod networks: traffic to them keeps the pod's address. */
  clusterCidrs?: readonly string[];
  /** Where the plugin keeps its allocations; machines that share a file system need one each. */
  dataDir?: string;
  /** A folder of this node's own that the runtime takes its plugins from: our own plugin is put there. Without it, or where that one does not serve, the standard ones are named. */
  binDir?: string;
  mtu?: number;
  machine?: Machine;
  clock?: Clock;
  log?: Log;
}

/** The kernel marks routes with who made them: by this number ours are known. */
const routeProtocol = '201';

export function createNodeNetwork(options: NodeNetworkOptions): Component {
  return {
    name: 'node-network',
    async start(context): Promise<Running> {
      const network = new NodeNetwork({ ...options, clock: options.clock ?? context.clock, log: options.log ?? context.log });
      return runningPart(network, context.signal);
    },
  };
}

type Options = NodeNetworkOptions & Required<Pick<NodeNetworkOptions, 'clock' | 'log'>>;

const podCidrsOf = (node: Node | undefined): string[] =>
  node?.spec?.podCIDRs?.length ? node.spec.podCIDRs : node?.spec?.podCIDR ? [node.spec.podCIDR] : [];
const addressesOf = (node: Node): string[] =>
  (node.status?.addresses ?? []).filter(({ type }) => type === 'InternalIP').map(({ address }) => address);

class NodeNetwork {
  readonly #options: Options;
  readonly #machine: Machine;
  #tables: { family: Family; table: NftTable }[] = [];
  /** Pod network → the machine it is behind, as it is in the kernel. */
  readonly #routes = new Map<string, string>();
  #subscriptions: Disposable[] = [];
  #writer: RuleWriter | undefined;

  constructor(options: Options) {
    this.#options = options;
    this.#machine = options.machine ?? localMachine();
  }

  async start(signal: AbortSignal): Promise<void> {
    const { informers, nodeName, confDir, binDir, clusterCidrs = [], dataDir, mtu } = this.#options;
    const podCidrs = await this.#podCidrs(signal);
    await this.#machine.sysctl('net/ipv4/ip_forward', '1');
    await this.#machine.sysctl('net/ipv4/conf/all/route_localnet', '1');
    if (podCidrs.some((cidr) => cidr.includes(':'))) await this.#machine.sysctl('net/ipv6/conf/all/forwarding', '1');
    for (const family of ['IPv4', 'IPv6'] as const) {
      const podCidr = podCidrs.find((cidr) => ofFamily(family, cidr));
      if (podCidr === undefined) continue;
      const base = nodeTable({ family, podCidr, clusterCidrs: clusterCidrs.filter((cidr) => ofFamily(family, cidr)) });
      this.#tables.push({ family, table: new NftTable(`${family === 'IPv4' ? 'ip' : 'ip6'} ${nodeTableName}`, this.#machine, () => base) });
    }
    this.#writer = new RuleWriter(this.#options.clock, this.#options.log, {
      tables: this.#tables.map(({ table }) => table),
      prepare: () => this.#syncRoutes(),
      refused: (error) => this.#options.log.error('Cannot write the rules of pods', { error }),
    });
    await this.#learnRoutes();
    const pods = informers.for(Pod, { fieldSelector: `spec.nodeName=${nodeName}` });
    const pod = (object: Pod): void => this.#podChanged(object, object);
    const node = (object: Node, old?: Node): void => {
      if (!old || !equal(podCidrsOf(object), podCidrsOf(old)) || !equal(addressesOf(object), addressesOf(old))) this.#nodesChanged();
    };
    this.#subscriptions = [
      informers.for(Node).on({ added: node, updated: node, deleted: () => this.#nodesChanged() }),
      pods.on({ added: pod, updated: pod, deleted: (object) => this.#podChanged(object, undefined) }),
    ];
    await pods.synced;
    signal.throwIfAborted();
    this.#nodesChanged();
    await this.#writer.start();
    const own = binDir !== undefined && dataDir !== undefined && pluginServes(podCidrs);
    if (own) await writePlugins(binDir, { podCidr: podCidrs[0]!, dataDir: `${dataDir}/coxswain`, mtu });
    await writeConflist(confDir, { podCidrs, own, ...(dataDir !== undefined && { dataDir }), ...(mtu !== undefined && { mtu }) });
  }

  async stop(): Promise<void> {
    for (const subscription of this.#subscriptions.splice(0)) subscription[Symbol.dispose]();
    await this.#writer?.stop();
    await removeConflist(this.#options.confDir);
    for (const cidr of this.#routes.keys()) await this.#route(['del', cidr]);
  }

  /** The node's pod networks, as soon as it has some. */
  async #podCidrs(signal: AbortSignal): Promise<string[]> {
    const { informers, nodeName } = this.#options;
    const nodes = informers.for(Node);
    const now = podCidrsOf(nodes.get(nodeName));
    if (now.length) return now;
    const { promise, resolve, reject } = Promise.withResolvers<string[]>();
    const look = (node: Node): void => {
      const cidrs = podCidrsOf(node);
      if (node.metadata?.name === nodeName && cidrs.length) resolve(cidrs);
    };
    const abort = (): void => reject(signal.reason as Error);
    signal.addEventListener('abort', abort, { once: true });
    const subscription = nodes.on({ added: look, updated: look });
    try {
      signal.throwIfAborted();
      return await promise;
    } finally {
      subscription[Symbol.dispose]();
      signal.removeEventListener('abort', abort);
    }
  }

  #podChanged(pod: Pod, now: Pod | undefined): void {
    const key = `pod ${keyOf(pod)}`;
    let changed = false;
    for (const { family, table } of this.#tables) {
      const piece = now && now.spec?.nodeName === this.#options.nodeName ? hostPortsPiece(now, family) : undefined;
      if (!piece && !table.knows(key)) continue;
      table.set(key, piece);
      changed = true;
    }
    if (changed) this.#writer?.schedule(0);
  }

  #nodesChanged(): void {
    const { informers, nodeName } = this.#options;
    for (const { family, table } of this.#tables) {
      const piece = emptyPiece();
      for (const node of informers.for(Node).list())
        if (node.metadata?.name !== nodeName)
          for (const address of addressesOf(node)) if (ofFamily(family, address)) addElement(piece, 'nodes', address);
      table.set('nodes', piece);
    }
    this.#writer?.schedule(0);
  }

  async #syncRoutes(): Promise<boolean> {
    const { informers, nodeName, log } = this.#options;
    const wanted = new Map<string, string>();
    for (const node of informers.for(Node).list()) {
      if (node.metadata?.name === nodeName) continue;
      for (const cidr of podCidrsOf(node)) {
        const gateway = addressesOf(node).find((address) => address.includes(':') === cidr.includes(':'));
        if (gateway !== undefined) wanted.set(cidr, gateway);
      }
    }
    let good = true;
    for (const cidr of this.#routes.keys())
      if (!wanted.has(cidr)) {
        await this.#route(['del', cidr]);
        this.#routes.delete(cidr);
      }
    for (const [cidr, gateway] of wanted) {
      if (this.#routes.get(cidr) === gateway) continue;
      try {
        await this.#machine.run('ip', ['route', 'replace', cidr, 'via', gateway, 'proto', routeProtocol]);
        this.#routes.set(cidr, gateway);
      } catch (error) {
        // A machine that is not on a network of ours: its pods stay out of reach until it is.
        log.warn('Cannot route to the pods of a node', { podCidr: cidr, gateway, error });
        good = false;
      }
    }
    return good;
  }

  /** Routes that an earlier life of this component left are ours again: kept where wanted, else removed. */
  async #learnRoutes(): Promise<void> {
    for (const family of this.#tables.map((entry) => (entry.family === 'IPv4' ? '-4' : '-6'))) {
      const text = await this.#machine.run('ip', [family, '-j', 'route', 'show', 'proto', routeProtocol]);
      const routes = JSON.parse(text || '[]') as { dst: string; gateway?: string }[];
      for (const { dst, gateway } of routes) this.#routes.set(dst, gateway ?? '');
    }
  }

  async #route(args: string[]): Promise<void> {
    try {
      await this.#machine.run('ip', ['route', ...args, 'proto', routeProtocol]);
    } catch (error) {
      // Gone already, with its link.
      this.#options.log.debug('A route was gone already', { error });
    }
  }
}
