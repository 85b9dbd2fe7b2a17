import { ResourceQuota } from '#api';
import type { Client, Informer } from '#client';
import type { Clock } from '#machinery/clock';
import { draft, keyOf } from '#machinery/meta';
import { addUsage, evaluatorFor, exceeding, mask, matchesQuota, subtractUsage, usageFrom, usageList, withoutZeros } from '#machinery/quota';
import type { QuotaEvaluator, Usage } from '#machinery/quota';
import { isConflict, isNotFound } from '#machinery/status';
import type { AdmissionAttributes, AdmissionPluginFactory } from '../contract.ts';
import { forbid } from './attributes.ts';

const retries = 3;
/** Resources whose objects are not counted. upstream: resourcequota DefaultIgnoredResources. */
const ignored = new Set(['/bindings', '/events', 'events.k8s.io/events', 'authorization.k8s.io/localsubjectaccessreviews']);

interface Waiter {
  attributes: AdmissionAttributes;
  evaluator: QuotaEvaluator;
  resolve(): void;
  reject(error: unknown): void;
}

const printed = (usage: Usage): string =>
  [...usage]
    .map(([name, amount]) => `${name}=${amount.toString()}`)
    .sort()
    .join(',');

/** A namespace's limits for all objects together. upstream: apiserver/pkg/admission/plugin/resourcequota. */
export const resourceQuota: AdmissionPluginFactory = ({ client, informers, clock }) => {
  const accountant = new Accountant(client, informers.for(ResourceQuota), clock);
  return {
    name: 'ResourceQuota',
    handles: ({ operation, namespace, kind, object, subresource, oldObject }) =>
      (operation === 'CREATE' || operation === 'UPDATE') &&
      namespace !== '' &&
      !(kind.resource === 'namespaces' && kind.group === '') &&
      !ignored.has(`${kind.group}/${kind.resource}`) &&
      accountant.mayApply(namespace) &&
      evaluatorFor(kind.group, kind.resource).handles(operation, subresource, object, oldObject),
    validate: (attributes) => accountant.charge(attributes),
  };
};

/**
 * Charges requests to quotas, a namespace at a time: what waits together is checked together and written once.
 * What it wrote last is remembered, since the informer may lag behind.
 */
class Accountant {
  readonly #client: Client;
  readonly #quotas: Informer<ResourceQuota>;
  readonly #clock: Clock;
  readonly #waiting = new Map<string, Waiter[]>();
  readonly #written = new Map<string, ResourceQuota>();

  constructor(client: Client, quotas: Informer<ResourceQuota>, clock: Clock) {
    this.#client = client;
    this.#quotas = quotas;
    this.#clock = clock;
    quotas.on({ deleted: (quota) => void this.#written.delete(keyOf(quota)) });
  }

  /** Cheap answer for the many namespaces without quotas. */
  mayApply(namespace: string): boolean {
    return !this.#quotas.hasSynced || this.#quotas.list(namespace).length > 0;
  }

  charge(attributes: AdmissionAttributes): Promise<void> {
    const { namespace, kind } = attributes;
    return new Promise((resolve, reject) => {
      const waiter = { attributes, evaluator: evaluatorFor(kind.group, kind.resource), resolve, reject };
      const queue = this.#waiting.get(namespace);
      if (queue) queue.push(waiter);
      else {
        this.#waiting.set(namespace, [waiter]);
        void this.#work(namespace);
      }
    });
  }

  async #work(namespace: string): Promise<void> {
    // What arrives in this turn of the loop goes together.
    await Promise.resolve();
    for (;;) {
      const batch = this.#waiting.get(namespace)!.splice(0);
      if (batch.length === 0) break;
      try {
        await this.#settle(batch, await this.#current(namespace), retries);
      } catch (error) {
        for (const waiter of batch) waiter.reject(error);
      }
    }
    this.#waiting.delete(namespace);
  }

  /** The quotas of a namespace, each at least as new as what was written here. */
  async #current(namespace: string): Promise<ResourceQuota[]> {
    const known = this.#quotas.hasSynced ? this.#quotas.list(namespace) : (await this.#client.list(ResourceQuota, { namespace })).items;
    return known.map((quota) => {
      const written = this.#written.get(keyOf(quota));
      if (!written) return quota;
      const version = ({ metadata }: ResourceQuota): number => Number(metadata?.resourceVersion ?? 0);
      if (version(quota) < version(written)) return written;
      this.#written.delete(keyOf(quota));
      return quota;
    });
  }

