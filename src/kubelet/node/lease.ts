import { Lease } from '#api';
import type { Client } from '#client';
import type { Clock, Timer } from '#machinery/clock';
import { microTimestamp } from '#machinery/clock';
import type { Log } from '#machinery/log';
import { isConflict, isNotFound } from '#machinery/status';

export interface NodeLeaseOptions {
  client: Client;
  clock: Clock;
  log: Log;
  nodeName: string;
  nodeUid(): string | undefined;
  /** Default 40. Renewed every quarter of it. */
  durationSeconds: number;
}

const namespace = 'kube-node-lease';

/** Says that the node lives: one small write every ten seconds. upstream: component-helpers/apimachinery/lease. */
export class NodeLease {
  readonly #options: NodeLeaseOptions;
  #lease: Lease | undefined;
  #timer: Timer | undefined;
  #stopped = false;

  constructor(options: NodeLeaseOptions) {
    this.#options = options;
  }

  start(): void {
    void this.#renew();
  }

  async #renew(): Promise<void> {
    const { clock, durationSeconds, log } = this.#options;
    const period = (durationSeconds * 1000) / 4;
    let next = period;
    try {
      await this.#write();
    } catch (error) {
      this.#lease = undefined;
      // Another kubelet of this name, or a restarted API: read it anew and say it again soon.
      next = isConflict(error) ? 100 : Math.min(period, 1000);
      if (!this.#stopped) log.warn('Cannot renew the lease of the node', { node: this.#options.nodeName, error });
    }
    if (!this.#stopped) this.#timer = clock.setTimeout(() => void this.#renew(), next);
  }

  async #write(): Promise<void> {
    const { client, clock, nodeName, durationSeconds } = this.#options;
    const ref = { namespace, name: nodeName };
    const known =
      this.#lease ??
      (await client.get(Lease, ref).catch((error: unknown) => {
        if (isNotFound(error)) return undefined;
        throw error;
      }));
    const uid = this.#options.nodeUid();
    const spec = { ...known?.spec, holderIdentity: nodeName, leaseDurationSeconds: durationSeconds, renewTime: microTimestamp(clock) };
    if (known) {
      this.#lease = await client.update(Lease, { ...known, spec });
      return;
    }
    this.#lease = await client.create(Lease, {
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: {
        namespace,
        name: nodeName,
        ...(uid && { ownerReferences: [{ apiVersion: 'v1', kind: 'Node', name: nodeName, uid }] }),
      },
      spec,
    });
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }
}
