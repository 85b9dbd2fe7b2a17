import { parseFieldSelector } from '#machinery/selectors';
import type { RequestInfo } from '../contract.ts';

const readOnly = new Set(['get', 'list', 'watch', 'proxy']);

/** A node's watch of its own pods: the watch cache finds it by index, so that a write costs nothing for all others of its kind. */
const indexed: Readonly<Record<string, string>> = { pods: 'spec.nodeName' };

const keyOf = (info: RequestInfo, namespace: string, name: string): string => `${info.group}/${info.resource}/${namespace}/${name}`;

/** How many watchers a write wakes. upstream: flowcontrol/watch_tracker.go. */
export class WatchCounts {
  readonly #counts = new Map<string, number>();

  /** Counts a watch until the function it answers is called. */
  register(info: RequestInfo): (() => void) | undefined {
    const field = indexed[info.resource];
    if (field && info.fieldSelector && requires(info.fieldSelector, field)) return undefined;
    const key = keyOf(info, info.namespace, info.name);
    this.#add(key, 1);
    let counted = true;
    return () => {
      if (counted) this.#add(key, -1);
      counted = false;
    };
  }

  /** Watchers of what the request changes. */
  interested(info: RequestInfo): number {
    if (this.#counts.size === 0 || readOnly.has(info.verb)) return 0;
    let count = this.#counts.get(keyOf(info, '', '')) ?? 0;
    if (info.namespace) count += this.#counts.get(keyOf(info, info.namespace, '')) ?? 0;
    if (info.name) count += this.#counts.get(keyOf(info, info.namespace, info.name)) ?? 0;
    return count;
  }

  #add(key: string, difference: number): void {
    const count = (this.#counts.get(key) ?? 0) + difference;
    if (count > 0) this.#counts.set(key, count);
    else this.#counts.delete(key);
  }
}

function requires(selector: string, field: string): boolean {
  try {
    return Boolean(parseFieldSelector(selector).requiresExactMatch(field));
  } catch {
    // The handler reads it again and says what is wrong.
    return false;
  }
}
