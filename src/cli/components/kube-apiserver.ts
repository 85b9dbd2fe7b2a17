/** `coxswain kube-apiserver`: the API server alone, on etcd or what speaks its API. upstream: cmd/kube-apiserver. */
import { networkInterfaces } from 'node:os';
import { startApiServer } from '#cluster';
import { Disposables, running } from '#machinery/lifecycle';
import { firstServiceAddress } from '#apiserver';
import { etcdStore } from '#store';
import { runComponent } from './component.ts';
import { followCertificates } from './kube-apiserver-certificates.ts';
import { encryptedStore } from './kube-apiserver-encryption.ts';
import { kubeApiserverFlags } from './kube-apiserver-flags.ts';
import { componentProbes } from './kube-apiserver-probes.ts';
import { requestSettings } from './kube-apiserver-requests.ts';
import { securityOf } from './kube-apiserver-security.ts';

/** What others cannot use. upstream: apimachinery/pkg/util/net ResolveBindAddress. */
const reachesNobody = (address: string): boolean => ['', '0.0.0.0', '::', '::1'].includes(address) || address.startsWith('127.');

/** The machine's first address that others can reach. */
function machineAddress(): string {
  for (const addresses of Object.values(networkInterfaces()))
    for (const { address, family, internal } of addresses ?? []) if (!internal && family === 'IPv4') return address;
  return '127.0.0.1';
}

export const kubeApiserver = (parameters: string[]): Promise<number> =>
  runComponent(
    {
      name: 'kube-apiserver',
      about: 'The API server of Kubernetes: all other parts meet here, and it alone speaks to the store.',
      flags: kubeApiserverFlags,
      async start({ values }, context) {
        const { clock, log } = context;
        if (values['etcd-servers'].length === 0) throw new Error('--etcd-servers must be specified');
        if (values['etcd-prefix'] !== '/registry' && values['etcd-prefix'] !== 'registry')
          throw new Error(`--etcd-prefix ${values['etcd-prefix']} is not supported by coxswain: objects are kept under /registry`);
        if (values['storage-backend'] !== '' && values['storage-backend'] !== 'etcd3')
          throw new Error(`--storage-backend invalid, allowed values: etcd3. If not specified, it will default to 'etcd3'`);
        const bind = values['bind-address'];
        const port = values['secure-port'];
        const address = values['advertise-address'] || (reachesNobody(bind) ? machineAddress() : bind);
        const serviceCidrs = (values['service-cluster-ip-range'] || '10.0.0.0/24').split(',');
        const held = new Disposables();
        try {
          const security = securityOf(values, context, [bind, address, firstServiceAddress(serviceCidrs[0]!)], held);
          const tls = {
            ...(values['etcd-cafile'] && { ca: values['etcd-cafile'] }),
            ...(values['etcd-certfile'] && { certificate: values['etcd-certfile'] }),
            ...(values['etcd-keyfile'] && { key: values['etcd-keyfile'] }),
          };
          const endpoints = values['etcd-servers'].map((server) => server.replace(/\/$/, ''));
          const etcd = await etcdStore({ endpoints, clock, tls });
          held.add(() => etcd.close());
          const { store, extensions } = await encryptedStore(etcd, values, context, held);
          const { server, ready, renew } = await startApiServer(
            {
              store,
              extensions,
              security,
              serviceCidrs,
              advertise: { address, port },
              componentProbes: componentProbes(etcd, clock),
              ...requestSettings(values),
            },
            context,
          );
          held.add(() => server.close());
          await server.listen({ host: bind, port });
          followCertificates(values, security, renew, context, held);
          log.info('Serving securely', { address: bind, port });
          await ready;
        } catch (error) {
          await held.dispose();
          throw error;
        }
        return running(() => held.dispose());
      },
    },
    parameters,
  );
