/** Credentials of a registry out of pull secrets. upstream: pkg/credentialprovider. */
import type { Secret } from '#api';
import type { AuthConfig } from '#runtime';

interface DockerEntry {
  username?: string;
  password?: string;
  auth?: string;
  identitytoken?: string;
  registrytoken?: string;
}

const decode = (data: string | undefined): string => Buffer.from(data ?? '', 'base64').toString('utf8');

function entriesOf(secret: Secret): Record<string, DockerEntry> {
  try {
    if (secret.type === 'kubernetes.io/dockerconfigjson')
      return (JSON.parse(decode(secret.data?.['.dockerconfigjson'])) as { auths?: Record<string, DockerEntry> }).auths ?? {};
    if (secret.type === 'kubernetes.io/dockercfg') return JSON.parse(decode(secret.data?.['.dockercfg'])) as Record<string, DockerEntry>;
  } catch {
    // A secret that cannot be read gives no credentials; the pull's own failure tells the user.
  }
  return {};
}

const withoutScheme = (server: string): string =>
  server
    .replace(/^https?:\/\//, '')
    .replace(/^index\.docker\.io\/v1\/?$/, 'docker.io')
    .replace(/\/+$/, '');

/** Whether a key ("*.example.com/team", "registry:5000") is meant for a repository. */
export function matchesRegistry(key: string, repository: string): boolean {
  const [keyHost = '', ...keyPath] = withoutScheme(key).split('/');
  const [host = '', ...rest] = repository.split('/');
  const keyParts = keyHost.split('.');
  const parts = host.split('.');
  if (keyParts.length !== parts.length) return false;
  const glob = (pattern: string, text: string): boolean =>
    new RegExp(
      `^${pattern
        .replace(/[.+^${}()|[\]\\]/g, '\\$&')
        .replaceAll('*', '.*')
        .replaceAll('?', '.')}$`,
    ).test(text);
  if (!keyParts.every((part, index) => glob(part, parts[index]!))) return false;
  const wanted = keyPath.join('/').replace(/^v[12]\/?/, '');
  return rest.join('/').startsWith(wanted);
}

/** The longest key first, as the most particular one. */
export function credentialsFor(repository: string, secrets: readonly Secret[]): AuthConfig[] {
  const found: [string, AuthConfig][] = [];
  for (const secret of secrets)
    for (const [server, entry] of Object.entries(entriesOf(secret))) {
      if (!matchesRegistry(server, repository)) continue;
      const [user, ...password] = decode(entry.auth).split(':');
      found.push([
        server,
        {
          username: entry.username || (user ?? ''),
          password: entry.password || password.join(':'),
          serverAddress: server,
          ...(entry.identitytoken && { identityToken: entry.identitytoken }),
          ...(entry.registrytoken && { registryToken: entry.registrytoken }),
        },
      ]);
    }
  return found.toSorted(([a], [b]) => b.length - a.length).map(([, auth]) => auth);
}
