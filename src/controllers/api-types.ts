/** Types of parts of objects, which the kinds' door does not name, taken from the kinds that hold them. */
import type { Deployment, Node, Pod, ReplicaSet, Service } from '#api';

export type PodSpec = NonNullable<Pod['spec']>;
export type PodStatus = NonNullable<Pod['status']>;
export type ReplicaSetSpec = NonNullable<ReplicaSet['spec']>;
export type LabelSelector = NonNullable<ReplicaSet['spec']>['selector'];
export type PodTemplateSpec = NonNullable<Deployment['spec']>['template'];
export type ContainerStatus = NonNullable<PodStatus['containerStatuses']>[number];
export type Taint = NonNullable<NonNullable<Node['spec']>['taints']>[number];
export type Toleration = NonNullable<PodSpec['tolerations']>[number];
export type ServicePort = NonNullable<NonNullable<Service['spec']>['ports']>[number];
export type IntOrString = NonNullable<NonNullable<NonNullable<NonNullable<Deployment['spec']>['strategy']>['rollingUpdate']>['maxSurge']>;

/** The fields conditions of all kinds share. */
export interface Condition {
  type: string;
  status: string;
  reason?: string;
  message?: string;
  lastTransitionTime?: string;
  lastUpdateTime?: string;
  lastProbeTime?: string;
  observedGeneration?: number;
}
