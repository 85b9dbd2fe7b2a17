/** `coxswain kubelet`: a node's agent alone, beside any API server, on containerd, CRI-O or simulated pods. upstream: cmd/kubelet. */
import { existsSync, readdirSync } from 'node:fs';
import { createServer } from 'node:http';
import { hostname, networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { eventRecorder, informersOver } from '#client';
import { createKubelet } from '#kubelet';
import type { KubeletApi, KubeletOptions } from '#kubelet';
import { kubeletServer } from '#kubelet/server';
import { formatAddress, nthAddress, parseNetwork } from '#machinery/ip';
import { Disposables, running } from '#machinery/lifecycle';
import type { Context, Running } from '#machinery/lifecycle';
import { createCa } from '#machinery/pki';
import { criRuntime, simulatedRuntime } from '#runtime';
import type { Runtime } from '#runtime';
import type { ParsedFlags } from '../flags/parse.ts';
import { goDuration } from '../flags/value.ts';
import { apiConnection, connect } from './api-connection.ts';
import { runComponent } from './component.ts';
import { readConfiguration } from './configuration-file.ts';
import { kubeletConfiguration } from './kubelet-configuration.ts';
import type { KubeletFile } from './kubelet-configuration.ts';
import { kubeletFlags } from './kubelet-flags.ts';
import { readFlagFile, servingCertificate } from './pem-files.ts';

type Flags = ParsedFlags<typeof kubeletFlags>;
type Taints = NonNullable<KubeletOptions['registerWithTaints']>;

const simulatedScheme = 'simulated://';

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
function settingsOf({ values, given }: Flags, warn: (text: string) => void) {
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
    nodeName: (values['hostname-override'] || hostname()).toLowerCase(),
    nodeIps: values['node-ip'] ? values['node-ip'].split(',') : [firstAddress()],
    rootDirectory: values['root-dir'],
    endpoint: flag('container-runtime-endpoint', file.containerRuntimeEndpoint),
    taints: given.has('register-with-taints') ? parseTaints(values['register-with-taints']) : ((file.registerWithTaints ?? []) as Taints),
  };
}

/** Pods that are only played, with addresses of `network`. */
function simulated({ clock, random }: Context, network: string): Runtime {
  const range = parseNetwork(network);
  if (!range) throw new Error(`Cannot give simulated pods addresses of ${network}: it is not a network`);
  const free: string[] = [];
  let next = 2n;
  return simulatedRuntime({
    clock,
    random,
    allocateAddress: () => free.shift() ?? formatAddress(nthAddress(range, next++)!),
    releaseAddress: (address) => void free.push(address),
  });
}

/** /healthz without TLS, for what watches the kubelet on its own machine. */
async function plainHealth(host: string, port: number, api: () => KubeletApi): Promise<Running> {
  const server = createServer((request, response) => {
    if (request.url?.split('?')[0] !== '/healthz') return void response.writeHead(404).end('404 page not found\n');
    const well = api().healthy();
    response
      .writeHead(well ? 200 : 500, { 'Content-Type': 'text/plain; charset=utf-8' })
      .end(well ? 'ok' : 'the runtime or the API does not answer');
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => reject(new Error(`Cannot listen on ${host}:${port}: ${error.message}`, { cause: error })));
    server.listen(port, host, resolve);
  });
  return running(
    () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  );
}

