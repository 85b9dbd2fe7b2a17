/**
 * The proxy as a component: changes of Services and EndpointSlices mark Services as dirty; a moment later all dirty ones are worked out
 * again and what is different goes to the kernel in one transaction. upstream: pkg/proxy/nftables/proxier.go.
 */
import { EndpointSlice, Node, Service } from '#api';
import type { Informers } from '#client';
import type { Clock } from '#machinery/clock';
import { runningPart } from '#machinery/lifecycle';
import type { Component, Running } from '#machinery/lifecycle';
import type { Log } from '#machinery/log';
import { keyOf } from '#machinery/meta';
import { localMachine } from '../command.ts';
import type { Machine } from '../command.ts';
import { baseTable, tableName } from './base-rules.ts';
import { categorize } from './categorize.ts';
import { deleteStaleFlows } from './conntrack.ts';
import type { StaleFlows } from './conntrack.ts';
import { endpointsOf, serviceOf } from './endpoints.ts';
import { HealthChecks } from './health-checks.ts';
import { emptyPiece, NftTable } from '../nft-table.ts';
import { RuleWriter } from '../rule-writer.ts';
import { servicePorts } from './service-port.ts';
import type { Family } from './service-port.ts';
import { addServicePort } from './service-rules.ts';
import { serveStatus } from './status-server.ts';
import type { StatusServers } from './status-server.ts';

export interface ProxyOptions {
  nodeName: string;
  /** The node's addresses; a family without one is not served. */
  nodeIps: readonly string[];
  informers: Informers;
  /** The pods' networks: traffic from elsewhere to a ClusterIP is masqueraded. Empty: none is. */
  clusterCidrs?: readonly string[];
  /** Traffic to unused addresses of these is dropped. */
  serviceCidrs?: readonly string[];
  masqueradeAll?: boolean;
  /** Node ports answer on 127.0.0.1 as well. Default true. */
  localhostNodePorts?: boolean;
  /** How long changes are gathered before they go to the kernel. Milliseconds; default 2. */
  batchMilliseconds?: number;
  /** Where the proxy's health (default 10256) and mode (default 10249, loopback only) are told; 0: nowhere. */
  healthPort?: number;
  statusPort?: number;
  machine?: Machine;
  clock?: Clock;
  log?: Log;
}

export function createProxy(options: ProxyOptions): Component {
  return {
    name: 'kube-proxy',
    async start(context): Promise<Running> {
      const proxier = new Proxier({ ...options, clock: options.clock ?? context.clock, log: options.log ?? context.log });
      return runningPart(proxier, context.signal);
    },
  };
}

type Options = ProxyOptions & Required<Pick<ProxyOptions, 'clock' | 'log'>>;

class Proxier {
  readonly #options: Options;
  readonly #machine: Machine;
  readonly #tables: { family: Family; table: NftTable; nodeIp: string }[];
  readonly #dirty = new Set<string>();
  readonly #slices = new Map<string, Map<string, EndpointSlice>>();
  /** Service port → its UDP endpoints that flows may go to, as last applied. */
  readonly #udp = new Map<string, Map<string, { ips: Set<string>; frontends: string }>>();
  readonly #health: HealthChecks;
  readonly #writer: RuleWriter;
  #stale: StaleFlows[] = [];
  #subscriptions: Disposable[] = [];
  #zone = '';
  #applied = false;
  #lastUpdated = 0;
  #status: StatusServers | undefined;

  constructor(options: Options) {
    this.#options = options;
    this.#machine = options.machine ?? localMachine();
    this.#health = new HealthChecks(() => this.#applied, options.log);
    const families: Family[] = ['IPv4', 'IPv6'];
    this.#tables = families.flatMap((family) => {
      const nodeIp = options.nodeIps.find((ip) => ip.includes(':') === (family === 'IPv6'));
      if (nodeIp === undefined) return [];
      const serviceCidrs = (options.serviceCidrs ?? []).filter((cidr) => cidr.includes(':') === (family === 'IPv6'));
      const base = baseTable({ family, serviceCidrs, localhostNodePorts: options.localhostNodePorts ?? true });
      return [{ family, nodeIp, table: new NftTable(`${family === 'IPv4' ? 'ip' : 'ip6'} ${tableName}`, this.#machine, () => base) }];
    });
    this.#writer = new RuleWriter(options.clock, options.log, {
      tables: this.#tables.map(({ table }) => table),
      prepare: () => {
        for (const service of this.#dirty) this.#work(service);
        this.#dirty.clear();
      },
      written: () => this.#written(),
      refused: (error, retryMilliseconds) => {
        this.#applied = false;
        options.log.error('Cannot write the rules of Services, will write all of them again', { error, retryMilliseconds });
      },
    });
  }

