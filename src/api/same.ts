/**
 * Whether two values mean the same to the API: what Go leaves out when it writes an object (empty lists, empty maps, zero values of
 * plain fields) counts as absent. upstream: apimachinery/pkg/api/equality.Semantic.
 */

/** Fields where false, 0 or "" says something that absence does not: pointers upstream. */
const pointers = new Set(
  `activeDeadlineSeconds allocateLoadBalancerNodePorts allowPrivilegeEscalation automountServiceAccountToken backoffLimit completions
  currentVolumeAttributesClassName defaultMode enableServiceLinks expirationSeconds fsGroup hostProcess hostUsers hostnameOverride immutable
  localhostProfile lun manualSelector minDomains mode nodeAffinityPolicy nodeTaintsPolicy optional parallelism partition priority privileged
  procMount readOnlyRootFilesystem replicas runAsGroup runAsNonRoot runAsUser runtimeClassName setHostnameAsFQDN shareProcessNamespace
  storageClassName supplementalGroupsPolicy suspend terminationGracePeriodSeconds tolerationSeconds ttlSecondsAfterFinished
  volumeAttributesClassName`.split(/\s+/),
);

function isNothing(value: unknown, field: string): boolean {
  if (value == null) return true;
  if (value === false || value === 0 || value === '') return !pointers.has(field);
  return typeof value === 'object' && isHollow(value);
}

/** An empty list or map; an object that is there is there, be it empty: `emptyDir: {}`. */
const presence = new Set([
  'emptyDir',
  'securityContext',
  'affinity',
  'podAffinity',
  'podAntiAffinity',
  'nodeAffinity',
  'rollingUpdate',
  'queuing',
]);

const isHollow = (value: object): boolean => {
  for (const _ in value) return false;
  return true;
};

export function same(a: unknown, b: unknown, field = ''): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) {
    if (presence.has(field)) return a == null && b == null;
    return isNothing(a, field) && isNothing(b, field);
  }
  if (Array.isArray(a) || Array.isArray(b)) {
    if (!Array.isArray(a) || !Array.isArray(b) || a.length !== b.length) return false;
    return a.every((item, index) => same(item, b[index]));
  }
  const left = a as Record<string, unknown>;
  const right = b as Record<string, unknown>;
  for (const key in left) if (!same(left[key], right[key], key)) return false;
  for (const key in right) if (left[key] === undefined && !same(undefined, right[key], key)) return false;
  return true;
}

const context = 3;

/** What differs between two values, as lines of JSON. upstream: apimachinery/pkg/util/diff. */
export function difference(old: unknown, value: unknown): string {
  const before = JSON.stringify(old, null, '  ').split('\n');
  const after = JSON.stringify(value, null, '  ').split('\n');
  let head = 0;
  while (head < before.length && head < after.length && before[head] === after[head]) head++;
  let tail = 0;
  while (tail < before.length - head && tail < after.length - head && before.at(-1 - tail) === after.at(-1 - tail)) tail++;
  const start = Math.max(0, head - context);
  const end = Math.min(before.length, before.length - tail + context);
  const lines = [
    ...before.slice(start, head).map((line) => ` ${line}`),
    ...before.slice(head, before.length - tail).map((line) => `-${line}`),
    ...after.slice(head, after.length - tail).map((line) => `+${line}`),
    ...before.slice(before.length - tail, end).map((line) => ` ${line}`),
  ];
  const added = end - start - (before.length - after.length);
  return `@@ -${start + 1},${end - start} +${start + 1},${added} @@\n${lines.join('\n')}\n`;
}
