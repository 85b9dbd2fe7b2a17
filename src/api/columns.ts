/** What the columns of many kinds share. upstream: pkg/printers/internalversion/printers.go, apimachinery/pkg/util/duration. */
import type { KubeObject } from '#machinery/meta';
import { formatLabelSelector } from '#machinery/selectors';
import type { Column } from './contract.ts';
import type { Container, LabelSelector } from './facts/types.ts';

/** A duration as kubectl shows ages: "5m30s", "3h", "12d". upstream: duration.HumanDuration. */
export function humanDuration(milliseconds: number): string {
  const seconds = Math.trunc(milliseconds / 1000);
  if (seconds < -1) return '<invalid>';
  if (seconds < 0) return '0s';
  if (seconds < 120) return `${seconds}s`;
  const minutes = Math.trunc(seconds / 60);
  if (minutes < 10) return seconds % 60 === 0 ? `${minutes}m` : `${minutes}m${seconds % 60}s`;
  if (minutes < 180) return `${minutes}m`;
  const hours = Math.trunc(minutes / 60);
  if (hours < 8) return minutes % 60 === 0 ? `${hours}h` : `${hours}h${minutes % 60}m`;
  if (hours < 48) return `${hours}h`;
  const days = Math.trunc(hours / 24);
  if (hours < 192) return hours % 24 === 0 ? `${days}d` : `${days}d${hours % 24}h`;
  if (days < 730) return `${days}d`;
  const years = Math.trunc(days / 365);
  if (days < 2920) return days % 365 === 0 ? `${years}y` : `${years}y${days % 365}d`;
  return `${years}y`;
}

/** How long ago a timestamp was, or "<unknown>". */
export function since(time: string | null | undefined, now: number): string {
  return time ? humanDuration(now - Date.parse(time)) : '<unknown>';
}

export const ageColumn: Column<KubeObject> = {
  name: 'Age',
  type: 'string',
  cell: (object, now) => since(object.metadata?.creationTimestamp, now),
};
export const nameColumn: Column<KubeObject> = {
  name: 'Name',
  type: 'string',
  format: 'name',
  cell: (object) => object.metadata?.name ?? '',
};

/** What upstream shows of kinds it has no columns for. upstream: rest.NewDefaultTableConvertor. */
export const createdAtColumns: Column<KubeObject>[] = [
  nameColumn,
  { name: 'Created At', type: 'date', cell: (object) => object.metadata?.creationTimestamp ?? null },
];

/** Text, whole number and truth columns; the last argument 1 shows them with -o wide only. */
export const text = <T>(name: string, cell: Column<T>['cell'], priority?: 1): Column<T> => ({
  name,
  type: 'string',
  cell,
  ...(priority && { priority }),
});
export const integer = <T>(name: string, cell: (object: T) => number): Column<T> => ({ name, type: 'integer', cell });
export const truth = <T>(name: string, cell: (object: T) => boolean): Column<T> => ({ name, type: 'boolean', cell });

/** The wide columns Containers and Images of what has a pod template. */
export function containerColumns<T>(containers: (object: T) => readonly Container[] | undefined, priority: 0 | 1 = 1): Column<T>[] {
  return [
    {
      name: 'Containers',
      type: 'string',
      priority,
      cell: (object) => (containers(object) ?? []).map((container) => container.name).join(','),
    },
    {
      name: 'Images',
      type: 'string',
      priority,
      cell: (object) => (containers(object) ?? []).map((container) => container.image ?? '').join(','),
    },
  ];
}

/** "a=1,b=2", or "<none>". upstream: labels.FormatLabels. */
export function formatLabels(labels: Record<string, string> | null | undefined): string {
  const keys = Object.keys(labels ?? {}).sort();
  return keys.length ? keys.map((key) => `${key}=${labels![key]}`).join(',') : '<none>';
}

/** A selector's text, sorted by key; "" for one without requirements or without a meaning. upstream: the selector of a scale subresource. */
export function selectorText(selector: LabelSelector | null | undefined): string {
  const text = formatLabelSelector(selector ?? undefined);
  return text === '<none>' || text === '<error>' ? '' : text;
}

/** The first `limit` items and how many more there are. upstream: listWithMoreString. */
export function listWithMore(items: readonly string[], limit = 3, empty = '<unset>'): string {
  const list = items.slice(0, limit).join(',');
  if (items.length > limit) return `${list} + ${items.length - limit} more...`;
  return list || empty;
}

export { formatLabelSelector };