  async start(signal: AbortSignal): Promise<void> {
    const { informers, nodeName } = this.#options;
    await this.#machine.sysctl('net/ipv4/ip_forward', '1');
    if (this.#tables.some(({ family }) => family === 'IPv6')) await this.#machine.sysctl('net/ipv6/conf/all/forwarding', '1');
    if (this.#options.localhostNodePorts ?? true) await this.#machine.sysctl('net/ipv4/conf/all/route_localnet', '1');
    const mark = (service: Service): void => this.#mark(keyOf(service));
    this.#subscriptions = [
      informers.for(Service).on({ added: mark, updated: mark, deleted: mark }),
      informers.for(EndpointSlice).on({
        added: (slice) => this.#sliceChanged(slice, undefined),
        updated: (slice, old) => this.#sliceChanged(slice, old),
        deleted: (slice) => this.#sliceChanged(undefined, slice),
      }),
      informers.for(Node).on({
        added: (node) => this.#nodeChanged(node),
        updated: (node) => this.#nodeChanged(node),
      }),
    ];
    await informers.synced();
    signal.throwIfAborted();
    this.#zone = informers.for(Node).get(nodeName)?.metadata?.labels?.['topology.kubernetes.io/zone'] ?? '';
    if (!(await this.#writer.start())) throw new Error('Cannot write the rules of Services');
    this.#status = await serveStatus({
      healthPort: this.#options.healthPort ?? 10_256,
      statusPort: this.#options.statusPort ?? 10_249,
      health: () => ({ healthy: this.#applied, lastUpdated: this.#lastUpdated, nodeEligible: this.#nodeEligible() }),
      clock: this.#options.clock,
      log: this.#options.log,
    });
  }

  async stop(): Promise<void> {
    for (const subscription of this.#subscriptions.splice(0)) subscription[Symbol.dispose]();
    await this.#writer.stop();
    await this.#health.close();
    await this.#status?.close();
  }

  #sliceChanged(slice: EndpointSlice | undefined, old: EndpointSlice | undefined): void {
    const key = keyOf((slice ?? old)!);
    const before = old && serviceOf(old);
    const after = slice && serviceOf(slice);
    if (before !== undefined && before !== after) {
      this.#slices.get(before)?.delete(key);
      if (this.#slices.get(before)?.size === 0) this.#slices.delete(before);
      this.#mark(before);
    }
    if (after === undefined) return;
    const slices = this.#slices.get(after);
    if (slices) slices.set(key, slice!);
    else this.#slices.set(after, new Map([[key, slice!]]));
    this.#mark(after);
  }

  #nodeChanged(node: Node): void {
    if (node.metadata?.name !== this.#options.nodeName) return;
    const zone = node.metadata.labels?.['topology.kubernetes.io/zone'] ?? '';
    if (zone === this.#zone) return;
    this.#zone = zone;
    for (const service of this.#options.informers.for(Service).list()) this.#mark(keyOf(service));
  }

  /** Load balancers should leave a node alone that is being taken away. */
  #nodeEligible(): boolean {
    const node = this.#options.informers.for(Node).get(this.#options.nodeName);
    return !node?.metadata?.deletionTimestamp && !node?.spec?.taints?.some(({ key }) => key === 'ToBeDeletedByClusterAutoscaler');
  }

  #mark(service: string): void {
    this.#dirty.add(service);
    this.#writer.schedule(this.#options.batchMilliseconds ?? 2);
  }

  async #written(): Promise<void> {
    this.#applied = true;
    this.#lastUpdated = this.#options.clock.now();
    for (const flows of this.#stale.splice(0)) {
      try {
        await deleteStaleFlows(this.#machine, flows);
      } catch (error) {
        this.#options.log.warn('Cannot delete flows of UDP endpoints that are gone', { service: flows.port.service, error });
      }
    }
  }

  #work(key: string): void {
    const { nodeName, clusterCidrs = [], masqueradeAll = false } = this.#options;
    const service = this.#options.informers.for(Service).get(key);
    const slices = [...(this.#slices.get(key)?.values() ?? [])];
    let healthPort = 0;
    const localEndpoints = new Set<string>();
    for (const { family, table, nodeIp } of this.#tables) {
      const ports = service ? servicePorts(service, family) : [];
      const piece = emptyPiece();
      const udp = new Map<string, { ips: Set<string>; frontends: string }>();
      for (const port of ports) {
        const endpoints = endpointsOf(slices, family, port, nodeName);
        const categorized = categorize(endpoints, port, nodeName, this.#zone);
        addServicePort(piece, port, categorized, {
          family,
          clusterCidrs: clusterCidrs.filter((cidr) => cidr.includes(':') === (family === 'IPv6')),
          masqueradeAll,
          nodeIp,
        });
        healthPort ||= port.healthCheckNodePort;
        for (const endpoint of endpoints) if (endpoint.local && endpoint.ready) localEndpoints.add(endpoint.ip);
        if (port.protocol === 'udp') {
          const ips = new Set(categorized.reachable.map((endpoint) => endpoint.ip));
          const frontends = JSON.stringify([port.clusterIp, port.externalIps, port.loadBalancerIps, port.port, port.nodePort]);
          udp.set(port.portName, { ips, frontends });
          this.#noteStaleFlows(family, port, this.#udp.get(`${family}/${key}`)?.get(port.portName), ips, frontends);
        }
      }
      if (udp.size) this.#udp.set(`${family}/${key}`, udp);
      else this.#udp.delete(`${family}/${key}`);
      table.set(key, ports.length ? piece : undefined);
    }
    this.#health.set(key, healthPort, localEndpoints.size);
  }

  #noteStaleFlows(
    family: Family,
    port: StaleFlows['port'],
    before: { ips: Set<string>; frontends: string } | undefined,
    ips: Set<string>,
    frontends: string,
  ): void {
    if (ips.size === 0 && !before?.ips.size) return;
    // Packets sent before there was an endpoint made flows that lead nowhere.
    if (!before?.ips.size || before.frontends !== frontends) this.#stale.push({ family, port, endpoints: 'all' });
    else {
      const gone = [...before.ips].filter((ip) => !ips.has(ip));
      if (gone.length) this.#stale.push({ family, port, endpoints: gone });
    }
  }
}