  /** Answers every waiter: those refused at once, the others when the quotas are written. */
  async #settle(batch: readonly Waiter[], quotas: readonly ResourceQuota[], left: number): Promise<void> {
    const used = quotas.map((quota) => usageFrom(quota.status?.used));
    const charged: Waiter[] = [];
    const changed = new Set<number>();
    for (const waiter of batch) {
      try {
        const changes = this.#check(waiter, quotas, used);
        if (changes.size === 0 || waiter.attributes.dryRun) waiter.resolve();
        else {
          charged.push(waiter);
          for (const [index, usage] of changes) {
            used[index] = usage;
            changed.add(index);
          }
        }
      } catch (error) {
        waiter.reject(error);
      }
    }
    if (charged.length === 0) return;
    const failed: string[] = [];
    let failure: unknown;
    await Promise.all(
      [...changed].map(async (index) => {
        const quota = draft(quotas[index]!);
        quota.status = { ...quota.status, used: usageList(used[index]!) };
        try {
          this.#written.set(keyOf(quota), await this.#client.updateStatus(ResourceQuota, quota));
        } catch (error) {
          // A quota that is gone limits nothing.
          if (isNotFound(error)) return;
          failed.push(keyOf(quota));
          failure = error;
        }
      }),
    );
    if (failed.length === 0) for (const waiter of charged) waiter.resolve();
    else if (left <= 0 || !isConflict(failure)) for (const waiter of charged) waiter.reject(failure);
    else await this.#again(charged, failed, left - 1);
  }

  /** Only quotas that could not be written are charged again. */
  async #again(charged: readonly Waiter[], failed: readonly string[], left: number): Promise<void> {
    const namespace = charged[0]!.attributes.namespace;
    const { items } = await this.#client.list(ResourceQuota, { namespace });
    await this.#settle(
      charged,
      items.filter((quota) => failed.includes(keyOf(quota))),
      left,
    );
  }

  /** The new usage of the quotas that the request is charged to, by their index. Throws where one does not allow it. */
  #check({ attributes, evaluator }: Waiter, quotas: readonly ResourceQuota[], used: readonly Usage[]): Map<number, Usage> {
    const { operation, oldObject, subresource } = attributes;
    const object = attributes.object!;
    const now = this.#clock.now();
    const interesting: number[] = [];
    for (const [index, quota] of quotas.entries()) {
      if (!matchesQuota(quota, evaluator, object)) continue;
      const name = quota.metadata?.name;
      const restricted = evaluator.matching(Object.keys(quota.status?.hard ?? {}));
      const problem = evaluator.constraint?.(restricted, object);
      if (problem) throw forbid(attributes, `failed quota: ${name}: ${problem}`);
      if (restricted.some((resource) => !used[index]!.has(resource)))
        throw forbid(attributes, `status unknown for quota: ${name}, resources: ${restricted.sort().join(',')}`);
      interesting.push(index);
    }
    if (interesting.length === 0) return new Map();
    const wanted = evaluator.usage(object, now);
    const negative = [...wanted].filter(([, amount]) => amount.sign() < 0).map(([name]) => name);
    if (negative.length > 0) throw forbid(attributes, `quota usage is negative for resource(s): ${negative.sort().join(',')}`);
    const before = operation === 'UPDATE' && oldObject ? evaluator.usage(oldObject, now) : undefined;

    const changes = new Map<number, Usage>();
    for (const index of interesting) {
      const quota = quotas[index]!;
      const applied = before && matchesQuota(quota, evaluator, oldObject!);
      const delta = withoutZeros(applied ? subtractUsage(wanted, before) : wanted);
      const hard = usageFrom(quota.status?.hard);
      const requested = mask(delta, hard.keys());
      if (requested.size === 0) continue;
      const total = addUsage(used[index]!, requested);
      const exceeded = subresource === 'status' ? [] : exceeding(mask(total, requested.keys()), hard);
      if (exceeded.length > 0)
        throw forbid(
          attributes,
          `exceeded quota: ${quota.metadata?.name}, requested: ${printed(mask(requested, exceeded))}, used: ${printed(mask(used[index]!, exceeded))}, limited: ${printed(mask(hard, exceeded))}`,
        );
      changes.set(index, total);
    }
    return changes;
  }
}
