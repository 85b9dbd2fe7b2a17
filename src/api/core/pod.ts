/** upstream: pkg/registry/core/pod/strategy.go. */
import { Pod } from '../facts/kinds.ts';
import { defineKind } from '../contract.ts';
import { podColumns } from './pod-columns.ts';
import { defaultPod } from './pod-defaults.ts';
import {
  gracePeriod,
  prepareForCreate,
  prepareForEphemeralContainers,
  prepareForResize,
  prepareForStatusUpdate,
  prepareForUpdate,
} from './pod-strategy.ts';

import { validatePodResize } from './validation/pod-resize.ts';
import { validatePodStatus } from './validation/pod-status.ts';
import { validateEphemeralContainers, validatePod, validatePodUpdate } from './validation/pod-update.ts';
import { warningsForPod } from './pod-warnings.ts';

export const podRules = defineKind<Pod>({
  kind: Pod,
  statusResetFields: ['spec', 'metadata.deletionTimestamp', 'metadata.ownerReferences'],
  applyDefaults: defaultPod,
  prepareForCreate,
  prepareForUpdate,
  validate: validatePod,
  validateUpdate: validatePodUpdate,
  subresources: {
    status: { prepareForUpdate: prepareForStatusUpdate, validateUpdate: validatePodStatus },
    ephemeralcontainers: { prepareForUpdate: prepareForEphemeralContainers, validateUpdate: validateEphemeralContainers },
    resize: { prepareForUpdate: prepareForResize, validateUpdate: validatePodResize },
  },
  warnings: warningsForPod,
  gracePeriod,
  columns: podColumns,
  selectableFields: {
    'spec.nodeName': (pod) => pod.spec?.nodeName ?? '',
    'spec.restartPolicy': (pod) => pod.spec?.restartPolicy ?? '',
    'spec.schedulerName': (pod) => pod.spec?.schedulerName ?? '',
    'spec.serviceAccountName': (pod) => pod.spec?.serviceAccountName ?? '',
    'spec.hostNetwork': (pod) => String(pod.spec?.hostNetwork ?? false),
    'status.phase': (pod) => pod.status?.phase ?? '',
    'status.podIP': (pod) => pod.status?.podIPs?.[0]?.ip ?? pod.status?.podIP ?? '',
    'status.podIPs': (pod) => pod.status?.podIPs?.[0]?.ip ?? pod.status?.podIP ?? '',
    'status.nominatedNodeName': (pod) => pod.status?.nominatedNodeName ?? '',
  },
});
