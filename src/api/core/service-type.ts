/** What a Service of each type has. upstream: pkg/registry/core/service, pkg/api/service. */
import type { Service } from '../facts/types.ts';

export const isExternalName = (service: Service): boolean => service.spec?.type === 'ExternalName';
export const isLoadBalancer = (service: Service): boolean => service.spec?.type === 'LoadBalancer';
export const needsClusterIP = (service: Service): boolean => !isExternalName(service);
export const hasNodePorts = (service: Service): boolean => service.spec?.type === 'NodePort' || isLoadBalancer(service);
export const needsHealthCheckNodePort = (service: Service): boolean =>
  isLoadBalancer(service) && service.spec?.externalTrafficPolicy === 'Local';

/** Reached from outside of the cluster. */
export const externallyAccessible = (service: Service): boolean =>
  hasNodePorts(service) || (service.spec?.type === 'ClusterIP' && (service.spec.externalIPs?.length ?? 0) > 0);
