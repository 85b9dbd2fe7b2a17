import { ConfigMap as ConfigMapKind, Namespace as NamespaceKind } from '#api';
import { equal } from '#machinery/meta';
import { isAlreadyExists, isNotFound } from '#machinery/status';
import type { ControllerFactory } from '../contract.ts';
import { source } from '../contract.ts';
import { isNamespaceTerminating } from '../pod-control.ts';

const name = 'kube-root-ca.crt';
const descriptionAnnotation = 'kubernetes.io/description';
const description =
  'Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes clusters.';

/** Publishes the cluster's CA in every namespace, where pods mount it. upstream: pkg/controller/certificates/rootcacertpublisher. */
export const rootCaCertificatePublisherController: ControllerFactory = () => ({
  name: 'root-ca-certificate-publisher-controller',
  serviceAccount: 'root-ca-cert-publisher',
  watches: [
    source(NamespaceKind, { when: (_namespace, _old, event) => event !== 'deleted' }),
    source(ConfigMapKind, { keys: (map) => [map.metadata!.namespace!], when: (map) => map.metadata!.name === name }),
  ],
  async reconcile(context, key) {
    if (!context.options.rootCa) return;
    const namespace = context.lister(NamespaceKind).get(key);
    if (!namespace || namespace.metadata!.deletionTimestamp || namespace.status?.phase === 'Terminating') return;
    const current = context.lister(ConfigMapKind).get(`${key}/${name}`);
    const data = { 'ca.crt': context.options.rootCa };
    const annotations = { ...current?.metadata!.annotations, [descriptionAnnotation]: description };
    try {
      if (!current) await context.client.create(ConfigMapKind, { metadata: { name, namespace: key, annotations }, data });
      else if (!equal(current.data ?? {}, data) || current.metadata!.annotations?.[descriptionAnnotation] === undefined)
        await context.client.update(ConfigMapKind, { ...current, metadata: { ...current.metadata, annotations }, data });
    } catch (error) {
      if (!isAlreadyExists(error) && !isNotFound(error) && !isNamespaceTerminating(error)) throw error;
    }
  },
});
