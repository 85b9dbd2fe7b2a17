/** NetworkPolicies as a component: what changes about policies, pods or namespaces is worked out a moment later and goes to the kernel in one transaction. */
import { Namespace, NetworkPolicy, Pod } from '#api';
import type { Informers } from '#client';
import type { Clock } from '#machinery/clock';
import { runningPart } from '#machinery/lifecycle';
import type { Component, Running } from '#machinery/lifecycle';
import type { Log } from '#machinery/log';
import { equal } from '#machinery/meta';
import { localMachine } from '../command.ts';
import type { Machine } from '../command.ts';
import { NftTable } from '../nft-table.ts';
import { RuleWriter } from '../rule-writer.ts';
import { addressOf, policyPieces, policyTable, policyTableName } from './policy-rules.ts';
import type { Family, PolicyWorld } from './policy-rules.ts';

export interface PolicyOptions {
  nodeName: string;
  /** The node's addresses; a family without one is not looked after. */
  nodeIps: readonly string[];
  informers: Informers;
  /** How long changes are gathered. Milliseconds; default 5. */
  batchMilliseconds?: number;
  machine?: Machine;
  clock?: Clock;
  log?: Log;
}

export function createPolicy(options: PolicyOptions): Component {
  return {
    name: 'network-policy',
    async start(context): Promise<Running> {
      const policy = new PolicyEnforcer({ ...options, clock: options.clock ?? context.clock, log: options.log ?? context.log });
      return runningPart(policy, context.signal);
    },
  };
}

type Options = PolicyOptions & Required<Pick<PolicyOptions, 'clock' | 'log'>>;

/** What of a pod policies look at. */
const relevant = (pod: Pod): unknown[] => [
  pod.metadata?.labels,
  pod.spec?.nodeName,
  addressOf(pod, 'IPv4'),
  addressOf(pod, 'IPv6'),
  pod.spec?.containers.map((container) => container.ports),
];

class PolicyEnforcer {
  readonly #options: Options;
  readonly #tables: { family: Family; table: NftTable; owners: Set<string> }[];
  #subscriptions: Disposable[] = [];
  readonly #ended = Promise.withResolvers<void>();
  #world: Promise<unknown> | undefined;
  readonly #writer: RuleWriter;
  #stopped = false;

  constructor(options: Options) {
    this.#options = options;
    const machine = options.machine ?? localMachine();
    this.#tables = (['IPv4', 'IPv6'] as const)
      .filter((family) => options.nodeIps.some((ip) => ip.includes(':') === (family === 'IPv6')))
      .map((family) => {
        const base = policyTable(family);
        const table = new NftTable(`${family === 'IPv4' ? 'ip' : 'ip6'} ${policyTableName}`, machine, () => base);
        return { family, table, owners: new Set<string>() };
      });
    this.#writer = new RuleWriter(options.clock, options.log, {
      tables: this.#tables.map(({ table }) => table),
      prepare: () => this.#prepare(),
      refused: (error, retryMilliseconds) =>
        options.log.error('Cannot write the rules of NetworkPolicies, will write all of them again', { error, retryMilliseconds }),
    });
  }

  async start(signal: AbortSignal): Promise<void> {
    const policies = this.#options.informers.for(NetworkPolicy);
    const mark = (): void => this.#mark();
    const changed = (policy: NetworkPolicy, old: NetworkPolicy): void => {
      if (!equal(policy.spec, old.spec)) this.#mark();
    };
    this.#subscriptions = [policies.on({ added: mark, deleted: mark, updated: changed })];
    await policies.synced;
    if (policies.list().length > 0) await this.#watchWorld();
    signal.throwIfAborted();
    if (!(await this.#writer.start())) throw new Error('Cannot write the rules of NetworkPolicies');
  }

  /** Pods and namespaces are watched from the first policy on: a cluster without policies does not pay for them. */
  #watchWorld(): Promise<unknown> {
    return (this.#world ??= (() => {
      const { informers } = this.#options;
      const pods = informers.for(Pod);
      const namespaces = informers.for(Namespace);
      const mark = (): void => this.#mark();
      this.#subscriptions.push(
        pods.on({
          added: mark,
          deleted: mark,
          updated: (pod, old) => {
            if (!equal(relevant(pod), relevant(old))) mark();
          },
        }),
        namespaces.on({
          added: mark,
          deleted: mark,
          updated: (namespace, old) => {
            if (!equal(namespace.metadata?.labels, old.metadata?.labels)) mark();
          },
        }),
      );
      return Promise.all([pods.synced, namespaces.synced]);
    })());
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#ended.resolve();
    for (const subscription of this.#subscriptions.splice(0)) subscription[Symbol.dispose]();
    await this.#writer.stop();
  }

  #mark(): void {
    // Once the last policy is gone, pods may come and go.
    const { informers } = this.#options;
    if (informers.for(NetworkPolicy).list().length === 0 && this.#tables.every(({ owners }) => owners.size === 0)) return;
    this.#writer.schedule(this.#options.batchMilliseconds ?? 5);
  }

  async #prepare(): Promise<void> {
    const { informers, nodeName } = this.#options;
    if (informers.for(NetworkPolicy).list().length > 0) await Promise.race([this.#watchWorld(), this.#ended.promise]);
    if (this.#stopped) return;
    const known = this.#world !== undefined;
    const namespaces = (known ? informers.for(Namespace).list() : []).map(({ metadata }) => ({
      name: metadata?.name ?? '',
      labels: metadata?.labels ?? {},
    }));
    const pods = Map.groupBy(known ? informers.for(Pod).list() : [], (pod) => pod.metadata?.namespace ?? '');
    const world: PolicyWorld = { nodeName, pods: (namespace) => pods.get(namespace) ?? [], namespaces: () => namespaces };
    for (const entry of this.#tables) {
      const pieces = policyPieces(informers.for(NetworkPolicy).list(), world, entry.family);
      for (const owner of entry.owners) if (!pieces.has(owner)) entry.table.set(owner, undefined);
      for (const [owner, piece] of pieces) entry.table.set(owner, piece);
      entry.owners = new Set(pieces.keys());
    }
  }
}
