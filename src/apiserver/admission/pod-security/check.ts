import type { Pod } from '#api';

export type PodSpec = NonNullable<Pod['spec']>;
/** What init, ordinary and ephemeral containers share. */
export type AnyContainer = PodSpec['containers'][number];

/** Why a pod is refused: in short, and with names. */
export interface Violation {
  reason: string;
  detail: string;
}

export type CheckPod = (spec: PodSpec, annotations: Readonly<Record<string, string>>) => Violation | undefined;

/** One rule of a standard, in the versions it has had. upstream: pod-security-admission/policy Check. */
export interface Check {
  id: string;
  /** Ascending by `since`, the first minor version that checks so. */
  versions: readonly { since: number; check: CheckPod; overrides?: string }[];
}

export const containersOf = (spec: PodSpec): AnyContainer[] => [
  ...(spec.initContainers ?? []),
  ...spec.containers,
  ...((spec.ephemeralContainers ?? []) as AnyContainer[]),
];

export const namesOf = (containers: readonly AnyContainer[]): string[] => containers.map(({ name }) => name);
export const quoted = (items: readonly string[]): string => items.map((item) => `"${item}"`).join(', ');
export const plural = (singular: string, count: number, many = `${singular}s`): string => (count === 1 ? singular : many);
export const sorted = (items: Iterable<string>): string[] => [...new Set(items)].sort();
/** `containers "a", "b"`. */
export const containerText = (names: readonly string[]): string => `${plural('container', names.length)} ${quoted(names)}`;
/** `pod and container "a"`. */
export const setters = (pod: boolean, containers: readonly AnyContainer[]): string =>
  [...(pod ? ['pod'] : []), ...(containers.length > 0 ? [containerText(namesOf(containers))] : [])].join(' and ');

export const onWindows = ({ os }: PodSpec): boolean => os?.name === 'windows';
/** In a user namespace of its own, root is not the host's. */
export const hasOwnUsers = ({ hostUsers }: PodSpec): boolean => hostUsers === false;
