/**
 * Who may use the kubelet's server: client certificates of the cluster's CA, or bearer tokens that the API server's TokenReview knows;
 * then a SubjectAccessReview on nodes and the subresource that fits the path. Answers are kept as long as upstream keeps them.
 * upstream: pkg/kubelet/server/auth.go; kubelet/config/v1beta1 authentication and authorization.
 */
import type { IncomingMessage } from 'node:http';
import type { TLSSocket } from 'node:tls';
import { delegatedAccess } from '#client';
import type { Client, DelegatedUser } from '#client';
import type { Clock } from '#machinery/clock';

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
  const access = delegatedAccess(client, clock, keep);

  async function userOf(request: IncomingMessage): Promise<DelegatedUser | undefined> {
    const socket = request.socket as TLSSocket;
    if (socket.authorized) {
      const { subject } = socket.getPeerCertificate();
      const groups = [subject.O ?? []].flat() as string[];
      return { username: String(subject.CN), groups: [...groups, 'system:authenticated'] };
    }
    const token = /^bearer\s+(\S+)$/i.exec(request.headers.authorization ?? '')?.[1];
    return token ? access.userOf(token) : undefined;
  }

  return async (request, path) => {
    const user = await userOf(request);
    if (!user) return { status: 401, text: 'Unauthorized' };
    const verb = verbs[request.method ?? ''] ?? '';
    const subresources = subresourcesOf(path);
    for (const subresource of subresources) {
      const resourceAttributes = { verb, group: '', version: 'v1', resource: 'nodes', subresource, name: nodeName };
      if (await access.allowed(user, { resourceAttributes })) return undefined;
    }
    const names = subresources.join(' ');
    return { status: 403, text: `Forbidden (user=${user.username}, verb=${verb}, resource=nodes, subresource(s)=[${names}])\n` };
  };
}
