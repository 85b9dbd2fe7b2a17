import type { Answer } from './normalize.ts';

export interface Difference {
  /** Where in the answer: "code", "warnings", "body.spec.replicas". */
  path: string;
  upstream: unknown;
  coxswain: unknown;
}

/** Where two answers differ. An answer of another code is one difference: its body is another as well. */
export function differences(upstream: Answer, coxswain: Answer): Difference[] {
  if (upstream.code !== coxswain.code) return [{ path: 'code', upstream: short(upstream), coxswain: short(coxswain) }];
  const found: Difference[] = [];
  walk('', upstream, coxswain, found);
  return found;
}

const short = ({ code, body }: Answer): string => {
  const { message } = (body ?? {}) as { message?: unknown };
  return typeof message === 'string' ? `${code} ${message}` : String(code);
};

function walk(path: string, upstream: unknown, coxswain: unknown, found: Difference[]): void {
  if (upstream === coxswain) return;
  const under = (key: string | number): string => (path ? `${path}.${key}` : String(key));
  if (Array.isArray(upstream) && Array.isArray(coxswain) && upstream.length === coxswain.length) {
    upstream.forEach((item, index) => walk(under(index), item, coxswain[index], found));
    return;
  }
  if (isObject(upstream) && isObject(coxswain)) {
    for (const key of new Set([...Object.keys(upstream), ...Object.keys(coxswain)])) walk(under(key), upstream[key], coxswain[key], found);
    return;
  }
  found.push({ path, upstream, coxswain });
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);
