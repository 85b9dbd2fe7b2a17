/** What is served beside resources: health, metrics, version, discovery, OpenAPI. */
import type { UserInfo } from '../contract.ts';
import type { Exchange } from '../proxy/contract.ts';

export interface PathRequest {
  exchange: Exchange;
  /** Decoded, without the query. */
  path: string;
  query: URLSearchParams;
  user: UserInfo;
  /** To be sent with the answer (audit-id, warnings, cache-control). */
  headers: Record<string, string | string[]>;
}

export type PathHandler = (request: PathRequest) => void | Promise<void>;

/** Paths and their handlers; one that ends in "/*" serves all below it. */
export class PathTable {
  readonly #exact = new Map<string, PathHandler>();
  readonly #below = new Map<string, PathHandler>();

  add(path: string, handler: PathHandler): void {
    if (path.endsWith('/*')) this.#below.set(path.slice(0, -1), handler);
    else this.#exact.set(path, handler);
  }

  find(path: string): PathHandler | undefined {
    const exact = this.#exact.get(path) ?? (path.length > 1 && path.endsWith('/') ? this.#exact.get(path.slice(0, -1)) : undefined);
    if (exact) return exact;
    let best: [string, PathHandler] | undefined;
    for (const entry of this.#below) if (path.startsWith(entry[0]) && entry[0].length > (best?.[0].length ?? 0)) best = entry;
    return best?.[1];
  }

  paths(): string[] {
    return [...this.#exact.keys()].sort();
  }
}
