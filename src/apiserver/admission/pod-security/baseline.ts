import type { AnyContainer, Check, CheckPod, PodSpec, Violation } from './check.ts';
import { containersOf, containerText, hasOwnUsers, namesOf, plural, quoted, setters, sorted } from './check.ts';

const capabilities = new Set(
  'AUDIT_WRITE CHOWN DAC_OVERRIDE FOWNER FSETID KILL MKNOD NET_BIND_SERVICE SETFCAP SETGID SETPCAP SETUID SYS_CHROOT'.split(' '),
);

const appArmor: CheckPod = (spec, annotations) => {
  const bad = (type: string | undefined): boolean => type !== undefined && type !== 'RuntimeDefault' && type !== 'Localhost';
  const podType = spec.securityContext?.appArmorProfile?.type;
  const containers = containersOf(spec).filter(({ securityContext }) => bad(securityContext?.appArmorProfile?.type));
  const forbidden = Object.entries(annotations)
    .filter(([key]) => key.startsWith('container.apparmor.security.beta.kubernetes.io/'))
    .filter(([, value]) => value !== '' && value !== 'runtime/default' && !value.startsWith('localhost/'))
    .map(([key, value]) => `${key}=${JSON.stringify(value)}`)
    .sort();
  const values = [
    ...sorted([...(bad(podType) ? [podType!] : []), ...containers.map((container) => container.securityContext!.appArmorProfile!.type)]),
    ...forbidden,
  ];
  if (values.length === 0) return undefined;
  const who = [setters(bad(podType), containers), forbidden.length > 0 ? plural('annotation', forbidden.length) : ''].filter(Boolean);
  return {
    reason: plural('forbidden AppArmor profile', values.length),
    detail: `${who.join(' and ')} must not set AppArmor profile type to ${quoted(values)}`,
  };
};

const capabilitiesBaseline: CheckPod = (spec) => {
  const extra = ({ securityContext }: AnyContainer): string[] =>
    (securityContext?.capabilities?.add ?? []).filter((name) => !capabilities.has(name));
  const bad = containersOf(spec).filter((container) => extra(container).length > 0);
  if (bad.length === 0) return undefined;
  return {
    reason: 'non-default capabilities',
    detail: `${containerText(namesOf(bad))} must not include ${quoted(sorted(bad.flatMap(extra)))} in securityContext.capabilities.add`,
  };
};

const hostNamespaces: CheckPod = (spec) => {
  const used = (['hostNetwork', 'hostPID', 'hostIPC'] as const).filter((field) => spec[field]).map((field) => `${field}=true`);
  return used.length > 0 ? { reason: 'host namespaces', detail: used.join(', ') } : undefined;
};

const hostPathVolumes: CheckPod = ({ volumes = [] }) => {
  const bad = volumes.filter((volume) => volume.hostPath).map(({ name }) => name);
  return bad.length > 0 ? { reason: 'hostPath volumes', detail: `${plural('volume', bad.length)} ${quoted(bad)}` } : undefined;
};

const hostPorts: CheckPod = (spec) => {
  const ports = ({ ports: list = [] }: AnyContainer): string[] => list.filter((port) => port.hostPort).map((port) => String(port.hostPort));
  const bad = containersOf(spec).filter((container) => ports(container).length > 0);
  if (bad.length === 0) return undefined;
  const used = sorted(bad.flatMap(ports));
  return {
    reason: 'hostPort',
    detail: `${containerText(namesOf(bad))} ${plural('uses', bad.length, 'use')} ${plural('hostPort', used.length)} ${used.join(', ')}`,
  };
};

const hostProbes: CheckPod = (spec) => {
  const hosts = ({ livenessProbe, readinessProbe, startupProbe, lifecycle }: AnyContainer): string[] =>
    [livenessProbe, readinessProbe, startupProbe, lifecycle?.postStart, lifecycle?.preStop].flatMap((handler) =>
      [handler?.httpGet?.host, handler?.tcpSocket?.host].filter((host): host is string => Boolean(host)),
    );
  const bad = containersOf(spec).filter((container) => hosts(container).length > 0);
  if (bad.length === 0) return undefined;
  const names = sorted(namesOf(bad));
  const used = sorted(bad.flatMap(hosts));
  return {
    reason: 'probe or lifecycle host',
    detail: `${containerText(names)} ${plural('uses', names.length, 'use')} ${plural('probe or lifecycle host', used.length)} ${quoted(used)}`,
  };
};

const privileged: CheckPod = (spec) => {
  const bad = containersOf(spec).filter(({ securityContext }) => securityContext?.privileged);
  if (bad.length === 0) return undefined;
  return { reason: 'privileged', detail: `${containerText(namesOf(bad))} must not set securityContext.privileged=true` };
};

/** The restricted standard has it too, for pods that the baseline lets pass. */
export const procMount: CheckPod = (spec) => {
  const bad = containersOf(spec).filter(({ securityContext }) => (securityContext?.procMount ?? 'Default') !== 'Default');
  if (bad.length === 0) return undefined;
  const values = sorted(bad.map((container) => container.securityContext!.procMount!));
  return { reason: 'procMount', detail: `${containerText(namesOf(bad))} must not set securityContext.procMount to ${quoted(values)}` };
};

const seLinuxTypes = ['', 'container_t', 'container_init_t', 'container_kvm_t'];

