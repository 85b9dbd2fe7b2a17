/** upstream: pkg/apis/core/helper GetAccessModesAsString. */
const shortModes: [string, string][] = [
  ['ReadWriteOnce', 'RWO'],
  ['ReadOnlyMany', 'ROX'],
  ['ReadWriteMany', 'RWX'],
  ['ReadWriteOncePod', 'RWOP'],
];

/** "RWO,ROX". */
export const accessModesText = (modes: readonly string[] | undefined): string =>
  shortModes
    .filter(([mode]) => modes?.includes(mode))
    .map(([, short]) => short)
    .join(',');

/** The annotation that named a storage class before there was a field. */
export const storageClassAnnotation = 'volume.beta.kubernetes.io/storage-class';
