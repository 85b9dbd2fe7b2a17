/**
 * A CustomResourceDefinition as upstream stores it, v1beta1, in v1's form. upstream: apiextensions-apiserver
 * pkg/apis/apiextensions/v1beta1/conversion.go, v1/conversion.go. What all versions had in common is said by each.
 */
type Json = Record<string, any>;

export const isStoredCrd = (object: Json): boolean =>
  object['kind'] === 'CustomResourceDefinition' && object['apiVersion'] === 'apiextensions.k8s.io/v1beta1';

export function crdInV1({ metadata, spec: old = {}, status }: Json): Json {
  const { version, versions = [], validation, subresources, additionalPrinterColumns, conversion, ...spec } = old;
  const each: Json[] = versions.length > 0 ? versions : [{ name: version, served: true, storage: true }];
  const made = each.map((own) => {
    const schema = own['schema'] ?? validation;
    const columns = (own['additionalPrinterColumns'] ?? additionalPrinterColumns) as Json[] | undefined;
    const sub = own['subresources'] ?? subresources;
    return {
      ...own,
      ...(schema && { schema }),
      ...(sub && { subresources: sub }),
      ...(columns && {
        additionalPrinterColumns: columns.map(({ JSONPath, ...column }) => ({ ...column, jsonPath: column['jsonPath'] ?? JSONPath })),
      }),
    };
  });
  // Absent, it was true.
  const preserve = spec['preserveUnknownFields'] ?? true;
  delete spec['preserveUnknownFields'];
  return {
    kind: 'CustomResourceDefinition',
    apiVersion: 'apiextensions.k8s.io/v1',
    metadata,
    spec: {
      ...spec,
      versions: made,
      ...(conversion && { conversion: conversionInV1(conversion) }),
      ...(preserve && { preserveUnknownFields: true }),
    },
    ...(status && { status }),
  };
}

function conversionInV1({ webhookClientConfig, conversionReviewVersions, webhook, ...rest }: Json): Json {
  if (!webhookClientConfig && !conversionReviewVersions) return webhook ? { ...rest, webhook } : rest;
  return {
    ...rest,
    ...(rest['strategy'] === 'Webhook' && {
      webhook: {
        ...(webhookClientConfig && { clientConfig: webhookClientConfig }),
        conversionReviewVersions: conversionReviewVersions ?? ['v1beta1'],
      },
    }),
  };
}
