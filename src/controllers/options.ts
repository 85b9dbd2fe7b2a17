import type { ControllerOptions } from './contract.ts';

/** kube-controller-manager's defaults; its clusters set ranges and authorities. upstream: pkg/controller/apis/config/v1alpha1, each config's defaults. */
export const defaultOptions: ControllerOptions = {
  clusterCidrs: [],
  nodeCidrMaskSize: 24,
  serviceCidrs: [],
  rootCa: '',
  nodeMonitorPeriod: 5_000,
  nodeMonitorGracePeriod: 50_000,
  terminatedPodThreshold: 12_500,
  allocateNodeCidrs: false,
};