async function start(flags: Flags, context: Context, warn: (text: string) => void): Promise<Running> {
  const { values } = flags;
  const { clock, random } = context;
  const { file, flag, duration, nodeName, nodeIps, rootDirectory, endpoint, taints } = settingsOf(flags, warn);
  if (!values.kubeconfig) throw new Error('--kubeconfig must be given: coxswain has no kubelet without an API server');
  const log = context.log.with({ node: nodeName });
  const held = new Disposables();
  try {
    const { transport, client } = connect(apiConnection({ kubeconfig: values.kubeconfig, master: '' }, 'kubelet', clock));
    held.add(() => transport.close());
    const play = endpoint.startsWith(simulatedScheme);
    const podCidr = flag('pod-cidr', file.podCIDR);
    const runtime = play
      ? simulated(context, endpoint.slice(simulatedScheme.length) || podCidr || '10.244.0.0/24')
      : await criRuntime(endpoint.replace(/^unix:\/\//, ''));
    held.add(() => runtime.close());
    const informers = informersOver(client, { clock, random, log });
    held.add(() => informers.stop());
    const events = eventRecorder({ client, clock, component: 'kubelet', host: nodeName, log });
    held.add(() => events.stop());
    const port = flag('port', file.port);
    const address = flag('address', file.address);
    const caFile = flag('client-ca-file', file.authentication?.x509?.clientCAFile);
    const serving = servingCertificate(
      clock,
      { certificate: flag('tls-cert-file', file.tlsCertFile), key: flag('tls-private-key-file', file.tlsPrivateKeyFile) },
      { directory: play ? '' : values['cert-dir'], name: 'kubelet' },
      nodeIps,
    );
    const restart = duration('crashLoopBackOff.maxContainerRestartPeriod', file.crashLoopBackOff?.maxContainerRestartPeriod);
    const reportFrequency = duration('nodeStatusReportFrequency', file.nodeStatusReportFrequency);
    const imageAge = flags.given.has('minimum-image-ttl-duration')
      ? values['minimum-image-ttl-duration']
      : duration('imageMinimumGCAge', file.imageMinimumGCAge);
    const staticPods = flag('pod-manifest-path', file.staticPodPath);
    const eviction = flag('eviction-hard', file.evictionHard);
    const updateFrequency = flags.given.has('node-status-update-frequency')
      ? values['node-status-update-frequency']
      : duration('nodeStatusUpdateFrequency', file.nodeStatusUpdateFrequency);
    const kubelet = createKubelet({
      nodeName,
      hostname: nodeName,
      client,
      informers,
      events,
      runtime,
      rootDirectory,
      podLogsDirectory: file.podLogsDir ?? (play ? join(rootDirectory, 'logs') : '/var/log/pods'),
      clusterDns: flag('cluster-dns', file.clusterDNS),
      clusterDomain: flag('cluster-domain', file.clusterDomain) || 'cluster.local',
      nodeIps,
      resolverConfig: flag('resolv-conf', file.resolvConf),
      nodeLabels: values['node-labels'],
      registerNode: flag('register-node', file.registerNode),
      registerWithTaints: taints,
      ...(podCidr && { podCidrs: podCidr.split(',') }),
      ...((values['provider-id'] || file.providerID) && { providerId: flag('provider-id', file.providerID) }),
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
      ...(staticPods && existsSync(staticPods) && { staticPodPath: staticPods }),
      ...(play
        ? { simulated: true }
        : {
            ...(flag('cgroups-per-qos', file.cgroupsPerQOS) && { cgroupRoot: flag('cgroup-root', file.cgroupRoot) || '/' }),
            port,
            ...(flag('enable-server', file.enableServer) && {
              server: kubeletServer({
                client,
                host: address,
                port,
                certificate: serving.certificate,
                key: serving.key,
                // An authority that has signed nothing: without one, the machine's own would be believed.
                clientCa: caFile ? readFlagFile('client-ca-file', caFile) : createCa('nobody', { clock }).certificate,
              }),
            }),
          }),
    });
    const agent = await kubelet.start({ ...context, log });
    held.add(() => agent.stop());
    const healthPort = flag('healthz-port', file.healthzPort);
    if (healthPort !== 0) {
      const health = await plainHealth(flag('healthz-bind-address', file.healthzBindAddress), healthPort, () => kubelet.api);
      held.add(() => health.stop());
    }
  } catch (error) {
    await held.dispose();
    throw error;
  }
  return running(() => held.dispose());
}

export const kubelet = (parameters: string[]): Promise<number> =>
  runComponent(
    {
      name: 'kubelet',
      about: "The agent of a node: brings its pods' containers to what they ask for.",
      flags: kubeletFlags,
      start: (flags, context, { warn }) => start(flags, context, warn),
    },
    parameters,
  );
