/** Requests in order. What a scenario makes it keeps to a namespace of its own, or to names that begin with its own. */

export interface Step {
  /** Names the request: "<scenario>/<name>", unique. */
  name: string;
  method: string;
  /** May hold {{variables}}, as may bodies. */
  path: string;
  headers?: Record<string, string>;
  /** An object is sent as JSON, a string as it is. */
  body?: unknown;
  /** Impersonated; default: an administrator. */
  as?: { user: string; groups?: string[] };
  /** Variable → path in the answer: "metadata.resourceVersion". */
  keep?: Record<string, string>;
  /** Asks again until this holds of the answer (things that a server does in its own time). */
  until?(body: unknown): boolean;
  /** How an answer that is too big to keep is reduced to facts. */
  view?: 'openapi-v2' | 'openapi-v3' | 'type';
}

export interface Scenario {
  name: string;
  /** The scenario's namespace is made first, with its default service account. */
  namespace?: boolean | { labels?: Record<string, string> };
  /** Made first; answers are not compared. */
  setup?: Step[];
  steps: Step[];
  /** Removed last; answers are not compared. */
  cleanup?: Step[];
}

export const namespaceOf = (scenario: string): string => scenario.toLowerCase().replace(/[^a-z0-9-]+/g, '-');

export const types = {
  merge: 'application/merge-patch+json',
  strategic: 'application/strategic-merge-patch+json',
  json: 'application/json-patch+json',
  apply: 'application/apply-patch+yaml',
} as const;

export const post = (name: string, path: string, body: unknown, more: Partial<Step> = {}): Step => ({
  name,
  method: 'POST',
  path,
  body,
  ...more,
});
export const put = (name: string, path: string, body: unknown, more: Partial<Step> = {}): Step => ({
  name,
  method: 'PUT',
  path,
  body,
  ...more,
});
export const get = (name: string, path: string, accept?: string, more: Partial<Step> = {}): Step => ({
  name,
  method: 'GET',
  path,
  ...(accept && { headers: { accept } }),
  ...more,
});
export const patch = (name: string, path: string, type: keyof typeof types, body: unknown, more: Partial<Step> = {}): Step => ({
  name,
  method: 'PATCH',
  path,
  body,
  headers: { 'content-type': types[type] },
  ...more,
});
export const remove = (name: string, path: string, body?: unknown, more: Partial<Step> = {}): Step => ({
  name,
  method: 'DELETE',
  path,
  ...(body !== undefined && { body }),
  ...more,
});
