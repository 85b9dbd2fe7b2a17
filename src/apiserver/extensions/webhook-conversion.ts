/** Conversion by a webhook: ConversionReview. upstream: apiextensions-apiserver/pkg/apiserver/conversion/webhook_converter.go. */
import type { CustomResourceDefinition } from '#api';
import type { KubeObject, ObjectMeta } from '#machinery/meta';
import { validateAnnotations, validateLabels } from '#machinery/names';
import { internalError } from '#machinery/status';
import type { ServerParts } from '../options.ts';
import { WebhookClient } from '../webhook/client.ts';
import type { WebhookTarget } from '../webhook/client.ts';
import { endpointResolver } from '../webhook/service-resolver.ts';
import type { Convert } from './conversion.ts';
import { isObject } from './schema.ts';

const supported = ['v1', 'v1beta1'];
const timeout = 30_000;

interface Review {
  kind?: string;
  apiVersion?: string;
  response?: { uid?: string; convertedObjects?: KubeObject[]; result?: { status?: string; message?: string } };
}

export interface WebhookConversions {
  /** The conversion of a definition whose strategy is Webhook. */
  convertWith(definition: CustomResourceDefinition): Convert;
  close(): void;
}

export function webhookConversions({ informers, random, clock }: ServerParts): WebhookConversions {
  const client = new WebhookClient(endpointResolver({ informers, random }), clock);
  return {
    convertWith: (definition) => convertWith(client, definition, () => random.uuid()),
    close: () => client.close(),
  };
}

function convertWith(client: WebhookClient, definition: CustomResourceDefinition, uuid: () => string): Convert {
  const { clientConfig, conversionReviewVersions = [] } = definition.spec.conversion?.webhook ?? {};
  const version = conversionReviewVersions.find((each) => supported.includes(each));
  return async (objects, apiVersion) => {
    const [first] = objects;
    const of = `conversion webhook for ${first?.apiVersion ?? ''}, Kind=${first?.kind ?? ''}`;
    if (!version) throw internalError(new Error('no supported conversion review versions'));
    const failed = (text: string, cause?: unknown): Error => internalError(new Error(`${of} ${text}`, { cause }));
    const reviewVersion = `apiextensions.k8s.io/${version}`;
    const uid = uuid();
    let review: Review;
    try {
      review = (await client.post(
        clientConfig as WebhookTarget,
        { kind: 'ConversionReview', apiVersion: reviewVersion, request: { uid, desiredAPIVersion: apiVersion, objects } },
        timeout,
      )) as Review;
    } catch (error) {
      throw failed(`failed: ${error instanceof Error ? error.message : String(error)}`, error);
    }
    const problem = problemOf(review, version, uid);
    if (problem) throw failed(`failed: ${problem}`);
    const converted = review.response?.convertedObjects ?? [];
    if (converted.length !== objects.length) throw failed(`returned ${converted.length} objects, expected ${objects.length}`);
    return converted.map((object, index) => {
      const source = objects[index]!;
      const wrong = mismatch(source, object, apiVersion);
      if (wrong) throw failed(`returned invalid converted object at index ${index}: ${wrong}`);
      try {
        return restoreMetadata(source, object);
      } catch (error) {
        throw failed(
          `returned invalid metadata in object at index ${index}: ${error instanceof Error ? error.message : String(error)}`,
          error,
        );
      }
    });
  };
}

/** The first version of the review did not say whose answer it is. */
function problemOf({ kind, apiVersion, response }: Review, version: string, uid: string): string | undefined {
  if (version === 'v1' && (kind !== 'ConversionReview' || apiVersion !== 'apiextensions.k8s.io/v1'))
    return `expected webhook response of apiextensions.k8s.io/v1, Kind=ConversionReview, got ${apiVersion ?? ''}, Kind=${kind ?? ''}`;
  if (!response) return 'no response provided';
  if (version === 'v1' && response.uid !== uid)
    return `expected response.uid=${JSON.stringify(uid)}, got ${JSON.stringify(response.uid ?? '')}`;
  const { status = '', message } = response.result ?? {};
  return status === 'Success' ? undefined : (message ?? `response.result.status was '${status}', not 'Success'`);
}

function mismatch(source: KubeObject, made: KubeObject, apiVersion: string): string | undefined {
  if (made.apiVersion !== apiVersion) return `invalid groupVersion (expected ${apiVersion}, received ${made.apiVersion ?? ''})`;
  if (made.kind !== source.kind) return `invalid kind (expected ${source.kind ?? ''}, received ${made.kind ?? ''})`;
  const differs = (name: string, wanted = '', got = ''): string | undefined =>
    wanted === got ? undefined : `must have the same ${name}: ${wanted} != ${got}`;
  const a = source.metadata ?? {};
  const b = made.metadata ?? {};
  return differs('name', a.name, b.name) ?? differs('namespace', a.namespace, b.namespace) ?? differs('UID', a.uid, b.uid);
}

/** A webhook may change labels and annotations, nothing else of the metadata. */
function restoreMetadata(source: KubeObject, made: KubeObject): KubeObject {
  if (!made.metadata || !isObject(made.metadata)) throw new Error('missing metadata in converted object');
  const { labels, annotations } = made.metadata as ObjectMeta;
  for (const [name, map] of Object.entries({ labels, annotations }))
    for (const [key, value] of Object.entries(map ?? {}))
      if (typeof value !== 'string')
        throw new Error(`metadata.${name}[${key}] must be a string, but is ${typeof value} in converted object`);
  const errors = [...validateLabels(labels, 'metadata.labels'), ...validateAnnotations(annotations, 'metadata.annotation')];
  if (errors.length > 0) throw new Error(errors.map(({ field, message }) => `${field}: ${message}`).join(', '));
  const { labels: _, annotations: __, ...metadata } = source.metadata ?? {};
  return { ...made, metadata: { ...metadata, ...(labels && { labels }), ...(annotations && { annotations }) } };
}
