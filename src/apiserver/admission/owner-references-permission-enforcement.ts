import { equal } from '#machinery/meta';
import type { OwnerReference } from '#machinery/meta';
import type { AdmissionAttributes, AdmissionPluginFactory, RequestInfo } from '../contract.ts';
import { forbid } from './attributes.ts';
import { findKind } from './find-kind.ts';

const ownersOf = (object: AdmissionAttributes['object']): readonly OwnerReference[] => object?.metadata?.ownerReferences ?? [];

/** Owners that now hold up their deletion for this object, and did not before. */
function newlyBlocking(object: AdmissionAttributes['object'], old: AdmissionAttributes['oldObject']): OwnerReference[] {
  const before = new Set(ownersOf(old).flatMap((owner) => (owner.blockOwnerDeletion ? [owner.uid] : [])));
  return ownersOf(object).filter((owner) => owner.blockOwnerDeletion && !before.has(owner.uid));
}

/**
 * Who makes an object depend on another must be allowed to delete the one, and to hold up the deletion of the other. Off by default.
 * upstream: plugin/pkg/admission/gc.
 */
export const ownerReferencesPermissionEnforcement: AdmissionPluginFactory = (dependencies) => {
  const ask = async (user: AdmissionAttributes['user'], info: Partial<RequestInfo>): Promise<string | undefined> => {
    const base = {
      isResourceRequest: true,
      path: '',
      verb: '',
      group: '',
      version: '*',
      resource: '',
      subresource: '',
      namespace: '',
      name: '',
    };
    const { verdict, reason } = await dependencies.authorizer({ user, info: { ...base, ...info } });
    return verdict === 'allow' ? undefined : reason;
  };
  return {
    name: 'OwnerReferencesPermissionEnforcement',
    handles: ({ operation, kind, subresource, object, oldObject }) =>
      (operation === 'CREATE' || operation === 'UPDATE') &&
      !(kind.group === '' && kind.resource === 'pods' && subresource === 'status') &&
      !equal(ownersOf(object), ownersOf(oldObject)),
    async validate(attributes) {
      const { operation, kind, namespace, name, object, oldObject, user } = attributes;
      if (operation === 'UPDATE') {
        const refused = await ask(user, {
          verb: 'delete',
          group: kind.group,
          version: kind.version,
          resource: kind.resource,
          namespace,
          name,
        });
        if (refused !== undefined) throw forbid(attributes, `cannot set an ownerRef on a resource you can't delete: ${refused}, <nil>`);
      }
      for (const owner of newlyBlocking(object, oldObject)) {
        const owning = await findKind(dependencies, owner);
        if (!owning)
          throw forbid(
            attributes,
            `cannot set blockOwnerDeletion in this case because cannot find RESTMapping for APIVersion ${owner.apiVersion} Kind ${owner.kind}: no matches for kind "${owner.kind}" in version "${owner.apiVersion}"`,
          );
        const refused = await ask(user, {
          verb: 'update',
          group: owning.group,
          version: owning.version,
          resource: owning.resource,
          subresource: 'finalizers',
          namespace: owning.namespaced ? namespace : '',
          name: owner.name,
        });
        if (refused !== undefined)
          throw forbid(
            attributes,
            `cannot set blockOwnerDeletion if an ownerReference refers to a resource you can't set finalizers on: ${refused}, <nil>`,
          );
      }
    },
  };
};
