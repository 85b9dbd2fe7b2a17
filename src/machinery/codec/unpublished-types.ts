import type { TypeFact } from '../../api/facts/schema.ts';

const meta = 'io.k8s.apimachinery.pkg.apis.meta.v1.';
const kinds = (kind: string): NonNullable<TypeFact['gvks']> =>
  ['v1', 'v1beta1'].map((version) => ({ group: 'meta.k8s.io', version, kind }));

/** Kinds that the API's description does not name, though they travel as protobuf. upstream: apimachinery/pkg/apis/meta/v1/generated.proto. */
export const unpublishedTypes: Record<string, TypeFact> = {
  [`${meta}PartialObjectMetadata`]: {
    gvks: kinds('PartialObjectMetadata'),
    fields: { metadata: { type: `${meta}ObjectMeta`, number: 1, always: true } },
  },
  [`${meta}PartialObjectMetadataList`]: {
    gvks: kinds('PartialObjectMetadataList'),
    fields: {
      metadata: { type: `${meta}ListMeta`, number: 1, always: true },
      items: { type: `${meta}PartialObjectMetadata`, number: 2, repeated: true, always: true },
    },
  },
};
