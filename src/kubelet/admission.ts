/** Whether a pod that was sent to this node may run here. upstream: pkg/kubelet/lifecycle/predicate.go, pkg/kubelet/sysctl, pkg/scheduler AdmissionCheck. */
import { readFileSync } from 'node:fs';
import type { Node, Pod, Taint } from '#api';
import { parseQuantity } from '#machinery/quantity';
import { requiredNodeAffinity, tolerates, untolerated } from '#machinery/selectors';
import type { Amounts } from './pod-resources.ts';
import { podRequests } from './pod-resources.ts';
import { allContainers, containersOf, initContainersOf, isCriticalPod, isSidecar, isStaticPod, nameOf, specOf } from './pod-spec.ts';
import { qosOf } from './qos.ts';

export interface Rejection {
  reason: string;
  message: string;
}

export interface AdmissionFacts {
  node: Node;
  /** The pods that already have their place here. */
  others: readonly Pod[];
  allowedUnsafeSysctls: readonly string[];
  /** Conditions of pressure the node is under. */
  pressure: { memory: boolean; disk: boolean; pid: boolean };
  simulated: boolean;
}

/** Whether its nodeSelector and required node affinity allow the node. */
export const matchesNode = (pod: Pod, node: Node): boolean => requiredNodeAffinity(specOf(pod))?.(node) ?? true;

const reasons: Record<string, string> = {
  cpu: 'OutOfcpu',
  memory: 'OutOfmemory',
  'ephemeral-storage': 'OutOfephemeral-storage',
  pods: 'OutOfpods',
};
const isExtended = (name: string): boolean => name.includes('/') && !name.startsWith('kubernetes.io/') && !name.startsWith('requests.');

/** Whether the node's resources suffice beside the other pods. */
export function fits(pod: Pod, { node, others }: Pick<AdmissionFacts, 'node' | 'others'>): Rejection | undefined {
  const allocatable = node.status?.allocatable as Record<string, string> | undefined;
  if (!allocatable) return undefined;
  const lacking = (name: string, requested: number, used: number, capacity: number): Rejection => ({
    reason: reasons[name] ?? `OutOf${name}`,
    message: `Node didn't have enough resource: ${name}, requested: ${requested}, used: ${used}, capacity: ${capacity}`,
  });
  const pods = Number(allocatable['pods'] ?? 0);
  if (others.length + 1 > pods) return lacking('pods', 1, others.length, pods);
  const wanted = podRequests(pod);
  const sums: Amounts[] = others.map(podRequests);
  for (const [name, amount] of wanted) {
    if (amount.isZero() || (isExtended(name) && allocatable[name] === undefined)) continue;
    const count = (quantity: { value(): number; milliValue(): number } | undefined): number =>
      quantity === undefined ? 0 : name === 'cpu' ? quantity.milliValue() : quantity.value();
    const capacity = allocatable[name] === undefined ? 0 : count(parseQuantity(allocatable[name]));
    const used = sums.reduce((sum, amounts) => sum + count(amounts.get(name)), 0);
    if (used + count(amount) > capacity) return lacking(name, count(amount), used, capacity);
  }
  return undefined;
}

function* hostPorts(pod: Pod): Generator<[string, string, number]> {
  for (const container of [...containersOf(pod), ...initContainersOf(pod).filter(isSidecar)])
    for (const { hostPort, hostIP, protocol } of container.ports ?? [])
      if (hostPort) yield [hostIP || '0.0.0.0', protocol ?? 'TCP', hostPort];
}

function portsFree(pod: Pod, others: readonly Pod[]): boolean {
  const wanted = [...hostPorts(pod)];
  if (!wanted.length) return true;
  for (const other of others)
    for (const [ip, protocol, port] of hostPorts(other))
      if (wanted.some(([a, b, c]) => b === protocol && c === port && (a === ip || a === '0.0.0.0' || ip === '0.0.0.0'))) return false;
  return true;
}

const safeSysctls = new Set([
  'kernel.shm_rmid_forced',
  'net.ipv4.ip_local_port_range',
  'net.ipv4.tcp_syncookies',
  'net.ipv4.ping_group_range',
  'net.ipv4.ip_unprivileged_port_start',
  'net.ipv4.ip_local_reserved_ports',
  'net.ipv4.tcp_keepalive_time',
  'net.ipv4.tcp_fin_timeout',
  'net.ipv4.tcp_keepalive_intvl',
  'net.ipv4.tcp_keepalive_probes',
  'net.ipv4.tcp_rmem',
  'net.ipv4.tcp_wmem',
]);

const namespaceOfSysctl = (name: string): 'ipc' | 'net' | undefined => {
  if (/^(kernel\.(sem|shm|msg)|fs\.mqueue\.)/.test(name)) return 'ipc';
  return name.startsWith('net.') ? 'net' : undefined;
};

