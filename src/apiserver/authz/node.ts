import { PersistentVolume, Pod, ResourceSlice, VolumeAttachment } from '#api';
import type { Informer, Informers } from '#client';
import type { PolicyRule } from '../../api/facts/types.ts';
import type { AuthorizationAttributes, Decision, RequestInfo, UserInfo } from '../contract.ts';
import { referencesOf } from './pod-references.ts';
import { RuleSet } from './rules.ts';

const podIndex = 'node-authorizer';
const volumeIndex = 'node-authorizer';
const prefix = 'system:node:';

/** The node a user is the kubelet of; undefined for others, "" for a member of system:nodes with another name. upstream: pkg/auth/nodeidentifier. */
export function nodeIdentity(user: UserInfo): string | undefined {
  if (!user.name.startsWith(prefix) || !user.groups.includes('system:nodes')) return undefined;
  return user.name.slice(prefix.length);
}

const allow: Decision = { verdict: 'allow', reason: '' };
const no = (reason: string): Decision => ({ verdict: 'no-opinion', reason });

/** Whether the field selector pins `field` to `value`. */
const selects = (info: RequestInfo, field: string, value: string): boolean =>
  (info.fieldSelector ?? '').split(',').some((term) => term === `${field}=${value}` || term === `${field}==${value}`);

/**
 * Kubelets may read what the pods on their node refer to, and write about themselves; NodeRestriction admission sees to the rest.
 * What upstream keeps as a graph is found here through indexes of the informers. upstream: plugin/pkg/auth/authorizer/node.
 */
export class NodeAuthorizer {
  readonly #pods: Informer<Pod>;
  readonly #volumes: Informer<PersistentVolume>;
  readonly #informers: Informers;
  readonly #rules: RuleSet;
  /** Resolves when pods and volumes are known. */
  readonly ready: Promise<void>;

  /** `rules`: what every node may do, those of the ClusterRole system:node. */
  constructor(informers: Informers, rules: readonly PolicyRule[]) {
    this.#informers = informers;
    this.#rules = new RuleSet(rules);
    this.#pods = informers.for(Pod);
    this.#pods.addIndex(podIndex, (pod) => referencesOf(pod));
    this.#volumes = informers.for(PersistentVolume);
    this.#volumes.addIndex(volumeIndex, secretsOf);
    this.ready = Promise.all([this.#pods.synced, this.#volumes.synced]).then(() => undefined);
  }

  authorize({ user, info }: AuthorizationAttributes): Decision {
    const node = nodeIdentity(user);
    if (node === undefined) return no('');
    if (node === '') return no(`unknown node for user "${user.name}"`);
    return (info.isResourceRequest && this.#byResource(node, info)) || (this.#rules.allows(info) ? allow : no(''));
  }

  /** Undefined: the resource is not subdivided by node. */
  #byResource(node: string, info: RequestInfo): Decision | undefined {
    switch (info.group ? `${info.resource}.${info.group}` : info.resource) {
      case 'secrets':
        return this.#readNamespaced(node, info, () => this.#reachesSecret(node, info));
      case 'configmaps':
        return this.#readNamespaced(node, info, () => this.#podRefers(node, `configmap:${info.namespace}/${info.name}`));
      case 'persistentvolumeclaims':
        if (info.subresource === 'status') {
          if (info.verb !== 'update' && info.verb !== 'patch') return no('can only get/update/patch this type');
          return this.#related(node, info, () => this.#podRefers(node, `pvc:${info.namespace}/${info.name}`));
        }
        return this.#get(node, info, () => this.#podRefers(node, `pvc:${info.namespace}/${info.name}`));
      case 'persistentvolumes':
        return this.#get(node, info, () => this.#reachesVolume(node, this.#volumes.get(info.name)));
      case 'resourceclaims.resource.k8s.io':
        return this.#get(node, info, () => this.#podRefers(node, `claim:${info.namespace}/${info.name}`));
      case 'volumeattachments.storage.k8s.io':
        return this.#get(node, info, () => this.#informers.for(VolumeAttachment).get(info.name)?.spec.nodeName === node);
      case 'serviceaccounts':
        return this.#serviceAccount(node, info);
      case 'leases.coordination.k8s.io':
        return lease(node, info);
      case 'csinodes.storage.k8s.io':
        return csiNode(node, info);
      case 'resourceslices.resource.k8s.io':
        return this.#resourceSlice(node, info);
      case 'nodes':
        return ownNode(node, info);
      case 'pods':
        return this.#pod(node, info);
      case 'podcertificaterequests.certificates.k8s.io':
        return no('');
      default:
        return undefined;
    }
  }

  /** Some pod on the node refers to what `key` names. */
  #podRefers(node: string, key: string): boolean {
    for (const pod of this.#pods.byIndex(podIndex, key)) if (pod.spec?.nodeName === node) return true;
    return false;
  }

  #reachesSecret(node: string, { namespace, name }: RequestInfo): boolean {
    if (this.#podRefers(node, `secret:${namespace}/${name}`)) return true;
    for (const volume of this.#volumes.byIndex(volumeIndex, `${namespace}/${name}`)) if (this.#reachesVolume(node, volume)) return true;
    return false;
  }

  #reachesVolume(node: string, volume: PersistentVolume | undefined): boolean {
    const claim = volume?.spec?.claimRef;
    return claim !== undefined && this.#podRefers(node, `pvc:${claim.namespace}/${claim.name}`);
  }

  #related(node: string, info: RequestInfo, related: () => boolean): Decision {
    if (!info.name) return no('No Object name found');
    return related() ? allow : no(`no relationship found between node '${node}' and this object`);
  }

  #get(node: string, info: RequestInfo, related: () => boolean): Decision {
    if (info.verb !== 'get') return no('can only get individual resources of this type');
    if (info.subresource) return no('cannot get subresource');
    return this.#related(node, info, related);
  }

