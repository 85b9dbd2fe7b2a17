/** Why nodes were rejected in one cycle. Most nodes share few statuses. upstream: pkg/scheduler/framework NodeToStatus, FitError. */
import type { Status } from './status.ts';

export class NodeStatuses {
  /** Side by side: a search over thousands of nodes only appends, and most searches are never looked into. */
  readonly #names: string[] = [];
  readonly #statuses: Status[] = [];
  #byNode: Map<string, Status> | undefined;
  /** Stands for the nodes that were not looked at. */
  absent: Status = { code: 'unresolvable', reasons: [] };

  /** Each node once. */
  set(nodeName: string, status: Status): void {
    this.#names.push(nodeName);
    this.#statuses.push(status);
    this.#byNode = undefined;
  }

  get(nodeName: string): Status {
    this.#byNode ??= new Map(this.#names.map((name, index) => [name, this.#statuses[index]!]));
    return this.#byNode.get(nodeName) ?? this.absent;
  }

  get size(): number {
    return this.#names.length;
  }

  /** How many of so many nodes were rejected for what. */
  reasons(nodes: number): Map<string, number> {
    const statuses = new Map<Status, number>();
    for (const status of this.#statuses) statuses.set(status, (statuses.get(status) ?? 0) + 1);
    if (this.size < nodes) statuses.set(this.absent, nodes - this.size);
    const reasons = new Map<string, number>();
    for (const [status, count] of statuses) for (const reason of status.reasons) reasons.set(reason, (reasons.get(reason) ?? 0) + count);
    return reasons;
  }
}

/** "0/3 nodes are available: 1 Insufficient cpu, 2 node(s) were unschedulable. preemption: …" */
export function fitErrorMessage(nodes: number, statuses: NodeStatuses, preFilterMessage = '', postFilterMessage = ''): string {
  let message = `0/${nodes} nodes are available:`;
  if (preFilterMessage) message += ` ${preFilterMessage}.`;
  else {
    const reasons = statuses.reasons(nodes);
    const texts = [...reasons].map(([reason, count]) => `${count} ${reason}`).sort();
    if (texts.length) message += ` ${texts.join(', ')}.`;
  }
  return postFilterMessage ? `${message} ${postFilterMessage}` : message;
}
