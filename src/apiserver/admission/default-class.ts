import type { KubeObject } from '#machinery/meta';

/** The newest of the objects marked as default; of several of one moment the first by name. */
export function defaultClass<T extends KubeObject>(classes: readonly T[], annotations: readonly string[]): T | undefined {
  const age = ({ metadata }: KubeObject): string => metadata?.creationTimestamp ?? '';
  const name = ({ metadata }: KubeObject): string => metadata?.name ?? '';
  return classes
    .filter(({ metadata }) => annotations.some((annotation) => metadata?.annotations?.[annotation] === 'true'))
    .sort((a, b) => (age(a) === age(b) ? (name(a) < name(b) ? -1 : 1) : age(a) > age(b) ? -1 : 1))[0];
}
