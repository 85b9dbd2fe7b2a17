/** KubeletConfiguration: which fields do what. upstream: kubelet/config/v1beta1. */
import type { ConfigurationForm } from './configuration-file.ts';

export const kubeletConfiguration: ConfigurationForm = {
  apiVersion: 'kubelet.config.k8s.io/v1beta1',
  kind: 'KubeletConfiguration',
  fields: {
    enableServer: 'use',
    staticPodPath: 'use',
    podLogsDir: 'use',
    syncFrequency: 'warn',
    fileCheckFrequency: 'warn',
    httpCheckFrequency: 'warn',
    staticPodURL: 'refuse',
    staticPodURLHeader: 'refuse',
    address: 'use',
    port: 'use',
    readOnlyPort: 'use',
    tlsCertFile: 'use',
    tlsPrivateKeyFile: 'use',
    tlsCipherSuites: 'refuse',
    tlsMinVersion: 'use',
    rotateCertificates: 'warn',
    serverTLSBootstrap: 'warn',
    authentication: {
      x509: { clientCAFile: 'use' },
      webhook: { enabled: 'use', cacheTTL: 'warn' },
      anonymous: { enabled: 'use' },
    },
    authorization: { mode: 'use', webhook: { cacheAuthorizedTTL: 'warn', cacheUnauthorizedTTL: 'warn' } },
    registryPullQPS: 'warn',
    registryBurst: 'warn',
    imagePullCredentialsVerificationPolicy: 'warn',
    preloadedImagesVerificationAllowlist: 'warn',
    eventRecordQPS: 'warn',
    eventBurst: 'warn',
    enableDebuggingHandlers: 'warn',
    enableContentionProfiling: 'warn',
    healthzPort: 'use',
    healthzBindAddress: 'use',
    oomScoreAdj: 'warn',
    clusterDomain: 'use',
    clusterDNS: 'use',
    streamingConnectionIdleTimeout: 'warn',
    nodeStatusUpdateFrequency: 'use',
    nodeStatusReportFrequency: 'use',
    nodeLeaseDurationSeconds: 'use',
    imageMinimumGCAge: 'use',
    imageMaximumGCAge: 'warn',
    imageGCHighThresholdPercent: 'use',
    imageGCLowThresholdPercent: 'use',
    volumeStatsAggPeriod: 'warn',
    kubeletCgroups: 'warn',
    systemCgroups: 'warn',
    cgroupRoot: 'use',
    cgroupsPerQOS: 'use',
    cgroupDriver: 'use',
    cpuManagerPolicy: 'warn',
    singleProcessOOMKill: 'warn',
    cpuManagerPolicyOptions: 'warn',
    cpuManagerReconcilePeriod: 'warn',
    memoryManagerPolicy: 'warn',
    topologyManagerPolicy: 'warn',
    topologyManagerScope: 'warn',
    topologyManagerPolicyOptions: 'warn',
    qosReserved: 'warn',
    runtimeRequestTimeout: 'use',
    hairpinMode: 'warn',
    maxPods: 'use',
    podCIDR: 'use',
    podPidsLimit: 'refuse',
    resolvConf: 'use',
    runOnce: 'warn',
    cpuCFSQuota: 'warn',
    cpuCFSQuotaPeriod: 'warn',
    nodeStatusMaxImages: 'warn',
    maxOpenFiles: 'warn',
    contentType: 'warn',
    kubeAPIQPS: 'warn',
    kubeAPIBurst: 'warn',
    serializeImagePulls: 'use',
    maxParallelImagePulls: 'use',
    evictionHard: 'use',
    evictionSoft: 'warn',
    evictionSoftGracePeriod: 'warn',
    evictionPressureTransitionPeriod: 'warn',
    evictionMaxPodGracePeriod: 'warn',
    evictionMinimumReclaim: 'warn',
    mergeDefaultEvictionSettings: 'warn',
    podsPerCore: 'warn',
    enableControllerAttachDetach: 'warn',
    protectKernelDefaults: 'refuse',
    makeIPTablesUtilChains: 'warn',
    iptablesMasqueradeBit: 'warn',
    iptablesDropBit: 'warn',
    featureGates: 'warn',
    failSwapOn: 'use',
    memorySwap: { swapBehavior: 'warn' },
    containerLogMaxSize: 'warn',
    containerLogMaxFiles: 'warn',
    containerLogMaxWorkers: 'warn',
    containerLogMonitorInterval: 'warn',
    configMapAndSecretChangeDetectionStrategy: 'warn',
    systemReserved: 'use',
    kubeReserved: 'use',
    reservedSystemCPUs: 'warn',
    showHiddenMetricsForVersion: 'warn',
    systemReservedCgroup: 'warn',
    kubeReservedCgroup: 'warn',
    enforceNodeAllocatable: 'warn',
    allowedUnsafeSysctls: 'use',
    volumePluginDir: 'warn',
    providerID: 'use',
    kernelMemcgNotification: 'warn',
    logging: 'warn',
    enableSystemLogHandler: 'warn',
    enableSystemLogQuery: 'warn',
    shutdownGracePeriod: 'warn',
    shutdownGracePeriodCriticalPods: 'warn',
    shutdownGracePeriodByPodPriority: 'warn',
    crashLoopBackOff: { maxContainerRestartPeriod: 'use' },
    reservedMemory: 'warn',
    enableProfilingHandler: 'warn',
    enableDebugFlagsHandler: 'warn',
    seccompDefault: 'refuse',
    memoryThrottlingFactor: 'warn',
    registerWithTaints: 'use',
    registerNode: 'use',
    tracing: 'warn',
    localStorageCapacityIsolation: 'warn',
    containerRuntimeEndpoint: 'use',
    imageServiceEndpoint: 'warn',
    failCgroupV1: 'warn',
    userNamespaces: 'warn',
  },
};

/** The fields that are read, in JSON's types: durations are Go's text. */
export interface KubeletFile {
  enableServer?: boolean;
  staticPodPath?: string;
  podLogsDir?: string;
  address?: string;
  port?: number;
  readOnlyPort?: number;
  tlsCertFile?: string;
  tlsPrivateKeyFile?: string;
  tlsMinVersion?: string;
  authentication?: { x509?: { clientCAFile?: string }; webhook?: { enabled?: boolean }; anonymous?: { enabled?: boolean } };
  authorization?: { mode?: string };
  healthzPort?: number;
  healthzBindAddress?: string;
  clusterDomain?: string;
  clusterDNS?: string[];
  nodeStatusUpdateFrequency?: string;
  nodeStatusReportFrequency?: string;
  nodeLeaseDurationSeconds?: number;
  imageMinimumGCAge?: string;
  imageGCHighThresholdPercent?: number;
  imageGCLowThresholdPercent?: number;
  cgroupRoot?: string;
  cgroupsPerQOS?: boolean;
  cgroupDriver?: string;
  maxPods?: number;
  podCIDR?: string;
  resolvConf?: string;
  serializeImagePulls?: boolean;
  maxParallelImagePulls?: number;
  evictionHard?: Record<string, string>;
  systemReserved?: Record<string, string>;
  kubeReserved?: Record<string, string>;
  allowedUnsafeSysctls?: string[];
  providerID?: string;
  crashLoopBackOff?: { maxContainerRestartPeriod?: string };
  registerWithTaints?: { key: string; value?: string; effect: string }[];
  registerNode?: boolean;
  containerRuntimeEndpoint?: string;
}
