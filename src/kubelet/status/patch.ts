/** The difference between two pod statuses as a strategic merge patch. upstream: pkg/util/pod PatchPodStatus. */
import type { PodCondition, PodStatus } from '#api';
import { equal } from '#machinery/meta';

/** Lists that the API merges by a key; all others are replaced whole. */
const mergeKeys: Record<string, string> = { conditions: 'type', podIPs: 'ip', hostIPs: 'ip', resourceClaimStatuses: 'name' };

type Item = Record<string, unknown>;

function listPatch(before: Item[], after: Item[], key: string): { changes: Item[]; order: Item[] } {
  const old = new Map(before.map((item) => [item[key], item]));
  const names = new Set(after.map((item) => item[key]));
  const changes: Item[] = [];
  for (const item of after) {
    const was = old.get(item[key]);
    if (was && equal(was, item)) continue;
    const change: Item = { ...item };
    for (const field of Object.keys(was ?? {})) if (item[field] === undefined) change[field] = null;
    changes.push(change);
  }
  for (const item of before) if (!names.has(item[key])) changes.push({ $patch: 'delete', [key]: item[key] });
  return { changes, order: after.map((item) => ({ [key]: item[key] })) };
}

/** Undefined when nothing differs. */
export function statusPatch(uid: string, before: PodStatus, after: PodStatus): Record<string, unknown> | undefined {
  const from = before as Record<string, unknown>;
  const to = after as Record<string, unknown>;
  const status: Record<string, unknown> = {};
  for (const field of new Set([...Object.keys(from), ...Object.keys(to)])) {
    const old = from[field];
    const next = to[field];
    if (equal(old, next)) continue;
    const key = mergeKeys[field];
    if (next === undefined || next === null) status[field] = null;
    else if (key) {
      const { changes, order } = listPatch((old as Item[] | undefined) ?? [], next as Item[], key);
      if (!changes.length) continue;
      status[`$setElementOrder/${field}`] = order;
      status[field] = changes;
    } else if (typeof next === 'object' && !Array.isArray(next)) status[field] = old ? { $patch: 'replace', ...next } : next;
    else status[field] = next;
  }
  return Object.keys(status).length ? { metadata: { uid }, status } : undefined;
}

/** Keeps the moment of a condition's last change where its status did not change. Changes `conditions`. */
export function keepTransitionTimes(conditions: PodCondition[], old: readonly PodCondition[] | undefined, now: string): void {
  for (const condition of conditions) {
    const was = old?.find(({ type }) => type === condition.type);
    condition.lastTransitionTime =
      was && was.status === condition.status ? (was.lastTransitionTime ?? now) : (condition.lastTransitionTime ?? now);
  }
}
