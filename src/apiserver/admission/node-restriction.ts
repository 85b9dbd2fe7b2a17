import { CSIDriver, Node, PersistentVolume, PersistentVolumeClaim, Pod } from '#api';
import type { CertificateSigningRequest, Kind, ResourceSlice } from '#api';
import { equal, keyOf } from '#machinery/meta';
import type { KubeObject } from '#machinery/meta';
import { parseRequest } from '#machinery/pki';
import type { AuthenticationV1TokenRequest as TokenRequest } from '../../api/facts/types.ts';
import { nodeIdentity } from '../authz/node.ts';
import { namesOf } from '../authz/pod-references.ts';
import type { AdmissionAttributes, AdmissionPluginFactory, Authorizer, ServerDependencies } from '../contract.ts';
import { forbid } from './attributes.ts';

const mirror = 'kubernetes.io/config.mirror';

/** Labels of these names, and under these domains, a kubelet may set on its node. upstream: kubelet/pkg/apis/well_known_labels.go. */
const ownLabels = new Set([
  'kubernetes.io/hostname',
  'topology.kubernetes.io/zone',
  'topology.kubernetes.io/region',
  'failure-domain.beta.kubernetes.io/zone',
  'failure-domain.beta.kubernetes.io/region',
  'beta.kubernetes.io/instance-type',
  'node.kubernetes.io/instance-type',
  'kubernetes.io/os',
  'kubernetes.io/arch',
  'beta.kubernetes.io/os',
  'beta.kubernetes.io/arch',
]);
const ownDomains = ['kubelet.kubernetes.io', 'node.kubernetes.io'];
const under = (domain: string, parent: string): boolean => domain === parent || domain.endsWith(`.${parent}`);

type Labels = Record<string, string>;

/** Labels that differ and that a node may not touch. */
function forbiddenLabels(labels: Labels = {}, old: Labels = {}): string[] {
  return [...new Set([...Object.keys(labels), ...Object.keys(old)])]
    .filter((key) => labels[key] !== old[key])
    .filter((key) => {
      const domain = key.includes('/') ? key.slice(0, key.indexOf('/')) : '';
      if (under(domain, 'node-restriction.kubernetes.io')) return true;
      if (!under(domain, 'kubernetes.io') && !under(domain, 'k8s.io')) return false;
      return !ownLabels.has(key) && !ownDomains.some((parent) => under(domain, parent));
    })
    .sort();
}

/** Volumes that need nothing of the API. */
const plainVolumes = new Set(
  (
    'awsElasticBlockStore azureDisk cephfs cinder downwardAPI emptyDir fc flexVolume flocker gcePersistentDisk gitRepo hostPath image ' +
    'iscsi nfs photonPersistentDisk portworxVolume quobyte rbd scaleIO storageos vsphereVolume'
  ).split(' '),
);
const referringVolumes: Record<string, string> = {
  configMap: 'configmaps (via configmap volumes)',
  secret: 'secrets (via secret volumes)',
  csi: 'csidrivers (via CSI volumes)',
  glusterfs: 'endpoints (via glusterFS volumes)',
  persistentVolumeClaim: 'persistentvolumeclaims',
  ephemeral: 'persistentvolumeclaims (via ephemeral volumes)',
  azureFile: 'secrets (via azureFile volumes)',
};
const referringSources: Record<string, string> = {
  configMap: 'configmaps (via projected volumes)',
  secret: 'secrets (via projected volumes)',
  serviceAccountToken: 'serviceaccounts (via projected volumes)',
  clusterTrustBundle: 'clustertrustbundles',
  podCertificate: 'podcertificates',
};

/** The first kind of API object that a pod refers to. upstream: pkg/api/pod HasAPIObjectReference. */
function referredResource(pod: Pod): string | undefined {
  const spec = pod.spec!;
  if (spec.serviceAccountName) return 'serviceaccounts';
  const { secrets, configMaps } = namesOf(pod);
  if (secrets.size > 0) return 'secrets';
  if (configMaps.size > 0) return 'configmaps';
  if (spec.resourceClaims?.length) return 'resourceclaims';
  for (const volume of spec.volumes ?? []) {
    const source = Object.keys(volume).find((field) => field !== 'name') ?? '';
    if (plainVolumes.has(source)) continue;
    if (referringVolumes[source]) return referringVolumes[source];
    for (const projected of volume.projected?.sources ?? [])
      for (const field of Object.keys(projected)) if (referringSources[field]) return referringSources[field];
  }
  return undefined;
}

