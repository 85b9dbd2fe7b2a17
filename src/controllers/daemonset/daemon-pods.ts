import type { DaemonSet, Node, Pod } from '#api';
import { draft } from '#machinery/meta';
import { requiredNodeAffinity, untolerated } from '#machinery/selectors';
import type { PodSpec, PodTemplateSpec, Toleration } from '../api-types.ts';
import { revisionHashLabel } from '../controller-revision.ts';
import { scaledValue } from '../int-or-percent.ts';

/** Questions about a DaemonSet, its nodes and its pods. upstream: pkg/controller/daemon/util/daemonset_util.go, daemon_controller.go. */

const generationLabel = 'pod-template-generation';
const generationAnnotation = 'deprecated.daemonset.template.generation';
const nameField = 'metadata.name';

const always: [key: string, effect: string][] = [
  ['node.kubernetes.io/not-ready', 'NoExecute'],
  ['node.kubernetes.io/unreachable', 'NoExecute'],
  ['node.kubernetes.io/disk-pressure', 'NoSchedule'],
  ['node.kubernetes.io/memory-pressure', 'NoSchedule'],
  ['node.kubernetes.io/pid-pressure', 'NoSchedule'],
  ['node.kubernetes.io/unschedulable', 'NoSchedule'],
];

/** A daemon stays on a node that is in trouble. */
function daemonTolerations(spec: PodSpec): Toleration[] {
  const tolerations = [...(spec.tolerations ?? [])];
  const wanted = spec.hostNetwork ? [...always, ['node.kubernetes.io/network-unavailable', 'NoSchedule'] as const] : always;
  for (const [key, effect] of wanted) {
    const index = tolerations.findIndex((each) => each.key === key && each.effect === effect && (each.value ?? '') === '');
    const toleration = { key, operator: 'Exists', effect };
    if (index < 0) tolerations.push(toleration);
    else tolerations[index] = toleration;
  }
  return tolerations;
}

/** The template of a daemon's pods: the hash and generation as labels, and a daemon's tolerations. */
export function daemonTemplate(daemonSet: DaemonSet, hash: string): PodTemplateSpec {
  const template = draft(daemonSet.spec!.template);
  const generation = daemonSet.metadata!.annotations?.[generationAnnotation];
  template.metadata = {
    ...template.metadata,
    labels: {
      ...template.metadata?.labels,
      ...(generation !== undefined && { [generationLabel]: generation }),
      [revisionHashLabel]: hash,
    },
  };
  template.spec!.tolerations = daemonTolerations(template.spec!);
  return template;
}

/** The template bound to one node: by affinity, so that the scheduler sees to its resources. */
export function templateForNode(template: PodTemplateSpec, nodeName: string): PodTemplateSpec {
  const { affinity } = template.spec!;
  const matchFields = [{ key: nameField, operator: 'In', values: [nodeName] }];
  const required = affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  const terms = required?.nodeSelectorTerms?.length
    ? required.nodeSelectorTerms.map((term) => ({ ...term, matchFields }))
    : [{ matchFields }];
  return {
    ...template,
    spec: {
      ...template.spec!,
      affinity: {
        ...affinity,
        nodeAffinity: { ...affinity?.nodeAffinity, requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: terms } },
      },
    },
  };
}

/** The node a daemon's pod is on, or will be. */
export function targetNode(pod: Pod): string | undefined {
  if (pod.spec?.nodeName) return pod.spec.nodeName;
  for (const { matchFields } of pod.spec?.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms ?? [])
    for (const { key, operator, values } of matchFields ?? [])
      if (key === nameField && operator === 'In' && values?.length === 1) return values[0];
  return undefined;
}

/** Whether the daemon should run on a node, and whether one that is there may stay. */
export function shouldRun(daemonSet: DaemonSet, node: Node): { run: boolean; stay: boolean } {
  const spec = daemonSet.spec!.template.spec!;
  if (spec.nodeName && spec.nodeName !== node.metadata!.name) return { run: false, stay: false };
  if (requiredNodeAffinity(spec)?.(node) === false) return { run: false, stay: false };
  const tolerations = daemonTolerations(spec);
  const { taints } = node.spec ?? {};
  if (!untolerated(taints, tolerations, ['NoExecute', 'NoSchedule'])) return { run: true, stay: true };
  return { run: false, stay: !untolerated(taints, tolerations, ['NoExecute']) };
}

export function isUpdated(daemonSet: DaemonSet, pod: Pod, hash: string): boolean {
  const { labels } = pod.metadata!;
  const generation = daemonSet.metadata!.annotations?.[generationAnnotation];
  return labels?.[revisionHashLabel] === hash || (generation !== undefined && labels?.[generationLabel] === generation);
}

const isRolling = (daemonSet: DaemonSet): boolean => daemonSet.spec!.updateStrategy?.type !== 'OnDelete';

/** How many pods more, and how many fewer, there may be during an update; never both zero. */
export function updateLimits(daemonSet: DaemonSet, desired: number): { surge: number; unavailable: number } {
  const rolling = daemonSet.spec!.updateStrategy?.rollingUpdate;
  if (!isRolling(daemonSet)) return { surge: 0, unavailable: 0 };
  const surge = scaledValue(rolling?.maxSurge, desired, true);
  const unavailable = scaledValue(rolling?.maxUnavailable, desired, true);
  return desired > 0 && surge === 0 && unavailable === 0 ? { surge: 0, unavailable: 1 } : { surge, unavailable };
}

export const allowsSurge = (daemonSet: DaemonSet): boolean =>
  isRolling(daemonSet) && scaledValue(daemonSet.spec!.updateStrategy?.rollingUpdate?.maxSurge, 1, true) > 0;

/** Pods on a node before those that wait for one, then the oldest first. */
export const oldestFirst = (pods: readonly Pod[]): Pod[] =>
  pods.toSorted((a, b) => {
    if (!a.spec?.nodeName !== !b.spec?.nodeName) return a.spec?.nodeName ? -1 : 1;
    const [one, other] = [a.metadata!.creationTimestamp!, b.metadata!.creationTimestamp!];
    if (one !== other) return one < other ? -1 : 1;
    return a.metadata!.name! < b.metadata!.name! ? -1 : 1;
  });
