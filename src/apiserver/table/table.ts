/** What `kubectl get` prints, made by the server. upstream: pkg/printers/tablegenerator.go, apiserver/pkg/registry/rest/table.go. */
import type { Column } from '#api';
import type { KubeObject } from '#machinery/meta';
import type { ServedResource } from '../contract.ts';

export interface TableOptions {
  /** Milliseconds since 1970. */
  now: number;
  /** None, Metadata (default) or Object. */
  includeObject: string;
  metadata: Record<string, unknown>;
  /** Of the Table and of the metadata in its rows. Default: v1. */
  version?: string;
  /** Rows only: later events of a watch. */
  noHeaders?: boolean;
}

const nameColumn: Column<KubeObject> = { name: 'Name', type: 'string', format: 'name', cell: (object) => object.metadata?.name ?? '' };
export const ageColumn: Column<KubeObject> = {
  name: 'Age',
  type: 'string',
  cell: (object, now) => ageOf(object.metadata?.creationTimestamp, now),
};

const columnSets = new WeakMap<ServedResource, Column<KubeObject>[]>();

export function columnsOf(served: ServedResource): Column<KubeObject>[] {
  let columns = columnSets.get(served);
  if (!columns) {
    const own = (served.rules.columns ?? []) as Column<KubeObject>[];
    if (own.some(({ name }) => name === 'Name')) columns = own;
    else {
      const all = [nameColumn, ...own, ...(own.some(({ name }) => name === 'Age') ? [] : [ageColumn])];
      // Wide columns come after all others, Age included.
      columns = [...all.filter(({ priority }) => !priority), ...all.filter(({ priority }) => priority)];
    }
    columnSets.set(served, columns);
  }
  return columns;
}

export function tableOf(served: ServedResource, objects: readonly KubeObject[], options: TableOptions): KubeObject {
  const columns = columnsOf(served);
  const apiVersion = `meta.k8s.io/${options.version ?? 'v1'}`;
  return {
    kind: 'Table',
    apiVersion,
    metadata: options.metadata,
    columnDefinitions: options.noHeaders
      ? null
      : columns.map(({ name, type, format, priority }) => ({
          name,
          type,
          format: format ?? (name === 'Name' ? 'name' : ''),
          description: '',
          priority: priority ?? 0,
        })),
    rows: objects.map((object) => ({
      cells: columns.map((column) => column.cell(object, options.now)),
      object:
        options.includeObject === 'Object'
          ? object
          : options.includeObject === 'None'
            ? null
            : { kind: 'PartialObjectMetadata', apiVersion, metadata: object.metadata },
    })),
  } as KubeObject;
}

export function ageOf(since: string | undefined, now: number): string {
  return since ? humanDuration(now - Date.parse(since)) : '<unknown>';
}

/** upstream: apimachinery/pkg/util/duration HumanDuration. */
export function humanDuration(milliseconds: number): string {
  const seconds = Math.trunc(milliseconds / 1000);
  if (seconds < -1) return '<invalid>';
  if (seconds < 0) return '0s';
  if (seconds < 60 * 2) return `${seconds}s`;
  const minutes = Math.trunc(seconds / 60);
  const and = (count: number, unit: string, rest: number, small: string): string =>
    rest === 0 ? `${count}${unit}` : `${count}${unit}${rest}${small}`;
  if (minutes < 10) return and(minutes, 'm', seconds % 60, 's');
  if (minutes < 60 * 3) return `${minutes}m`;
  const hours = Math.trunc(minutes / 60);
  if (hours < 8) return and(hours, 'h', minutes % 60, 'm');
  if (hours < 48) return `${hours}h`;
  const days = Math.trunc(hours / 24);
  if (hours < 24 * 8) return and(days, 'd', hours % 24, 'h');
  if (hours < 24 * 365 * 2) return `${days}d`;
  const years = Math.trunc(hours / 24 / 365);
  if (hours < 24 * 365 * 8) return and(years, 'y', days % 365, 'd');
  return `${years}y`;
}
