/** upstream: pkg/registry/core/node/strategy.go. */
import { Node } from '../facts/kinds.ts';
import { defineKind } from '../contract.ts';
import { ageColumn, text } from '../columns.ts';
import { keepSpec, keepStatus } from '../strategy.ts';
import { canonicalResources } from './resource-list.ts';
import { validateNode, validateNodeChange, validateNodeUpdate, warningsForNode } from './node-validation.ts';

function applyDefaults(node: Node): void {
  const spec = (node.spec ??= {});
  // The one range and the list of ranges always agree; the one wins. upstream: Convert_v1_NodeSpec_To_core_NodeSpec.
  if (spec.podCIDR && spec.podCIDR !== spec.podCIDRs?.[0]) spec.podCIDRs = [spec.podCIDR];
  else if (!spec.podCIDR && spec.podCIDRs?.length) spec.podCIDR = spec.podCIDRs[0]!;
  const { status } = node;
  if (!status) return;
  if (status.capacity) {
    canonicalResources(status.capacity);
    status.allocatable ??= { ...status.capacity };
  }
  if (status.allocatable) canonicalResources(status.allocatable);
}

function readiness(node: Node): string {
  const ready = node.status?.conditions?.findLast((condition) => condition.type === 'Ready');
  const word = ready ? (ready.status === 'True' ? 'Ready' : 'NotReady') : 'Unknown';
  return node.spec?.unschedulable ? `${word},SchedulingDisabled` : word;
}

function roles(node: Node): string {
  const found = new Set<string>();
  for (const [key, value] of Object.entries(node.metadata?.labels ?? {})) {
    if (key.startsWith('node-role.kubernetes.io/')) {
      const role = key.slice('node-role.kubernetes.io/'.length);
      if (role) found.add(role);
    } else if (key === 'kubernetes.io/role' && value) found.add(value);
  }
  return [...found].sort().join(',') || '<none>';
}

const address = (node: Node, type: string): string => node.status?.addresses?.find((each) => each.type === type)?.address ?? '<none>';

export const nodeRules = defineKind<Node>({
  kind: Node,
  applyDefaults,
  prepareForCreate: (node) => {
    delete node.spec?.configSource;
    delete node.status?.config;
    delete node.status?.declaredFeatures;
  },
  prepareForUpdate: (node, old) => {
    keepStatus(node, old);
    if (!old.spec?.configSource) delete node.spec?.configSource;
  },
  validate: validateNode,
  validateUpdate: validateNodeUpdate,
  warnings: warningsForNode,
  subresources: {
    status: {
      validateUpdate: validateNodeChange,
      prepareForUpdate: (node, old) => {
        keepSpec(node, old);
        if (!old.status?.config) delete node.status?.config;
      },
    },
  },
  generation: false,
  columns: [
    text('Status', readiness),
    text('Roles', roles),
    ageColumn,
    text('Version', (node) => node.status?.nodeInfo?.kubeletVersion ?? ''),
    text('Internal-IP', (node) => address(node, 'InternalIP'), 1),
    text('External-IP', (node) => address(node, 'ExternalIP'), 1),
    text('OS-Image', (node) => node.status?.nodeInfo?.osImage || '<unknown>', 1),
    text('Kernel-Version', (node) => node.status?.nodeInfo?.kernelVersion || '<unknown>', 1),
    text('Container-Runtime', (node) => node.status?.nodeInfo?.containerRuntimeVersion || '<unknown>', 1),
  ],
  selectableFields: { 'spec.unschedulable': (node) => String(node.spec?.unschedulable ?? false) },
});