export function sysctlsAllowed(pod: Pod, unsafe: readonly string[]): Rejection | undefined {
  const forbidden = (message: string): Rejection => ({ reason: 'SysctlForbidden', message: `forbidden sysctl: ${message}` });
  for (const { name: raw } of specOf(pod).securityContext?.sysctls ?? []) {
    const name = raw.replaceAll('/', '.');
    const allowed =
      safeSysctls.has(name) || unsafe.some((pattern) => (pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : name === pattern));
    if (!allowed) return forbidden(`"${raw}" not allowlisted`);
    const namespace = namespaceOfSysctl(name);
    if (namespace === 'net' && specOf(pod).hostNetwork) return forbidden(`"${raw}" not allowed with host net enabled`);
    if (namespace === 'ipc' && specOf(pod).hostIPC) return forbidden(`"${raw}" not allowed with host ipc enabled`);
  }
  return undefined;
}

function appArmorAllowed(pod: Pod): Rejection | undefined {
  let wanted = false;
  for (const container of allContainers(pod)) {
    const type = container.securityContext?.appArmorProfile?.type ?? specOf(pod).securityContext?.appArmorProfile?.type;
    wanted ||= type !== undefined && type !== 'Unconfined';
  }
  if (!wanted) return undefined;
  let enabled = false;
  try {
    enabled = readFileSync('/sys/module/apparmor/parameters/enabled', 'utf8').startsWith('Y');
  } catch {
    // A kernel without AppArmor has no such file.
  }
  return enabled ? undefined : { reason: 'AppArmor', message: 'Cannot enforce AppArmor: AppArmor is not enabled on the host' };
}

function pressureAllows(pod: Pod, { pressure }: AdmissionFacts): Rejection | undefined {
  const conditions = [pressure.memory && 'MemoryPressure', pressure.disk && 'DiskPressure', pressure.pid && 'PIDPressure'].filter(Boolean);
  if (!conditions.length || isCriticalPod(pod)) return undefined;
  if (conditions.length === 1 && pressure.memory) {
    if (qosOf(pod) !== 'BestEffort') return undefined;
    const taint: Taint = { key: 'node.kubernetes.io/memory-pressure', effect: 'NoSchedule' };
    if ((specOf(pod).tolerations ?? []).some((toleration) => tolerates(toleration, taint))) return undefined;
  }
  return { reason: 'Evicted', message: `The node had condition: [${conditions.join(' ')}]. ` };
}

/** Undefined where it may run. */
export function admit(pod: Pod, facts: AdmissionFacts): Rejection | undefined {
  const evicted = pressureAllows(pod, facts);
  if (evicted) return evicted;
  const sysctl = sysctlsAllowed(pod, facts.allowedUnsafeSysctls);
  if (sysctl) return sysctl;
  if (!facts.simulated) {
    const appArmor = appArmorAllowed(pod);
    if (appArmor) return appArmor;
  }
  const { node, others } = facts;
  const os = pod.metadata?.labels?.['kubernetes.io/os'];
  if (os !== undefined && os !== 'linux')
    return {
      reason: 'PodOSSelectorNodeLabelDoesNotMatch',
      message: "Failed to admit pod as the `kubernetes.io/os` label doesn't match node label",
    };
  const named = specOf(pod).os?.name;
  if (named !== undefined && named !== 'linux')
    return { reason: 'PodOSNotSupported', message: "Failed to admit pod as the OS field doesn't match node OS" };
  if (specOf(pod).securityContext?.supplementalGroupsPolicy === 'Strict' && node.status?.features?.supplementalGroupsPolicy !== true)
    return { reason: 'SupplementalGroupsPolicyNotSupported', message: 'SupplementalGroupsPolicy=Strict is not supported in this node' };
  const unfit = fits(pod, facts);
  if (unfit) return unfit;
  const predicate = (name: string, text: string): Rejection => ({ reason: name, message: `Predicate ${name} failed: ${text}` });
  if (!matchesNode(pod, node)) return predicate('NodeAffinity', "node(s) didn't match Pod's node affinity/selector");
  const { nodeName } = specOf(pod);
  if (nodeName && nodeName !== nameOf(node as Pod)) return predicate('NodeName', "node(s) didn't match the requested node name");
  if (!portsFree(pod, others)) return predicate('NodePorts', "node(s) didn't have free ports for the requested pod ports");
  if (!isStaticPod(pod) && untolerated(node.spec?.taints, specOf(pod).tolerations, ['NoExecute']))
    return predicate('TaintToleration', "node(s) had taints that the pod didn't tolerate");
  return undefined;
}
