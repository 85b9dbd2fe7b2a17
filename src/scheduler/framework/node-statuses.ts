/** Why nodes were rejected in one cycle. Most nodes share few statuses. upstream: pkg/scheduler/framework NodeToStatus, FitError. */
import type { Status } from './status.ts';

export class NodeStatuses {
  readonly #byNode = new Map<string, Status>();
  /** Stands for the nodes that were not looked at. */
  absent: Status = { code: 'unresolvable', reasons: [] };

  set(nodeName: string, status: Status): void {
    this.#byNode.set(nodeName, status);
  }

  get(nodeName: string): Status {
    return this.#byNode.get(nodeName) ?? this.absent;
  }

  get size(): number {
    return this.#byNode.size;
  }

  entries(): Iterable<[string, Status]> {
    return this.#byNode;
  }
}

/** "0/3 nodes are available: 1 Insufficient cpu, 2 node(s) were unschedulable. preemption: …" */
export function fitErrorMessage(nodes: number, statuses: NodeStatuses, preFilterMessage = '', postFilterMessage = ''): string {
  let message = `0/${nodes} nodes are available:`;
  if (preFilterMessage) message += ` ${preFilterMessage}.`;
  else {
    const reasons = new Map<string, number>();
    for (const [, status] of statuses.entries()) for (const reason of status.reasons) reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
    if (statuses.size < nodes)
      for (const reason of statuses.absent.reasons) reasons.set(reason, (reasons.get(reason) ?? 0) + nodes - statuses.size);
    const texts = [...reasons].map(([reason, count]) => `${count} ${reason}`).sort();
    if (texts.length) message += ` ${texts.join(', ')}.`;
  }
  return postFilterMessage ? `${message} ${postFilterMessage}` : message;
}
