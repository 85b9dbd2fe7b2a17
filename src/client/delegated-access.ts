/**
 * Who asks a server that is not the API server, and may he: tokens by TokenReview, permission by SubjectAccessReview. Answers are kept as
 * long as upstream keeps them. upstream: apiserver/pkg/server/options/{authentication,authorization}.go, pkg/kubelet/server/auth.go.
 */
import { SubjectAccessReview, TokenReview } from '#api';
import type { Clock } from '#machinery/clock';
import type { Client } from './contract.ts';

export interface DelegatedUser {
  username: string;
  uid?: string;
  groups: string[];
  extra?: Record<string, string[]>;
}

export type AccessAttributes = { resourceAttributes: Record<string, string> } | { nonResourceAttributes: { path: string; verb: string } };

export interface DelegatedAccess {
  /** The user of a bearer token; undefined when nobody knows it. */
  userOf(token: string): Promise<DelegatedUser | undefined>;
  allowed(user: DelegatedUser, attributes: AccessAttributes): Promise<boolean>;
}

export interface DelegatedAccessLifetimes {
  /** Milliseconds. */
  token: number;
  allowed: number;
  refused: number;
}

const mostAnswers = 1000;

export function delegatedAccess(client: Client, clock: Clock, keep: DelegatedAccessLifetimes): DelegatedAccess {
  const cache = new Map<string, { until: number; value: unknown }>();
  async function cached<T>(key: string, lifetime: (value: T) => number, make: () => Promise<T>): Promise<T> {
    const now = clock.monotonic();
    const found = cache.get(key);
    if (found && found.until > now) return found.value as T;
    const value = await make();
    if (cache.size > mostAnswers) for (const [old, entry] of cache) if (entry.until <= now || cache.size > mostAnswers) cache.delete(old);
    cache.set(key, { until: now + lifetime(value), value });
    return value;
  }
  return {
    async userOf(token) {
      const review = await cached(
        `token ${token}`,
        () => keep.token,
        () => client.create(TokenReview, { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenReview', spec: { token } }),
      );
      const user = review.status?.authenticated ? review.status.user : undefined;
      return (
        user && {
          username: user.username ?? '',
          ...(user.uid !== undefined && { uid: user.uid }),
          groups: user.groups ?? [],
          ...(user.extra && { extra: user.extra }),
        }
      );
    },
    async allowed(user, attributes) {
      const review = await cached(
        `access ${JSON.stringify([user, attributes])}`,
        (answer) => (answer.status?.allowed ? keep.allowed : keep.refused),
        () =>
          client.create(SubjectAccessReview, {
            apiVersion: 'authorization.k8s.io/v1',
            kind: 'SubjectAccessReview',
            spec: {
              user: user.username,
              groups: user.groups,
              ...(user.uid !== undefined && { uid: user.uid }),
              ...(user.extra && { extra: user.extra }),
              ...attributes,
            },
          }),
      );
      return review.status?.allowed ?? false;
    },
  };
}
