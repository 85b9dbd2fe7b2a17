/** A node of upstream's: containerd, kubelet and kube-proxy in namespaces of their own. */
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { requirements } from '../../src/cluster/requirements.ts';
import { plant } from '../images.ts';
import type { UpstreamControlPlane } from './control-plane.ts';
import { createNode, inNamespace, nodeAddress, nodeNamespace, podRange } from './network.ts';
import { commandOf } from './programs.ts';
import type { Ours } from './programs.ts';

export type NodePart = 'kubelet' | 'kube-proxy';

/** The node's name in the API. */
export const nodeName = (index: number): string => `n${index}`;

export interface NodeOptions {
  cluster: string;
  index: number;
  controlPlane: UpstreamControlPlane;
  /** A containerd root to begin with; see ../images.ts. */
  imageSeed: string;
  parts?: NodePart[];
  /** Parts that are ours. Default: none. */
  ours?: Ours;
}

export async function startNode({
  cluster,
  index,
  controlPlane,
  imageSeed,
  ours,
  parts = ['kubelet', 'kube-proxy'],
}: NodeOptions): Promise<void> {
  const name = nodeName(index);
  const namespace = nodeNamespace(cluster, index);
  const directory = join(controlPlane.directory, name);
  const at = (file: string): string => join(directory, file);
  for (const folder of ['kubelet', 'logs', 'cni', 'netns', 'pki', 'var-cni']) mkdirSync(at(folder), { recursive: true });
  createNode(cluster, index);
  createGroups(namespace);
  writeFileSync(at('cni/10-pods.conflist'), JSON.stringify(podNetwork(index)));
  writeFileSync(at('containerd.toml'), containerdConfig(directory));
  writeFileSync(at('kubelet.json'), JSON.stringify(kubeletConfig(namespace, directory, controlPlane)));
  writeFileSync(at('proxy.json'), JSON.stringify(proxyConfig(name, controlPlane)));
  plant(imageSeed, at('root'));
  const { programs } = controlPlane;
  // Namespaces' files of others, seen from a mount namespace of one's own, would outlive their removal.
  const prepare = [
    'mount --make-rprivate /',
    "grep ' nsfs ' /proc/mounts | cut -d' ' -f2 | sort -r | while read -r file; do umount \"$file\" 2>/dev/null || true; done",
    `mkdir -p /run/netns /var/lib/cni && mount --bind ${at('netns')} /run/netns && mount --bind ${at('var-cni')} /var/lib/cni`,
    `hostname ${name}`,
    `exec containerd --config ${at('containerd.toml')}`,
  ].join('\n');
  const containerd = programs.start(`${name}-containerd`, [...inNamespace(namespace), 'unshare', '--mount', '--uts', 'sh', '-ec', prepare]);
  // The socket is there before CRI is; this is the last thing it says before it answers.
  await programs.until(
    `${name}-containerd`,
    () => existsSync(at('containerd.sock')) && readFileSync(programs.log(`${name}-containerd`), 'utf8').includes('Start streaming server'),
  );
  const enter = ['nsenter', `--target=${containerd}`, '--net', '--mount', '--uts', '--'];
  if (parts.includes('kube-proxy'))
    programs.start(`${name}-kube-proxy`, [...enter, ...commandOf('kube-proxy', ours), `--config=${at('proxy.json')}`]);
  if (parts.includes('kubelet'))
    programs.start(`${name}-kubelet`, [
      ...enter,
      ...commandOf('kubelet', ours),
      `--config=${at('kubelet.json')}`,
      `--kubeconfig=${controlPlane.kubeconfig(name)}`,
      `--hostname-override=${name}`,
      `--node-ip=${nodeAddress(index)}`,
      `--root-dir=${at('kubelet')}`,
      `--cert-dir=${at('pki')}`,
    ]);
}

/** Pods of a node lie under one control group in every hierarchy. */
function createGroups(name: string): void {
  for (const entry of readdirSync('/sys/fs/cgroup', { withFileTypes: true }))
    if (entry.isDirectory()) mkdirSync(`/sys/fs/cgroup/${entry.name}/${name}`, { recursive: true });
  const cpuset = '/sys/fs/cgroup/cpuset';
  if (existsSync(`${cpuset}/cpuset.cpus`))
    for (const file of ['cpuset.cpus', 'cpuset.mems']) writeFileSync(`${cpuset}/${name}/${file}`, readFileSync(`${cpuset}/${file}`));
}

const podNetwork = (index: number): unknown => ({
  cniVersion: '0.4.0',
  name: 'pods',
  plugins: [
    {
      type: 'bridge',
      bridge: 'cni0',
      isGateway: true,
      hairpinMode: true,
      ipMasq: false,
      ipam: { type: 'host-local', ranges: [[{ subnet: podRange(index) }]], routes: [{ dst: '0.0.0.0/0' }] },
    },
    { type: 'portmap', capabilities: { portMappings: true } },
  ],
});

const containerdConfig = (directory: string): string => `version = 2
root = "${join(directory, 'root')}"
state = "${join(directory, 'state')}"
[grpc]
  address = "${join(directory, 'containerd.sock')}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "registry.k8s.io/pause:3.10.1"
  restrict_oom_score_adj = ${!requirements().mayRaiseOomScore}
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "${requirements().cniBinDir ?? '/opt/cni/bin'}"
    conf_dir = "${join(directory, 'cni')}"
`;

const kubeletConfig = (group: string, directory: string, { certificates }: UpstreamControlPlane): unknown => ({
  apiVersion: 'kubelet.config.k8s.io/v1beta1',
  kind: 'KubeletConfiguration',
  cgroupDriver: 'cgroupfs',
  cgroupRoot: `/${group}`,
  failCgroupV1: false,
  failSwapOn: false,
  authentication: { anonymous: { enabled: false }, webhook: { enabled: true }, x509: { clientCAFile: join(certificates, 'ca.crt') } },
  authorization: { mode: 'Webhook' },
  clusterDNS: ['10.96.0.10'],
  clusterDomain: 'cluster.local',
  containerRuntimeEndpoint: `unix://${join(directory, 'containerd.sock')}`,
  podLogsDir: join(directory, 'logs'),
  evictionHard: { 'nodefs.available': '1%', 'imagefs.available': '1%', 'memory.available': '50Mi' },
});

const proxyConfig = (name: string, controlPlane: UpstreamControlPlane): unknown => ({
  apiVersion: 'kubeproxy.config.k8s.io/v1alpha1',
  kind: 'KubeProxyConfiguration',
  clientConnection: { kubeconfig: controlPlane.kubeconfig('kube-proxy') },
  mode: 'nftables',
  clusterCIDR: '10.91.0.0/16',
  conntrack: { maxPerCore: 0, min: 0 },
  hostnameOverride: name,
});
