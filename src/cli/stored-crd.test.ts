import assert from 'node:assert/strict';
import { test } from 'node:test';
import { crdInV1 } from './stored-crd.ts';

const crd = (spec: object, apiVersion: string) => ({
  kind: 'CustomResourceDefinition',
  apiVersion,
  metadata: { name: 'things.x.io' },
  spec,
});
const schema = { openAPIV3Schema: { type: 'object' } };
const cases: [string, object, object][] = [
  [
    'what all versions share is said by each',
    {
      group: 'x.io',
      version: 'v1',
      versions: [
        { name: 'v1', served: true, storage: true },
        { name: 'v2', served: true, storage: false },
      ],
      validation: schema,
      subresources: { status: {} },
      additionalPrinterColumns: [{ name: 'A', type: 'string', JSONPath: '.spec.a' }],
      conversion: { strategy: 'None', conversionReviewVersions: ['v1beta1'] },
      preserveUnknownFields: false,
    },
    {
      group: 'x.io',
      versions: ['v1', 'v2'].map((name) => ({
        name,
        served: true,
        storage: name === 'v1',
        schema,
        subresources: { status: {} },
        additionalPrinterColumns: [{ name: 'A', type: 'string', jsonPath: '.spec.a' }],
      })),
      conversion: { strategy: 'None' },
    },
  ],
  [
    'an old one with one version, a webhook, and fields that nobody described',
    { group: 'x.io', version: 'v1', conversion: { strategy: 'Webhook', webhookClientConfig: { url: 'https://x' } } },
    {
      group: 'x.io',
      versions: [{ name: 'v1', served: true, storage: true }],
      conversion: { strategy: 'Webhook', webhook: { clientConfig: { url: 'https://x' }, conversionReviewVersions: ['v1beta1'] } },
      preserveUnknownFields: true,
    },
  ],
];
for (const [name, before, after] of cases)
  test(`a stored definition in v1's form: ${name}`, () => {
    assert.deepEqual(crdInV1(crd(before, 'apiextensions.k8s.io/v1beta1')), crd(after, 'apiextensions.k8s.io/v1'));
  });
