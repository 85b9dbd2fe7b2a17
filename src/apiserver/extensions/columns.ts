/** What `kubectl get` shows of custom resources. upstream: apiextensions-apiserver/pkg/registry/customresource/tableconvertor. */
import type { Column, CustomResourceColumnDefinition } from '#api';
import type { KubeObject } from '#machinery/meta';
import { humanDuration } from '../table/table.ts';
import { jsonPath } from './json-path.ts';

const nameColumn: Column<KubeObject> = { name: 'Name', type: 'string', format: 'name', cell: (object) => object.metadata?.name ?? '' };
const age: CustomResourceColumnDefinition = { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' };

export function columnsFor(definitions: readonly CustomResourceColumnDefinition[] | undefined): Column<KubeObject>[] {
  const columns: Column<KubeObject>[] = [nameColumn];
  for (const definition of definitions?.length ? definitions : [age]) {
    const { name, type, format, priority } = definition;
    const path = pathOf(definition.jsonPath);
    columns.push({
      name,
      type: type as Column<KubeObject>['type'],
      ...(format && { format }),
      ...(priority && { priority }),
      cell: (object, now) => cellOf(path(object)[0], type, now),
    });
  }
  return columns;
}

/** A path that cannot be read leads nowhere. */
function pathOf(text: string): (value: unknown) => unknown[] {
  try {
    return jsonPath(text);
  } catch {
    return () => [];
  }
}

function cellOf(value: unknown, type: string, now: number): string | number | bigint | boolean | null {
  if (value === undefined || value === null) return null;
  switch (type) {
    case 'integer':
      return typeof value === 'number' ? Math.trunc(value) : typeof value === 'bigint' ? value : null;
    case 'number':
      return typeof value === 'number' || typeof value === 'bigint' ? value : null;
    case 'boolean':
      return typeof value === 'boolean' ? value : null;
    case 'date': {
      if (typeof value !== 'string') return null;
      const at = Date.parse(value);
      return Number.isNaN(at) ? '<invalid>' : humanDuration(now - at);
    }
    default:
      return typeof value === 'object' ? JSON.stringify(value) : String(value as string | number | bigint | boolean);
  }
}