/** A kubelet changes only its own node and what runs there. upstream: plugin/pkg/admission/noderestriction. */
export const nodeRestriction: AdmissionPluginFactory = (dependencies) => {
  const restriction = new Restriction(dependencies, dependencies.authorizer);
  return {
    name: 'NodeRestriction',
    handles: ({ operation, user }) => operation !== 'CONNECT' && nodeIdentity(user) !== undefined,
    admit: (attributes) => restriction.admit(attributes),
  };
};

class Restriction {
  readonly #dependencies: ServerDependencies;
  readonly #authorizer: Authorizer;

  constructor(dependencies: ServerDependencies, authorizer: Authorizer) {
    this.#dependencies = dependencies;
    this.#authorizer = authorizer;
  }

  admit(attributes: AdmissionAttributes): void | Promise<void> {
    const { kind, subresource, user } = attributes;
    const node = nodeIdentity(user)!;
    if (!node) throw forbid(attributes, `could not determine node from user "${user.name}"`);
    switch (kind.group ? `${kind.resource}.${kind.group}` : kind.resource) {
      case 'pods':
        if (subresource === '') return this.#pod(attributes, node);
        if (subresource === 'status') return this.#podStatus(attributes, node);
        if (subresource === 'eviction') return this.#eviction(attributes, node);
        throw forbid(attributes, `unexpected pod subresource "${subresource}", only 'status' and 'eviction' are allowed`);
      case 'nodes':
        return this.#node(attributes, node);
      case 'persistentvolumeclaims':
        if (subresource !== 'status') throw forbid(attributes, 'may only update PVC status');
        return this.#claimStatus(attributes, node);
      case 'serviceaccounts':
        if (attributes.operation === 'CREATE' && subresource === 'token') return this.#token(attributes, node);
        return;
      case 'leases.coordination.k8s.io':
        if (attributes.namespace !== 'kube-node-lease')
          throw forbid(attributes, 'can only access leases in the "kube-node-lease" system namespace');
        return this.#ownName(attributes, node, 'node lease');
      case 'csinodes.storage.k8s.io':
        return this.#ownName(attributes, node, 'CSINode');
      case 'resourceslices.resource.k8s.io':
        return this.#resourceSlice(attributes, node);
      case 'certificatesigningrequests.certificates.k8s.io':
        return this.#signingRequest(attributes, node);
    }
  }

