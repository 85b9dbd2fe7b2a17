/** upstream: pkg/registry/core/endpoint/strategy.go. */
import { Endpoints } from '../facts/kinds.ts';
import { defineKind } from '../contract.ts';
import { ageColumn, text } from '../columns.ts';
import { validateEndpoints, validateEndpointsUpdate, warningsForEndpoints } from './endpoints-validation.ts';

function applyDefaults(endpoints: Endpoints): void {
  for (const { ports } of endpoints.subsets ?? []) for (const port of ports ?? []) if (!port.protocol) port.protocol = 'TCP';
}

const shownEndpoints = 3;

function endpointText(endpoints: Endpoints): string {
  if (!endpoints.subsets?.length) return '<none>';
  const list: string[] = [];
  let count = 0;
  for (const { addresses = [], ports = [] } of endpoints.subsets)
    for (const port of ports.length ? ports : [undefined]) {
      count += addresses.length;
      for (const { ip } of addresses) {
        if (list.length === shownEndpoints) break;
        list.push(port ? `${ip?.includes(':') ? `[${ip}]` : ip}:${port.port}` : ip);
      }
    }
  return count > list.length ? `${list.join(',')} + ${count - shownEndpoints} more...` : list.join(',');
}

export const endpointsRules = defineKind<Endpoints>({
  kind: Endpoints,
  applyDefaults,
  validate: validateEndpoints,
  validateUpdate: validateEndpointsUpdate,
  warnings: warningsForEndpoints,
  allowCreateOnUpdate: true,
  columns: [text('Endpoints', endpointText), ageColumn],
});
