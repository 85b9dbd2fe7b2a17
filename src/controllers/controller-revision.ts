import type { ControllerRevision, Kind } from '#api';
import { ControllerRevision as ControllerRevisionKind } from '#api';
import type { Client } from '#client';
import type { KubeObject } from '#machinery/meta';
import { draft } from '#machinery/meta';
import { isAlreadyExists, isConflict, isNotFound } from '#machinery/status';
import type { PodTemplateSpec } from './api-types.ts';
import { controllerReference } from './owner.ts';
import { canonicalJson, fnv32a, safeEncode } from './template-hash.ts';

export const revisionHashLabel = 'controller-revision-hash';
const dataHashLabel = 'controller.kubernetes.io/hash';

/**
 * What a revision keeps: a patch that puts the template back. Its fields are in alphabetical order, as Go writes maps: kubectl and others
 * compare the bytes of a revision with those they make themselves.
 */
export const templatePatch = (template: PodTemplateSpec): { spec: { template: PodTemplateSpec } } =>
  sorted({ spec: { template: { ...template, $patch: 'replace' } as PodTemplateSpec } });

function sorted<T>(value: T): T {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(sorted) as T;
  const entries = Object.entries(value).filter(([, item]) => item !== undefined);
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, item]) => [key, sorted(item)])) as T;
}

/** The template that a revision keeps. */
export function templateOf(revision: ControllerRevision): PodTemplateSpec {
  const { $patch: _, ...template } = draft((revision.data as { spec: { template: PodTemplateSpec & { $patch?: string } } }).spec.template);
  return template;
}

export const sameData = (a: unknown, b: unknown): boolean => canonicalJson(a) === canonicalJson(b);

export const byRevision = (revisions: readonly ControllerRevision[]): ControllerRevision[] =>
  revisions.toSorted((a, b) => a.revision - b.revision || (a.metadata!.creationTimestamp! < b.metadata!.creationTimestamp! ? -1 : 1));

/** upstream: pkg/controller/history HashControllerRevision; the digits differ, as those of templateHash. */
export const revisionHash = (data: unknown, collisions: number): string =>
  safeEncode(String(fnv32a(Buffer.from(`${canonicalJson(data)}${collisions}`))));

export interface NewRevision {
  owner: KubeObject;
  ownerKind: Kind;
  labels: Record<string, string> | undefined;
  data: unknown;
  revision: number;
}

/** Creates a revision; one of the same name with other data is a collision, and `collided` answers the next count to try (or throws). */
export async function createRevision(
  client: Client,
  { owner, ownerKind, labels, data, revision }: NewRevision,
  hashOf: (collisions: number) => string,
  extraLabels: (hash: string) => Record<string, string>,
  collisions: number,
  collided: (collisions: number) => Promise<number>,
): Promise<ControllerRevision> {
  const { name, namespace, annotations } = owner.metadata!;
  for (let count = collisions; ;) {
    const hash = hashOf(count);
    const wanted: ControllerRevision = {
      apiVersion: 'apps/v1',
      kind: 'ControllerRevision',
      metadata: {
        name: `${name!.slice(0, 223)}-${hash}`,
        namespace: namespace!,
        labels: { ...labels, ...extraLabels(hash) },
        ...(annotations && { annotations: { ...annotations } }),
        ownerReferences: [controllerReference(ownerKind, owner)],
      },
      data: data as never,
      revision,
    };
    try {
      return await client.create(ControllerRevisionKind, wanted);
    } catch (error) {
      if (!isAlreadyExists(error)) throw error;
      const existing = await client.get(ControllerRevisionKind, { namespace: namespace!, name: wanted.metadata!.name! });
      if (sameData(existing.data, data)) return existing;
      count = await collided(count);
    }
  }
}

export const dataHashLabels = (hash: string): Record<string, string> => ({ [dataHashLabel]: hash });

/** Gives a revision a new number. */
export async function renumber(client: Client, revision: ControllerRevision, number: number): Promise<ControllerRevision> {
  if (revision.revision === number) return revision;
  for (let current = revision, tries = 0; ; tries++)
    try {
      return await client.update(ControllerRevisionKind, { ...draft(current), revision: number });
    } catch (error) {
      if (!isConflict(error) || tries > 3) throw error;
      current = await client.get(ControllerRevisionKind, revision.metadata as { namespace: string; name: string });
    }
}

export async function deleteRevision(client: Client, revision: ControllerRevision): Promise<void> {
  await client.delete(ControllerRevisionKind, revision.metadata as { namespace: string; name: string }).catch((error: unknown) => {
    if (!isNotFound(error)) throw error;
  });
}