  #readNamespaced(node: string, info: RequestInfo, related: () => boolean): Decision {
    if (!['get', 'list', 'watch'].includes(info.verb)) return no('can only read resources of this type');
    if (info.subresource) return no('cannot read subresource');
    if (!info.namespace) return no('can only read namespaced object of this type');
    return this.#related(node, info, related);
  }

  #serviceAccount(node: string, info: RequestInfo): Decision {
    const related = (): boolean => this.#podRefers(node, `serviceaccount:${info.namespace}/${info.name}`);
    if (info.verb === 'get' && !info.subresource) return this.#readNamespaced(node, info, related);
    if (info.verb !== 'create' || !info.name) return no('can only create tokens for individual service accounts');
    if (info.subresource !== 'token') return no('can only create token subresource of serviceaccount');
    return this.#related(node, info, related);
  }

  #resourceSlice(node: string, info: RequestInfo): Decision {
    if (info.subresource) return no('cannot authorize ResourceSlice subresources');
    switch (info.verb) {
      case 'create':
        return allow;
      case 'get':
      case 'update':
      case 'patch':
      case 'delete':
        return this.#related(node, info, () => this.#informers.for(ResourceSlice).get(info.name)?.spec.nodeName === node);
      case 'watch':
      case 'list':
      case 'deletecollection':
        return selects(info, 'spec.nodeName', node)
          ? allow
          : no('can only list/watch/deletecollection resourceslices with nodeName field selector');
      default:
        return no(
          'only the following verbs are allowed for a ResourceSlice: get, watch, list, create, update, patch, delete, deletecollection',
        );
    }
  }

  #pod(node: string, info: RequestInfo): Decision {
    const related = (): boolean => this.#pods.get(`${info.namespace}/${info.name}`)?.spec?.nodeName === node;
    switch (`${info.verb} ${info.subresource}`) {
      case 'get ':
        return this.#get(node, info, related);
      case 'list ':
      case 'watch ':
        if (selects(info, 'spec.nodeName', node)) return allow;
        return info.name ? this.#related(node, info, related) : no('can only list/watch pods with spec.nodeName field selector');
      case 'create ':
      case 'delete ':
      case 'update status':
      case 'patch status':
      case 'create eviction':
        return allow;
      default:
        return no('');
    }
  }
}

function ownNode(node: string, info: RequestInfo): Decision {
  switch (`${info.verb} ${info.subresource}`) {
    case 'create ':
    case 'update ':
    case 'patch ':
    case 'update status':
    case 'patch status':
      return allow;
    case 'get ':
    case 'list ':
    case 'watch ':
      if (info.name === node) return allow;
      return no(
        info.name
          ? `node '${node}' cannot read '${info.name}', only its own Node object`
          : `node '${node}' cannot read all nodes, only its own Node object`,
      );
    default:
      return no('');
  }
}

const ownVerbs = ['get', 'create', 'update', 'patch', 'delete'];

function lease(node: string, info: RequestInfo): Decision {
  if (!ownVerbs.includes(info.verb)) return no('can only get, create, update, patch, or delete a node lease');
  if (info.namespace !== 'kube-node-lease') return no('can only access leases in the "kube-node-lease" system namespace');
  // The name is not known before creation; NodeRestriction checks it then.
  if (info.verb !== 'create' && info.name !== node) return no('can only access node lease with the same name as the requesting node');
  return allow;
}

function csiNode(node: string, info: RequestInfo): Decision {
  if (!ownVerbs.includes(info.verb)) return no('can only get, create, update, patch, or delete a CSINode');
  if (info.subresource) return no('cannot authorize CSINode subresources');
  if (info.verb !== 'create' && info.name !== node) return no('can only access CSINode with the same name as the requesting node');
  return allow;
}

/** Secrets that a volume's driver needs on the node. upstream: pkg/api/v1/persistentvolume VisitPVSecretNames. */
function secretsOf(volume: PersistentVolume): string[] {
  const { spec } = volume;
  const fallback = spec?.claimRef?.namespace ?? '';
  const references = [
    spec?.csi?.nodePublishSecretRef,
    spec?.csi?.nodeStageSecretRef,
    spec?.csi?.nodeExpandSecretRef,
    spec?.csi?.controllerPublishSecretRef,
    spec?.csi?.controllerExpandSecretRef,
    spec?.cephfs?.secretRef,
    spec?.cinder?.secretRef,
    spec?.flexVolume?.secretRef,
    spec?.rbd?.secretRef,
    spec?.scaleIO?.secretRef,
    spec?.iscsi?.secretRef,
    spec?.storageos?.secretRef,
    spec?.azureFile && { name: spec.azureFile.secretName, namespace: spec.azureFile.secretNamespace },
  ];
  return references.flatMap((reference) => (reference?.name ? [`${reference.namespace || fallback}/${reference.name}`] : []));
}