const seLinuxOptions =
  (allowed: readonly string[]): CheckPod =>
  (spec) => {
    type Options = NonNullable<NonNullable<PodSpec['securityContext']>['seLinuxOptions']>;
    const bad = (options: Options | undefined): boolean =>
      options !== undefined && (!allowed.includes(options.type ?? '') || Boolean(options.user) || Boolean(options.role));
    const ofPod = spec.securityContext?.seLinuxOptions;
    const containers = containersOf(spec).filter(({ securityContext }) => bad(securityContext?.seLinuxOptions));
    const all = [...(bad(ofPod) ? [ofPod!] : []), ...containers.map((container) => container.securityContext!.seLinuxOptions!)];
    if (all.length === 0) return undefined;
    const types = sorted(all.map(({ type = '' }) => type).filter((type) => !allowed.includes(type)));
    const what = [
      ...(types.length > 0 ? [`${plural('type', types.length)} ${quoted(types)}`] : []),
      ...(all.some(({ user }) => user) ? ['user may not be set'] : []),
      ...(all.some(({ role }) => role) ? ['role may not be set'] : []),
    ];
    return {
      reason: 'seLinuxOptions',
      detail: `${setters(bad(ofPod), containers)} set forbidden securityContext.seLinuxOptions: ${what.join('; ')}`,
    };
  };

/** The fields that say a bad profile, as both standards word it. */
export function badSeccomp(spec: PodSpec): Violation | undefined {
  const bad = (type: string | undefined): boolean => type !== undefined && type !== 'Localhost' && type !== 'RuntimeDefault';
  const ofPod = spec.securityContext?.seccompProfile?.type;
  const containers = containersOf(spec).filter(({ securityContext }) => bad(securityContext?.seccompProfile?.type));
  const values = sorted([
    ...(bad(ofPod) ? [ofPod!] : []),
    ...containers.map((container) => container.securityContext!.seccompProfile!.type),
  ]);
  if (values.length === 0) return undefined;
  return {
    reason: 'seccompProfile',
    detail: `${setters(bad(ofPod), containers)} must not set securityContext.seccompProfile.type to ${quoted(values)}`,
  };
}

/** Before the field, profiles were annotations. */
const seccompAnnotations: CheckPod = (spec, annotations) => {
  const keys = [
    'seccomp.security.alpha.kubernetes.io/pod',
    ...containersOf(spec).map(({ name }) => `container.seccomp.security.alpha.kubernetes.io/${name}`),
  ];
  const bad = sorted(
    keys
      .filter((key) => annotations[key] !== undefined)
      .filter((key) => !['runtime/default', 'docker/default'].includes(annotations[key]!) && !annotations[key]!.startsWith('localhost/'))
      .map((key) => `${key}=${JSON.stringify(annotations[key])}`),
  );
  return bad.length > 0
    ? { reason: 'seccompProfile', detail: `forbidden ${plural('annotation', bad.length)} ${bad.join(', ')}` }
    : undefined;
};

const sysctlNames: readonly [since: number, ...names: string[]][] = [
  [
    0,
    'kernel.shm_rmid_forced',
    'net.ipv4.ip_local_port_range',
    'net.ipv4.tcp_syncookies',
    'net.ipv4.ping_group_range',
    'net.ipv4.ip_unprivileged_port_start',
  ],
  [27, 'net.ipv4.ip_local_reserved_ports'],
  [29, 'net.ipv4.tcp_keepalive_time', 'net.ipv4.tcp_fin_timeout', 'net.ipv4.tcp_keepalive_intvl', 'net.ipv4.tcp_keepalive_probes'],
  [32, 'net.ipv4.tcp_rmem', 'net.ipv4.tcp_wmem'],
];

const sysctls =
  (allowed: ReadonlySet<string>): CheckPod =>
  ({ securityContext }) => {
    const bad = (securityContext?.sysctls ?? []).map(({ name }) => name).filter((name) => !allowed.has(name));
    return bad.length > 0 ? { reason: 'forbidden sysctls', detail: bad.join(', ') } : undefined;
  };

const windowsHostProcess: CheckPod = (spec) => {
  const ofPod = spec.securityContext?.windowsOptions?.hostProcess === true;
  const containers = containersOf(spec).filter(({ securityContext }) => securityContext?.windowsOptions?.hostProcess);
  if (!ofPod && containers.length === 0) return undefined;
  return {
    reason: 'hostProcess',
    detail: `${setters(ofPod, containers)} must not set securityContext.windowsOptions.hostProcess=true`,
  };
};

const always = (id: string, check: CheckPod): Check => ({ id, versions: [{ since: 0, check }] });

/** In the order in which violations are listed. */
export const baselineChecks: readonly Check[] = [
  always('appArmorProfile', appArmor),
  always('capabilities_baseline', capabilitiesBaseline),
  always('hostNamespaces', hostNamespaces),
  always('hostPathVolumes', hostPathVolumes),
  always('hostPorts', hostPorts),
  { id: 'hostProbesAndHostLifecycle', versions: [{ since: 34, check: hostProbes }] },
  always('privileged', privileged),
  {
    id: 'procMount',
    versions: [
      { since: 0, check: procMount },
      { since: 35, check: (spec, annotations) => (hasOwnUsers(spec) ? undefined : procMount(spec, annotations)) },
    ],
  },
  {
    id: 'seLinuxOptions',
    versions: [
      { since: 0, check: seLinuxOptions(seLinuxTypes) },
      { since: 31, check: seLinuxOptions([...seLinuxTypes, 'container_engine_t']) },
    ],
  },
  {
    id: 'seccompProfile_baseline',
    versions: [
      { since: 0, check: seccompAnnotations },
      { since: 19, check: badSeccomp },
    ],
  },
  {
    id: 'sysctls',
    versions: sysctlNames.map(([since], index) => ({
      since,
      check: sysctls(new Set(sysctlNames.slice(0, index + 1).flatMap(([, ...names]) => names))),
    })),
  },
  always('windowsHostProcess', windowsHostProcess),
];
