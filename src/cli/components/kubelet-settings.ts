/** What a kubelet is told by its flags and files, one over the other. upstream: cmd/kubelet/app/options. */
import { readdirSync } from 'node:fs';
import { hostname, networkInterfaces } from 'node:os';
import { join } from 'node:path';
import type { KubeletOptions } from '#kubelet';
import type { ParsedFlags } from '../flags/parse.ts';
import { goDuration } from '../flags/value.ts';
import { readConfiguration } from './configuration-file.ts';
import { kubeletConfiguration } from './kubelet-configuration.ts';
import type { KubeletFile } from './kubelet-configuration.ts';
import type { kubeletFlags } from './kubelet-flags.ts';

type Flags = ParsedFlags<typeof kubeletFlags>;
type Taints = NonNullable<KubeletOptions['registerWithTaints']>;

function firstAddress(): string {
  for (const addresses of Object.values(networkInterfaces()))
    for (const { address, family, internal } of addresses ?? []) if (!internal && family === 'IPv4') return address;
  return '127.0.0.1';
}

/** What the files say: --config, and over it those of --config-dir in the order of their names. */
function files(values: Flags['values'], warn: (text: string) => void): KubeletFile {
  let merged: Record<string, unknown> = values.config ? readConfiguration('config', values.config, kubeletConfiguration, warn) : {};
  const directory = values['config-dir'];
  if (directory)
    for (const name of readdirSync(directory).sort())
      if (name.endsWith('.conf'))
        merged = { ...merged, ...readConfiguration('config-dir', join(directory, name), kubeletConfiguration, warn) };
  return merged as KubeletFile;
}

/** key=value:effect, comma-separated. upstream: pkg/util/flag RegisterWithTaintsVar. */
export function parseTaints(text: string): Taints {
  return text
    .split(',')
    .filter(Boolean)
    .map((taint) => {
      const [, key, value = '', effect] = /^([^=:]+)(?:=([^:]*))?:(NoSchedule|PreferNoSchedule|NoExecute)$/.exec(taint) ?? [];
      if (!key || !effect)
        throw new Error(`invalid argument ${JSON.stringify(text)} for "--register-with-taints" flag: invalid taint spec: ${taint}`);
      return { key, ...(value && { value }), effect };
    });
}

/** Files, and over them the flags that were given; then upstream's defaults. */
export function settingsOf({ values, given }: Flags, warn: (text: string) => void) {
  const file = files(values, warn);
  const flag = <Name extends keyof Flags['values'] & string, F>(name: Name, fromFile: F | undefined): Flags['values'][Name] | F =>
    given.has(name) || fromFile === undefined ? values[name] : fromFile;
  const duration = (name: string, text: string | undefined): number | undefined => {
    const found = text === undefined ? undefined : goDuration(text);
    if (text !== undefined && found === undefined) throw new Error(`${name}: time: invalid duration ${JSON.stringify(text)}`);
    return found;
  };
  // Stricter than asked is no reason to fail; it is told.
  const anonymous = given.has('anonymous-auth') ? values['anonymous-auth'] : file.authentication?.anonymous?.enabled;
  if (anonymous) warn('anonymous requests to the kubelet are not let in: coxswain has no mode without authentication');
  const mode = given.has('authorization-mode') ? values['authorization-mode'] : file.authorization?.mode;
  if (mode !== undefined && mode !== 'Webhook') warn(`authorization mode ${mode} is not supported: the kubelet asks the API server`);
  if (flag('cgroup-driver', file.cgroupDriver) !== 'cgroupfs')
    throw new Error('cgroupDriver systemd is not supported by coxswain: it is cgroupfs');
  const readOnly = given.has('read-only-port') ? values['read-only-port'] : (file.readOnlyPort ?? 0);
  if (readOnly !== 0) warn('there is no read-only port: coxswain has no mode without authentication');
  const minVersion = flag('tls-min-version', file.tlsMinVersion);
  if (minVersion !== '' && minVersion !== 'VersionTLS12')
    throw new Error(`tlsMinVersion ${minVersion} is not supported by coxswain: it is VersionTLS12`);
  return {
    file,
    flag,
    duration,
    values,
    given,
    nodeName: (values['hostname-override'] || hostname()).toLowerCase(),
    nodeIps: values['node-ip'] ? values['node-ip'].split(',') : [firstAddress()],
    rootDirectory: values['root-dir'],
    endpoint: flag('container-runtime-endpoint', file.containerRuntimeEndpoint),
    taints: given.has('register-with-taints') ? parseTaints(values['register-with-taints']) : ((file.registerWithTaints ?? []) as Taints),
  };
}

/** What of it holds for any node, wherever it runs. */
export function nodeSettings(settings: ReturnType<typeof settingsOf>): Partial<KubeletOptions> {
  const { file, flag, duration, values, given, taints } = settings;
  const restart = duration('crashLoopBackOff.maxContainerRestartPeriod', file.crashLoopBackOff?.maxContainerRestartPeriod);
  const reportFrequency = duration('nodeStatusReportFrequency', file.nodeStatusReportFrequency);
  const imageAge = given.has('minimum-image-ttl-duration')
    ? values['minimum-image-ttl-duration']
    : duration('imageMinimumGCAge', file.imageMinimumGCAge);
  const eviction = flag('eviction-hard', file.evictionHard);
  const updateFrequency = given.has('node-status-update-frequency')
    ? values['node-status-update-frequency']
    : duration('nodeStatusUpdateFrequency', file.nodeStatusUpdateFrequency);
  return {
    nodeLabels: values['node-labels'],
    registerNode: flag('register-node', file.registerNode),
    registerWithTaints: taints,
    maxPods: flag('max-pods', file.maxPods),
    systemReserved: flag('system-reserved', file.systemReserved),
    kubeReserved: flag('kube-reserved', file.kubeReserved),
    serializeImagePulls: flag('serialize-image-pulls', file.serializeImagePulls),
    ...(file.maxParallelImagePulls !== undefined && { maxParallelImagePulls: file.maxParallelImagePulls }),
    imageGcHighThresholdPercent: flag('image-gc-high-threshold', file.imageGCHighThresholdPercent),
    imageGcLowThresholdPercent: flag('image-gc-low-threshold', file.imageGCLowThresholdPercent),
    ...(imageAge !== undefined && { imageMinimumGcAge: imageAge }),
    ...(Object.keys(eviction).length > 0 && { evictionHard: eviction }),
    allowedUnsafeSysctls: flag('allowed-unsafe-sysctls', file.allowedUnsafeSysctls),
    ...(reportFrequency !== undefined && { nodeStatusReportFrequency: reportFrequency }),
    ...(updateFrequency !== undefined && { nodeStatusUpdateFrequency: updateFrequency }),
    ...(file.nodeLeaseDurationSeconds !== undefined && { nodeLeaseDurationSeconds: file.nodeLeaseDurationSeconds }),
    ...(restart !== undefined && { maxContainerRestartPeriod: restart }),
  };
}
