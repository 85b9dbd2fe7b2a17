/**
 * Who may use the kubelet's server: client certificates of the cluster's CA, or bearer tokens that the API server's TokenReview knows;
 * then a SubjectAccessReview on nodes and the subresource that fits the path. Answers are kept as long as upstream keeps them.
 * upstream: pkg/kubelet/server/auth.go; kubelet/config/v1beta1 authentication and authorization.
 */
import type { IncomingMessage } from 'node:http';
import type { TLSSocket } from 'node:tls';
import { SubjectAccessReview, TokenReview } from '#api';
import type { Client } from '#client';
import type { Clock } from '#machinery/clock';

interface User {
  username: string;
  uid?: string;
  groups: string[];
  extra?: Record<string, string[]>;
}

const minute = 60_000;
const keep = { token: 2 * minute, allowed: 5 * minute, refused: minute / 2 };

/** Which subresources of the node a path belongs to; any of them will do. Fine ones came later, and who may do everything may do them too. */
function subresourcesOf(path: string): readonly string[] {
  for (const [prefix, subresources] of [
    ['/stats', ['stats']],
    ['/metrics', ['metrics']],
    ['/logs', ['log']],
    ['/checkpoint', ['checkpoint']],
    ['/healthz', ['healthz', 'proxy']],
    ['/configz', ['configz', 'proxy']],
    ['/pods', ['pods', 'proxy']],
    ['/runningpods', ['pods', 'proxy']],
  ] as const)
    if (path === prefix || path.startsWith(`${prefix}/`)) return subresources;
  return ['proxy'];
}

const verbs: Record<string, string> = { POST: 'create', GET: 'get', HEAD: 'get', PUT: 'update', PATCH: 'patch', DELETE: 'delete' };

/** Undefined: let in. Else the status and text to answer with. */
export type Gate = (request: IncomingMessage, path: string) => Promise<{ status: number; text: string } | undefined>;

export function gate(client: Client, nodeName: string, clock: Clock): Gate {
  const cache = new Map<string, { until: number; value: unknown }>();
  async function cached<T>(key: string, lifetime: (value: T) => number, make: () => Promise<T>): Promise<T> {
    const now = clock.monotonic();
    const found = cache.get(key);
    if (found && found.until > now) return found.value as T;
    const value = await make();
    if (cache.size > 1000) for (const [old, entry] of cache) if (entry.until <= now || cache.size > 1000) cache.delete(old);
    cache.set(key, { until: now + lifetime(value), value });
    return value;
  }

  async function userOf(request: IncomingMessage): Promise<User | undefined> {
    const socket = request.socket as TLSSocket;
    if (socket.authorized) {
      const { subject } = socket.getPeerCertificate();
      const groups = [subject.O ?? []].flat() as string[];
      return { username: String(subject.CN), groups: [...groups, 'system:authenticated'] };
    }
    const token = /^bearer\s+(\S+)$/i.exec(request.headers.authorization ?? '')?.[1];
    if (!token) return undefined;
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
  }

  return async (request, path) => {
    const user = await userOf(request);
    if (!user) return { status: 401, text: 'Unauthorized' };
    const verb = verbs[request.method ?? ''] ?? '';
    const subresources = subresourcesOf(path);
    for (const subresource of subresources) {
      const review = await cached(
        `access ${JSON.stringify([user, verb, subresource])}`,
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
              resourceAttributes: { verb, group: '', version: 'v1', resource: 'nodes', subresource, name: nodeName },
            },
          }),
      );
      if (review.status?.allowed) return undefined;
    }
    const names = subresources.join(' ');
    return { status: 403, text: `Forbidden (user=${user.username}, verb=${verb}, resource=nodes, subresource(s)=[${names}])\n` };
  };
}
