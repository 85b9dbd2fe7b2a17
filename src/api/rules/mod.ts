/** The rules of every kind, one line a kind. Only the API server and tests import this door. */
import type { Kind, KindRules } from '../contract.ts';
import { controllerRevisionRules } from '../apps/controller-revision.ts';
import { daemonSetRules } from '../apps/daemon-set.ts';
import { deploymentRules } from '../apps/deployment.ts';
import { replicaSetRules } from '../apps/replica-set.ts';
import { statefulSetRules } from '../apps/stateful-set.ts';
import { cronJobRules } from '../batch/cron-job.ts';
import { jobRules } from '../batch/job.ts';
import { leaseRules } from '../coordination/lease.ts';
import { configMapRules } from '../core/config-map.ts';
import { endpointsRules } from '../core/endpoints.ts';
import { eventRules } from '../core/event.ts';
import { namespaceRules } from '../core/namespace.ts';
import { nodeRules } from '../core/node.ts';
import { podTemplateRules } from '../core/pod-template.ts';
import { podRules } from '../core/pod.ts';
import { replicationControllerRules } from '../core/replication-controller.ts';
import { secretRules } from '../core/secret.ts';
import { serviceAccountRules } from '../core/service-account.ts';
import { serviceRules } from '../core/service.ts';
import { endpointSliceRules } from '../discovery/endpoint-slice.ts';
import { clusterRoleBindingRules } from '../rbac/cluster-role-binding.ts';
import { clusterRoleRules } from '../rbac/cluster-role.ts';
import { roleBindingRules } from '../rbac/role-binding.ts';
import { roleRules } from '../rbac/role.ts';
import { priorityClassRules } from '../scheduling/priority-class.ts';

// oxlint-disable-next-line typescript/no-explicit-any -- each entry is of its own kind; lookups are by kind
export const allRules: readonly KindRules<any>[] = [
  controllerRevisionRules,
  daemonSetRules,
  deploymentRules,
  replicaSetRules,
  statefulSetRules,
  cronJobRules,
  jobRules,
  leaseRules,
  configMapRules,
  endpointsRules,
  eventRules,
  namespaceRules,
  nodeRules,
  podTemplateRules,
  podRules,
  replicationControllerRules,
  secretRules,
  serviceAccountRules,
  serviceRules,
  endpointSliceRules,
  clusterRoleBindingRules,
  clusterRoleRules,
  roleBindingRules,
  roleRules,
  priorityClassRules,
];

const byKind = new Map(allRules.map((rules) => [`${rules.kind.group}/${rules.kind.version}/${rules.kind.kind}`, rules]));

/** The rules of a kind; a kind without a line of its own has only the generic ones. */
export function rulesFor(kind: Kind): KindRules {
  return (byKind.get(`${kind.group}/${kind.version}/${kind.kind}`) ?? { kind }) as KindRules;
}
