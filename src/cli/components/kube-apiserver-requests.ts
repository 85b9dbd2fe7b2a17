/** How requests are treated, from flags and files: admission, limits, fairness, compaction. */
import type { ApiServerSettings } from '#cluster';
import type { FlagValues } from '../flags/table.ts';
import { admissionSettings } from './kube-apiserver-admission.ts';
import type { kubeApiserverFlags } from './kube-apiserver-flags.ts';

type Values = FlagValues<typeof kubeApiserverFlags>;

/** 0 means no limit. */
const limit = (count: number): number => (count === 0 ? Infinity : count);

export const requestSettings = (
  values: Values,
): Pick<ApiServerSettings, 'plugins' | 'allowPrivileged' | 'inFlight' | 'priorityAndFairness' | 'compactionPeriod'> => ({
  plugins: {
    enable: values['enable-admission-plugins'],
    disable: values['disable-admission-plugins'],
    ...admissionSettings(values['admission-control-config-file']),
  },
  allowPrivileged: values['allow-privileged'],
  inFlight: { reading: limit(values['max-requests-inflight']), writing: limit(values['max-mutating-requests-inflight']) },
  priorityAndFairness: values['enable-priority-and-fairness'],
  compactionPeriod: values['etcd-compaction-interval'],
});
