import { annotationsSizeLimit, byteLength } from '#machinery/names';
import type { KubeObject } from '#machinery/meta';
import { parseJson } from '#machinery/json';
import { compare } from './compare.ts';
import type { Conflicts } from './conflict.ts';
import { fieldSetOf } from './field-set.ts';
import { difference, isEmptyFields } from './fields.ts';
import type { Fields } from './fields.ts';
import type { TypeSchema } from './schema.ts';

/**
 * The way over from `kubectl apply` on the client to the server: what the annotation says was applied before may be taken over, and the
 * annotation is kept up to date. upstream: managedfields/internal/lastappliedmanager.go, lastappliedupdater.go.
 */

export const lastAppliedAnnotation = 'kubectl.kubernetes.io/last-applied-configuration';
/** The only manager that gets this. */
export const kubectlManager = 'kubectl';

/** The conflicts that are left when those are taken out whose fields the live object still has as kubectl applied them. */
export function withoutLastApplied(conflicts: Conflicts, live: KubeObject, apiVersion: string, schema: TypeSchema): Conflicts {
  const allowed = lastAppliedFields(live, apiVersion, schema);
  if (!allowed) return conflicts;
  const left: Conflicts = new Map();
  for (const [id, { entry, fields }] of conflicts) {
    const rest = difference(fields, allowed);
    if (!isEmptyFields(rest)) left.set(id, { entry, fields: rest! });
  }
  return left;
}

function lastAppliedFields(live: KubeObject, apiVersion: string, schema: TypeSchema): Fields | undefined {
  const text = live.metadata?.annotations?.[lastAppliedAnnotation];
  if (!text) return undefined;
  let applied: KubeObject;
  try {
    applied = parseJson(text) as KubeObject;
  } catch {
    // Clients write the annotation: what cannot be read allows nothing.
    return undefined;
  }
  if (applied?.apiVersion !== apiVersion) return undefined;
  const changes = compare(applied, live, schema);
  return difference(difference(difference(fieldSetOf(applied, schema), changes?.modified), changes?.added), changes?.removed);
}

/** The object with its annotation brought up to date, where it has one. */
export function withLastApplied<T extends KubeObject>(object: T, applied: KubeObject): T {
  const annotations = object.metadata?.annotations;
  if (!annotations?.[lastAppliedAnnotation]) return object;
  const { [lastAppliedAnnotation]: _, ...others } = applied.metadata?.annotations ?? {};
  const { annotations: given, ...metadata } = applied.metadata ?? {};
  const configuration = { ...applied, metadata: given ? { ...metadata, annotations: others } : metadata };
  const updated: Record<string, string> = { ...annotations, [lastAppliedAnnotation]: `${JSON.stringify(configuration)}\n` };
  const size = Object.entries(updated).reduce((sum, [key, value]) => sum + byteLength(key) + byteLength(value), 0);
  if (size > annotationsSizeLimit) delete updated[lastAppliedAnnotation];
  return { ...object, metadata: { ...object.metadata, annotations: updated } };
}
