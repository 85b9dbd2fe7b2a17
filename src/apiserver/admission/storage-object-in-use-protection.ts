import type { AdmissionPluginFactory } from '../contract.ts';

const finalizers: Record<string, string> = {
  '/persistentvolumes': 'kubernetes.io/pv-protection',
  '/persistentvolumeclaims': 'kubernetes.io/pvc-protection',
  'storage.k8s.io/volumeattributesclasses': 'kubernetes.io/vac-protection',
};

/** What is in use waits with going until it is not. upstream: plugin/pkg/admission/storage/storageobjectinuseprotection. */
export const storageObjectInUseProtection: AdmissionPluginFactory = () => ({
  name: 'StorageObjectInUseProtection',
  handles: ({ operation, kind, subresource }) =>
    operation === 'CREATE' && subresource === '' && finalizers[`${kind.group}/${kind.resource}`] !== undefined,
  admit({ kind, object }) {
    const finalizer = finalizers[`${kind.group}/${kind.resource}`]!;
    const meta = (object!.metadata ??= {});
    if (!meta.finalizers?.includes(finalizer)) meta.finalizers = [...(meta.finalizers ?? []), finalizer];
  },
});
