/** Coxswain's API server alone, on a store in memory: what the control plane composes, without controllers, scheduler and machines. */
import {
  admissionPlugins,
  aggregator,
  createApiServer,
  createAuthentication,
  createAuthorization,
  customResources,
  endpoints,
  frontProxyHeaders,
  hooks,
  nodeRules,
  openIdDocuments,
  ServiceAccountTokens,
  streams,
} from '#apiserver';
import type { Authentication, Authorization } from '#apiserver';
import { systemClock, systemRandom } from '#machinery/clock';
import { silentLog } from '#machinery/log';
import type { Log } from '#machinery/log';
import { createCa, createSigningKey, issue, loadSigningKey } from '#machinery/pki';
import { memoryStore } from '#store';
import type { Peer } from './peer.ts';
import { issuer, serviceCidr, users } from './setup.ts';

export async function startCoxswain(log: Log = silentLog): Promise<Peer> {
  const clock = systemClock;
  const random = systemRandom;
  const ca = createCa('differential', { clock });
  const leaf = issue({ ca, clock, commonName: 'server', ips: ['127.0.0.1'], usages: ['digital signature', 'server auth'] });
  const client = issue({ ca, clock, commonName: 'client', usages: ['digital signature', 'client auth'] });
  const frontProxy = { ca: ca.certificate, allowedNames: ['front-proxy-client'], ...frontProxyHeaders };
  const store = memoryStore({ clock, random });
  let authentication!: Authentication;
  let authorization!: Authorization;
  let serviceAccounts!: ServiceAccountTokens;
  const special = { authentication: () => authentication, authorization: () => authorization, tokens: () => serviceAccounts };
  const server = await createApiServer({
    store,
    clock,
    random,
    log,
    freeze: true,
    authentication(dependencies) {
      serviceAccounts = new ServiceAccountTokens(dependencies, { issuers: [issuer], signingKey: loadSigningKey(createSigningKey()) });
      const staticTokens = new Map(users.map(({ token, name, uid, groups }) => [token, { name, uid, groups }]));
      authentication = createAuthentication(dependencies, { clientCa: ca.certificate, serviceAccounts, frontProxy, staticTokens });
      return authentication;
    },
    authorization(dependencies) {
      authorization = createAuthorization(dependencies, { nodeRules });
      return authorization.authorizer;
    },
    admission: admissionPlugins(),
    endpoints: endpoints(special),
    hooks: hooks({ ...special, serviceCidrs: [serviceCidr] }),
    streams: streams({ kubelet: { cert: client.certificate, key: client.key, ca: ca.certificate } }),
    extensions: [
      customResources(),
      aggregator({ frontProxy: client }),
      ({ paths }) => {
        for (const document of openIdDocuments(serviceAccounts, '127.0.0.1:6443'))
          paths.add(document.path, ({ exchange, headers }) =>
            exchange.end(200, { ...headers, 'content-type': document.contentType, 'cache-control': document.cacheControl }, document.body),
          );
      },
    ],
    tls: { cert: leaf.certificate, key: leaf.key, clientCA: ca.certificate },
    bootstrap: {
      kubernetesService: { serviceCidrs: [serviceCidr], advertiseAddress: '127.0.0.1', securePort: 6443 },
      clientCa: ca.certificate,
      frontProxy,
    },
  });
  await server.ready;
  await authorization.ready;
  const listener = await server.listen({ host: '127.0.0.1', port: 0 });
  return {
    name: 'coxswain',
    url: `https://127.0.0.1:${listener.port}`,
    ca: ca.certificate,
    async stop() {
      await server.close();
      await store.close();
    },
  };
}
