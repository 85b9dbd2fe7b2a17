/** `coxswain kube-proxy`: a node's service proxy alone, beside any API server. upstream: cmd/kube-proxy. */
import { hostname } from 'node:os';
import { Node } from '#api';
import { informersOver } from '#client';
import type { Informers } from '#client';
import { Disposables, running } from '#machinery/lifecycle';
import type { Context, Running } from '#machinery/lifecycle';
import { createProxy } from '#network';
import type { ParsedFlags } from '../flags/parse.ts';
import { apiConnection, connect } from './api-connection.ts';
import { runComponent } from './component.ts';
import { clientConnection, readConfiguration } from './configuration-file.ts';
import type { ConfigurationForm } from './configuration-file.ts';
import { kubeProxyFlags } from './kube-proxy-flags.ts';

/** upstream: kube-proxy/config/v1alpha1. */
const kubeProxyConfiguration: ConfigurationForm = {
  apiVersion: 'kubeproxy.config.k8s.io/v1alpha1',
  kind: 'KubeProxyConfiguration',
  fields: {
    featureGates: 'warn',
    clientConnection,
    logging: 'warn',
    hostnameOverride: 'use',
    bindAddress: 'use',
    healthzBindAddress: 'use',
    metricsBindAddress: 'use',
    bindAddressHardFail: 'warn',
    enableProfiling: 'warn',
    showHiddenMetricsForVersion: 'warn',
    mode: 'use',
    iptables: { masqueradeBit: 'warn', masqueradeAll: 'warn', localhostNodePorts: 'use', syncPeriod: 'warn', minSyncPeriod: 'warn' },
    ipvs: 'warn',
    nftables: { masqueradeBit: 'warn', masqueradeAll: 'use', syncPeriod: 'warn', minSyncPeriod: 'warn' },
    winkernel: 'warn',
    detectLocalMode: 'use',
    detectLocal: { bridgeInterface: 'warn', interfaceNamePrefix: 'warn' },
    clusterCIDR: 'use',
    nodePortAddresses: 'refuse',
    oomScoreAdj: 'warn',
    conntrack: {
      maxPerCore: 'warn',
      min: 'warn',
      tcpEstablishedTimeout: 'warn',
      tcpCloseWaitTimeout: 'warn',
      tcpBeLiberal: 'warn',
      udpTimeout: 'warn',
      udpStreamTimeout: 'warn',
    },
    configSyncPeriod: 'warn',
    portRange: 'warn',
    windowsRunAsService: 'warn',
  },
};

interface ProxyFile {
  clientConnection?: { kubeconfig?: string };
  hostnameOverride?: string;
  bindAddress?: string;
  healthzBindAddress?: string;
  metricsBindAddress?: string;
  mode?: string;
  iptables?: { localhostNodePorts?: boolean };
  nftables?: { masqueradeAll?: boolean };
  detectLocalMode?: string;
  clusterCIDR?: string;
}

type Values = ParsedFlags<typeof kubeProxyFlags>['values'];

const fromFlags = (values: Values): ProxyFile => ({
  clientConnection: { kubeconfig: values.kubeconfig },
  hostnameOverride: values['hostname-override'],
  bindAddress: values['bind-address'],
  healthzBindAddress: values['healthz-bind-address'],
  metricsBindAddress: values['metrics-bind-address'],
  mode: values['proxy-mode'],
  iptables: { localhostNodePorts: values['iptables-localhost-nodeports'] },
  nftables: { masqueradeAll: values['masquerade-all'] },
  detectLocalMode: values['detect-local-mode'],
  clusterCIDR: values['cluster-cidr'],
});

/** The port of "host:port"; 0 of ''. */
const portOf = (address: string, standard: number): number => {
  if (address === '') return 0;
  const port = /:(\d+)$/.exec(address)?.[1];
  return port === undefined ? standard : Number(port);
};

/** The node's addresses as its Node object says, else the bind address. upstream: cmd/kube-proxy/app/server.go detectNodeIPs. */
async function nodeIps(informers: Informers, name: string, bindAddress: string, signal: AbortSignal): Promise<string[]> {
  if (bindAddress !== '' && bindAddress !== '0.0.0.0' && bindAddress !== '::') return [bindAddress];
  const nodes = informers.for(Node);
  return new Promise((resolve, reject) => {
    const look = (node: Node): void => {
      if (node.metadata?.name !== name) return;
      const addresses = (node.status?.addresses ?? []).filter(({ type }) => type === 'InternalIP').map(({ address }) => address);
      if (addresses.length === 0) return;
      queueMicrotask(() => subscription[Symbol.dispose]());
      resolve(addresses);
    };
    const subscription = nodes.on({ added: look, updated: look });
    signal.addEventListener('abort', () => {
      subscription[Symbol.dispose]();
      reject(signal.reason as Error);
    });
  });
}

async function start(
  { values, given }: ParsedFlags<typeof kubeProxyFlags>,
  context: Context,
  warn: (text: string) => void,
): Promise<Running> {
  const { clock, random } = context;
  const settings: ProxyFile = values.config
    ? (readConfiguration('config', values.config, kubeProxyConfiguration, warn) as ProxyFile)
    : fromFlags(values);
  const { mode = '', detectLocalMode = '', clusterCIDR = '' } = settings;
  if (mode !== '' && mode !== 'nftables') {
    if (!['iptables', 'ipvs'].includes(mode))
      throw new Error(`mode: Invalid value: ${JSON.stringify(mode)}: must be iptables, ipvs, nftables or blank`);
    warn(`mode ${mode} is not supported: Services are in nftables`);
  }
  if (detectLocalMode !== '' && detectLocalMode !== 'ClusterCIDR')
    throw new Error(`detectLocalMode ${detectLocalMode} is not supported by coxswain: it is ClusterCIDR`);
  const nodeName = ((given.has('hostname-override') ? values['hostname-override'] : settings.hostnameOverride) || hostname()).toLowerCase();
  const kubeconfig = settings.clientConnection?.kubeconfig || values.kubeconfig;
  const held = new Disposables();
  try {
    const { transport, client } = connect(apiConnection({ kubeconfig, master: values.master }, 'kube-proxy', clock));
    held.add(() => transport.close());
    const log = context.log.with({ node: nodeName });
    const informers = informersOver(client, { clock, random, log });
    held.add(() => informers.stop());
    const proxy = await createProxy({
      nodeName,
      nodeIps: await nodeIps(informers, nodeName, settings.bindAddress ?? '', context.signal),
      informers,
      clusterCidrs: clusterCIDR.split(',').filter(Boolean),
      masqueradeAll: settings.nftables?.masqueradeAll ?? false,
      localhostNodePorts: settings.iptables?.localhostNodePorts ?? true,
      healthPort: portOf(settings.healthzBindAddress ?? '0.0.0.0:10256', 10_256),
      statusPort: portOf(settings.metricsBindAddress ?? '127.0.0.1:10249', 10_249),
    }).start({ ...context, log });
    held.add(() => proxy.stop());
  } catch (error) {
    await held.dispose();
    throw error;
  }
  return running(() => held.dispose());
}

export const kubeProxy = (parameters: string[]): Promise<number> =>
  runComponent(
    {
      name: 'kube-proxy',
      about: "A node's service proxy: what reaches a Service's addresses goes to its endpoints, by rules in nftables.",
      flags: kubeProxyFlags,
      start: (flags, context, { warn }) => start(flags, context, warn),
    },
    parameters,
  );
