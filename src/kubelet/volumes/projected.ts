import type { Pod } from '#api';
import { allContainers, namespaceOf, specOf } from '../pod-spec.ts';
import type { ProjectedFile } from './atomic-writer.ts';
import type { VolumePlugin } from './contract.ts';
import { configMapFiles, downwardFiles, secretFiles } from './payload.ts';
import { project } from './projection.ts';

/** The user that all containers run as, where it is one. upstream: pkg/volume/util FsUserFrom. */
function commonUser(pod: Pod): number | undefined {
  let user: number | undefined;
  for (const container of allContainers(pod)) {
    const own = container.securityContext?.runAsUser ?? specOf(pod).securityContext?.runAsUser;
    if (own === undefined || (user !== undefined && user !== own)) return undefined;
    user = own;
  }
  return user;
}

/** upstream: pkg/volume/projected. */
export const projectedPlugin: VolumePlugin = {
  name: 'kubernetes.io/projected',
  handles: (volume) => volume.projected !== undefined,
  memory: true,
  async setUp(pod, volume, directory, deps) {
    const { sources = [], defaultMode: mode } = volume.projected!;
    const namespace = namespaceOf(pod);
    const files = new Map<string, ProjectedFile>();
    const problems: string[] = [];
    const add = (more: ReadonlyMap<string, ProjectedFile>): void => {
      for (const [name, file] of more) files.set(name, file);
    };
    for (const source of sources)
      try {
        if (source.configMap) {
          const { name = '', items, optional } = source.configMap;
          const configMap = await deps.objects.configMap(namespace, name);
          if (!configMap && !optional) throw new Error(`configmap "${name}" not found`);
          add(configMapFiles(configMap ?? {}, { items, mode, optional }));
        } else if (source.secret) {
          const { name = '', items, optional } = source.secret;
          const secret = await deps.objects.secret(namespace, name);
          if (!secret && !optional) throw new Error(`secret "${name}" not found`);
          add(secretFiles(secret ?? {}, { items, mode, optional }));
        } else if (source.downwardAPI) add(downwardFiles(pod, source.downwardAPI.items, mode, deps));
        else if (source.serviceAccountToken) {
          if (deps.simulated) continue;
          const { audience = '', expirationSeconds = 3600, path } = source.serviceAccountToken;
          const token = await deps.tokens.token(pod, audience, expirationSeconds);
          const user = commonUser(pod);
          const closed = user !== undefined || specOf(pod).securityContext?.fsGroup !== undefined;
          files.set(path, { data: Buffer.from(token), mode: closed ? 0o600 : (mode ?? 0o644), user });
        } else if (source.clusterTrustBundle && !source.clusterTrustBundle.optional)
          throw new Error('unable to get trust bundles: the API does not serve ClusterTrustBundles');
      } catch (error) {
        problems.push((error as Error).message);
      }
    if (problems.length) throw new Error(problems.length === 1 ? problems[0] : `[${problems.join(', ')}]`);
    return project(pod, directory, files, deps);
  },
};
