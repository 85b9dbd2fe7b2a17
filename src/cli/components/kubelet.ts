/** `coxswain kubelet`: a node's agent alone, beside any API server, on containerd, CRI-O or simulated pods. upstream: cmd/kubelet. */
import { existsSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { eventRecorder, informersOver } from '#client';
import { createKubelet } from '#kubelet';
import type { KubeletApi } from '#kubelet';
import { kubeletServer } from '#kubelet/server';
import { formatAddress, nthAddress, parseNetwork } from '#machinery/ip';
import { Disposables, running } from '#machinery/lifecycle';
import type { Context, Running } from '#machinery/lifecycle';
import { createCa } from '#machinery/pki';
import { criRuntime, simulatedRuntime } from '#runtime';
import type { Runtime } from '#runtime';
import type { ParsedFlags } from '../flags/parse.ts';
import { apiConnection, connect } from './api-connection.ts';
import { runComponent } from './component.ts';
import { kubeletFlags } from './kubelet-flags.ts';
import { nodeSettings, settingsOf } from './kubelet-settings.ts';
import { readFlagFile, servingCertificate } from './pem-files.ts';

type Flags = ParsedFlags<typeof kubeletFlags>;

const simulatedScheme = 'simulated://';

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
  const settings = settingsOf(flags, warn);
  const { file, flag, nodeName, nodeIps, rootDirectory, endpoint } = settings;
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
    const staticPods = flag('pod-manifest-path', file.staticPodPath);
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
      ...nodeSettings(settings),
      ...(podCidr && { podCidrs: podCidr.split(',') }),
      ...((values['provider-id'] || file.providerID) && { providerId: flag('provider-id', file.providerID) }),
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
