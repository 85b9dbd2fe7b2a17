/** Files out of objects, for configMap, secret, downwardAPI and projected volumes alike. */
import type { ConfigMap, DownwardAPIVolumeFile, KeyToPath, Pod, Secret } from '#api';
import { fieldValue, resourceValue } from '../pod-runtime/downward-api.ts';
import { containersOf } from '../pod-spec.ts';
import type { ProjectedFile } from './atomic-writer.ts';
import type { VolumeDependencies } from './contract.ts';

/** Modes come from JSON in decimal. */
const defaultMode = 0o644;

function pick(
  data: ReadonlyMap<string, Uint8Array>,
  items: readonly KeyToPath[] | undefined,
  mode: number | undefined,
  missing: (key: string) => string,
  optional: boolean,
): Map<string, ProjectedFile> {
  const files = new Map<string, ProjectedFile>();
  if (!items?.length) for (const [key, bytes] of data) files.set(key, { data: bytes, mode: mode ?? defaultMode });
  for (const item of items ?? []) {
    const bytes = data.get(item.key);
    if (bytes) files.set(item.path, { data: bytes, mode: item.mode ?? mode ?? defaultMode });
    else if (!optional) throw new Error(missing(item.key));
  }
  return files;
}

export function configMapFiles(
  configMap: ConfigMap,
  { items, mode, optional = false }: { items?: KeyToPath[] | undefined; mode?: number | undefined; optional?: boolean | undefined },
): Map<string, ProjectedFile> {
  const data = new Map<string, Uint8Array>();
  for (const [key, text] of Object.entries(configMap.data ?? {})) data.set(key, Buffer.from(text));
  for (const [key, text] of Object.entries(configMap.binaryData ?? {})) data.set(key, Buffer.from(text, 'base64'));
  return pick(data, items, mode, (key) => `configmap references non-existent config key: ${key}`, optional);
}

export function secretFiles(
  secret: Secret,
  { items, mode, optional = false }: { items?: KeyToPath[] | undefined; mode?: number | undefined; optional?: boolean | undefined },
): Map<string, ProjectedFile> {
  const data = new Map<string, Uint8Array>();
  for (const [key, text] of Object.entries(secret.data ?? {})) data.set(key, Buffer.from(text, 'base64'));
  return pick(data, items, mode, (key) => `references non-existent secret key: ${key}`, optional);
}

export function downwardFiles(
  pod: Pod,
  items: readonly DownwardAPIVolumeFile[] | undefined,
  mode: number | undefined,
  deps: VolumeDependencies,
): Map<string, ProjectedFile> {
  const files = new Map<string, ProjectedFile>();
  const podIps = (deps.podStatus(pod.metadata?.uid ?? '')?.podIPs ?? []).map(({ ip }) => ip);
  for (const item of items ?? []) {
    let text = '';
    if (item.fieldRef) text = fieldValue(item.fieldRef.fieldPath, pod, { podIps, nodeIps: deps.nodeIps });
    else if (item.resourceFieldRef) text = resourceValue(item.resourceFieldRef, pod, containersOf(pod)[0]!, deps.allocatable());
    files.set(item.path.replace(/^\/+/, ''), { data: Buffer.from(text), mode: item.mode ?? mode ?? defaultMode });
  }
  return files;
}
