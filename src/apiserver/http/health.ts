/** /healthz, /livez, /readyz and their checks one by one. upstream: apiserver/pkg/server/healthz. */
import type { PathRequest, PathTable } from './paths.ts';
import { answerNothingThere } from './not-found.ts';

export interface HealthCheck {
  name: string;
  /** Answers why it is not well; undefined when it is. */
  check(): string | undefined | Promise<string | undefined>;
  /** Which of the endpoints ask it. Default: all. */
  endpoints?: readonly Endpoint[];
}

export type Endpoint = 'healthz' | 'livez' | 'readyz';

export class Health {
  readonly #checks: HealthCheck[] = [];

  add(check: HealthCheck): void {
    this.#checks.push(check);
  }

  serve(paths: PathTable): void {
    for (const endpoint of ['healthz', 'livez', 'readyz'] as const) {
      paths.add(`/${endpoint}`, (request) => this.#all(endpoint, request));
      paths.add(`/${endpoint}/*`, (request) => this.#one(endpoint, request));
    }
  }

  async #all(endpoint: Endpoint, { exchange, query, headers }: PathRequest): Promise<void> {
    const excluded = new Set(query.getAll('exclude'));
    const lines: string[] = [];
    let failed = false;
    for (const check of this.#of(endpoint)) {
      if (excluded.delete(check.name)) {
        lines.push(`[+]${check.name} excluded: ok`);
        continue;
      }
      const reason = await this.#run(check);
      if (reason === undefined) lines.push(`[+]${check.name} ok`);
      else {
        failed = true;
        lines.push(`[-]${check.name} failed: reason withheld`);
      }
    }
    if (excluded.size > 0)
      lines.push(`warn: some health checks cannot be excluded: no matches for ${[...excluded].map((name) => `"${name}"`).join(', ')}`);
    const plain = { ...headers, 'content-type': 'text/plain; charset=utf-8', 'x-content-type-options': 'nosniff' };
    if (failed) return exchange.end(500, plain, `${lines.join('\n')}\n${endpoint} check failed\n`);
    if (!query.has('verbose')) return exchange.end(200, plain, 'ok');
    exchange.end(200, plain, `${lines.join('\n')}\n${endpoint} check passed\n`);
  }

  async #one(endpoint: Endpoint, { exchange, path, headers }: PathRequest): Promise<void> {
    const name = path.slice(endpoint.length + 2);
    const check = this.#of(endpoint).find((other) => other.name === name);
    if (!check) return answerNothingThere({ exchange, headers });
    const reason = await this.#run(check);
    const plain = { ...headers, 'content-type': 'text/plain; charset=utf-8' };
    if (reason === undefined) exchange.end(200, plain, 'ok');
    else exchange.end(500, plain, `internal server error: ${reason}\n`);
  }

  #of(endpoint: Endpoint): HealthCheck[] {
    return this.#checks.filter(({ endpoints }) => !endpoints || endpoints.includes(endpoint));
  }

  async #run(check: HealthCheck): Promise<string | undefined> {
    try {
      return await check.check();
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  }
}
