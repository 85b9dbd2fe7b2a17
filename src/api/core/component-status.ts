/** Made up when read; nothing of it is stored. upstream: pkg/registry/core/componentstatus. */
import { ComponentStatus } from '../facts/kinds.ts';
import { defineKind } from '../contract.ts';
import { nameColumn, text } from '../columns.ts';

const health = (component: ComponentStatus) => component.conditions?.find((condition) => condition.type === 'Healthy');

export const componentStatusRules = defineKind<ComponentStatus>({
  kind: ComponentStatus,
  columns: [
    nameColumn,
    text('Status', (component) => {
      const condition = health(component);
      return condition ? (condition.status === 'True' ? 'Healthy' : 'Unhealthy') : 'Unknown';
    }),
    text('Message', (component) => health(component)?.message ?? ''),
    text('Error', (component) => health(component)?.error ?? ''),
  ],
});