  /** From the informer, or, where it does not know it (yet), from the server. */
  #get<T extends KubeObject>(kind: Kind<T>, name: string, namespace?: string): T | Promise<T> {
    const ref = { ...(namespace && { namespace }), name };
    return this.#dependencies.informers.for(kind).get(keyOf({ metadata: ref })) ?? this.#dependencies.client.get(kind, ref);
  }

  async #pod(attributes: AdmissionAttributes, node: string): Promise<void> {
    if (attributes.operation === 'DELETE') {
      const pod = attributes.oldObject as Pod;
      if (pod.spec?.nodeName !== node) throw forbid(attributes, `node "${node}" can only delete pods with spec.nodeName set to itself`);
      return;
    }
    if (attributes.operation !== 'CREATE')
      throw forbid(attributes, `unexpected operation "${attributes.operation}", node "${node}" can only create and delete mirror pods`);
    const pod = attributes.object as Pod;
    if (pod.metadata?.annotations?.[mirror] === undefined)
      throw forbid(attributes, `pod does not have "${mirror}" annotation, node "${node}" can only create mirror pods`);
    if (pod.spec?.nodeName !== node) throw forbid(attributes, `node "${node}" can only create pods with spec.nodeName set to itself`);
    const [owner, ...others] = pod.metadata.ownerReferences ?? [];
    if (others.length > 0) throw forbid(attributes, `node "${node}" can only create pods with a single owner reference set to itself`);
    if (!owner || owner.apiVersion !== 'v1' || owner.kind !== 'Node' || owner.name !== node)
      throw forbid(attributes, `node "${node}" can only create pods with an owner reference set to itself`);
    if (!owner.controller) throw forbid(attributes, `node "${node}" can only create pods with a controller owner reference set to itself`);
    if (owner.blockOwnerDeletion) throw forbid(attributes, `node "${node}" must not set blockOwnerDeletion on an owner reference`);
    const { uid } = (await this.#get(Node, node)).metadata!;
    if (owner.uid !== uid) throw forbid(attributes, `node ${node} UID mismatch: expected ${owner.uid} got ${uid}`);
    const referred = referredResource(pod);
    if (referred) throw forbid(attributes, `node "${node}" can not create pods that reference ${referred}`);
  }

  #podStatus(attributes: AdmissionAttributes, node: string): void {
    if (attributes.operation !== 'UPDATE') throw forbid(attributes, `unexpected operation "${attributes.operation}"`);
    const pod = attributes.object as Pod;
    const old = attributes.oldObject as Pod;
    if (old.spec?.nodeName !== node)
      throw forbid(attributes, `node "${node}" can only update pod status for pods with spec.nodeName set to itself`);
    if (!equal(old.metadata?.labels ?? {}, pod.metadata?.labels ?? {}))
      throw forbid(attributes, `node "${node}" cannot update labels through pod status`);
    if (!equal(old.status?.resourceClaimStatuses ?? [], pod.status?.resourceClaimStatuses ?? []))
      throw forbid(attributes, `node "${node}" cannot update resource claim statues`);
    if (!equal(old.status?.extendedResourceClaimStatus, pod.status?.extendedResourceClaimStatus))
      throw forbid(attributes, `node "${node}" cannot update extended resource claim status`);
  }

  async #eviction(attributes: AdmissionAttributes, node: string): Promise<void> {
    if (attributes.operation !== 'CREATE') throw forbid(attributes, `unexpected operation ${attributes.operation}`);
    const name = attributes.name || attributes.object?.metadata?.name;
    if (!name) throw forbid(attributes, 'could not determine pod from request data');
    const pod = await this.#get(Pod, name, attributes.namespace);
    if (pod.spec?.nodeName !== node) throw forbid(attributes, `node ${node} can only evict pods with spec.nodeName set to itself`);
  }

  #claimStatus(attributes: AdmissionAttributes, node: string): void {
    if (attributes.operation !== 'UPDATE') throw forbid(attributes, `unexpected operation "${attributes.operation}"`);
    const rest = (object: KubeObject | undefined): unknown => {
      const { metadata, status, ...others } = object as PersistentVolumeClaim;
      const { resourceVersion: _, managedFields: __, ...meta } = metadata ?? {};
      const { capacity: ___, conditions: ____, allocatedResources: _____, allocatedResourceStatuses: ______, ...state } = status ?? {};
      return { ...others, metadata: meta, status: state };
    };
    if (!equal(rest(attributes.object), rest(attributes.oldObject)))
      throw forbid(attributes, `node "${node}" is not allowed to update fields other than status.quantity and status.conditions`);
  }

  #node(attributes: AdmissionAttributes, node: string): void {
    const name = attributes.name || attributes.object?.metadata?.name || '';
    if (name !== node) throw forbid(attributes, `node "${node}" is not allowed to modify node "${name}"`);
    const object = attributes.object as Node | undefined;
    const old = attributes.oldObject as Node | undefined;
    if (attributes.operation === 'CREATE') {
      if (object!.spec?.configSource) throw forbid(attributes, `node "${node}" is not allowed to create pods with a non-nil configSource`);
      const labels = forbiddenLabels(object!.metadata?.labels);
      if (labels.length > 0) throw forbid(attributes, `node "${node}" is not allowed to set the following labels: ${labels.join(', ')}`);
    } else if (attributes.operation === 'UPDATE') {
      if (object!.spec?.configSource && !equal(object!.spec.configSource, old!.spec?.configSource))
        throw forbid(attributes, `node "${node}" is not allowed to update configSource to a new non-nil configSource`);
      if (!equal(object!.spec?.taints ?? [], old!.spec?.taints ?? []))
        throw forbid(attributes, `node "${node}" is not allowed to modify taints`);
      if (!equal(object!.metadata?.ownerReferences ?? [], old!.metadata?.ownerReferences ?? []))
        throw forbid(attributes, `node "${node}" is not allowed to modify ownerReferences`);
      const labels = forbiddenLabels(object!.metadata?.labels, old!.metadata?.labels);
      if (labels.length > 0) throw forbid(attributes, `is not allowed to modify labels: ${labels.join(', ')}`);
    }
  }

  async #token(attributes: AdmissionAttributes, node: string): Promise<void> {
    const { spec } = attributes.object as TokenRequest;
    const reference = spec?.boundObjectRef;
    if (!reference || reference.apiVersion !== 'v1' || reference.kind !== 'Pod' || !reference.name)
      throw forbid(attributes, 'node requested token not bound to a pod');
    if (!reference.uid) throw forbid(attributes, 'node requested token with a pod binding without a uid');
    const pod = await this.#get(Pod, reference.name, attributes.namespace);
    if (reference.uid !== pod.metadata?.uid)
      throw forbid(
        attributes,
        `the UID in the bound object reference (${reference.uid}) does not match the UID in record. The object might have been deleted and then recreated`,
      );
    if (pod.spec?.nodeName !== node) throw forbid(attributes, 'node requested token bound to a pod scheduled on a different node');
    const audiences = spec.audiences ?? [];
    if (audiences.length > 1) throw forbid(attributes, 'node may only request 0 or 1 audiences');
    const [audience = ''] = audiences;
    if (await this.#refersToAudience(pod, audience)) return;
    const { user, namespace, name } = attributes;
    const verb = 'request-serviceaccounts-token-audience';
    const info = {
      isResourceRequest: true,
      path: '',
      verb,
      group: '',
      version: 'v1',
      resource: audience,
      subresource: '',
      namespace,
      name,
    };
    if ((await this.#authorizer({ user, info })).verdict !== 'allow')
      throw forbid(
        attributes,
        `audience "${audience}" not found in pod spec volume, ${user.name} is not authorized to request tokens for this audience`,
      );
  }

  async #refersToAudience(pod: Pod, audience: string): Promise<boolean> {
    for (const volume of pod.spec?.volumes ?? []) {
      const projected = volume.projected?.sources?.some(
        (source) => source.serviceAccountToken && (source.serviceAccountToken.audience ?? '') === audience,
      );
      if (projected) return true;
      const claim = volume.ephemeral ? `${pod.metadata?.name}-${volume.name}` : volume.persistentVolumeClaim?.claimName;
      const driver = claim ? await this.#driverOf(claim, pod.metadata?.namespace) : volume.csi?.driver;
      if (!driver) continue;
      const { tokenRequests } = (await this.#get(CSIDriver, driver)).spec;
      if (tokenRequests?.some((request) => request.audience === audience)) return true;
    }
    return false;
  }

  async #driverOf(claimName: string, namespace: string | undefined): Promise<string | undefined> {
    const claim = await this.#get(PersistentVolumeClaim, claimName, namespace);
    if (!claim.spec?.volumeName) return undefined;
    return (await this.#get(PersistentVolume, claim.spec.volumeName)).spec?.csi?.driver;
  }

  #ownName(attributes: AdmissionAttributes, node: string, word: string): void {
    const name = attributes.operation === 'CREATE' ? attributes.object?.metadata?.name : attributes.name;
    if (name !== node) throw forbid(attributes, `can only access ${word} with the same name as the requesting node`);
  }

  #resourceSlice(attributes: AdmissionAttributes, node: string): void {
    const { operation } = attributes;
    if (operation !== 'CREATE' && operation !== 'DELETE') return;
    const slice = (operation === 'CREATE' ? attributes.object : attributes.oldObject) as ResourceSlice;
    if (slice.spec.nodeName !== node)
      throw forbid(attributes, `can only ${operation.toLowerCase()} ResourceSlice with the same NodeName as the requesting node`);
  }

  #signingRequest(attributes: AdmissionAttributes, node: string): void {
    if (attributes.operation !== 'CREATE') return;
    const { spec } = attributes.object as CertificateSigningRequest;
    if (spec.signerName !== 'kubernetes.io/kubelet-serving' && spec.signerName !== 'kubernetes.io/kube-apiserver-client-kubelet') return;
    let name: string;
    try {
      name = parseRequest(Buffer.from(spec.request, 'base64').toString()).subject.commonName;
    } catch (error) {
      throw forbid(attributes, `unable to parse csr: ${error instanceof Error ? error.message : String(error)}`);
    }
    if (name !== `system:node:${node}`) throw forbid(attributes, `can only create a node CSR with CN=system:node:${node}`);
  }
}
