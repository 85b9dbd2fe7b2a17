import type { Node, Pod, Secret, ServiceAccount } from '#api';
import { timestamp } from '#machinery/clock';
import type { KubeObject } from '#machinery/meta';
import type { FieldError } from '#machinery/status';
import { badRequest, conflict, internalError, invalid, invalidField, isNotFound } from '#machinery/status';
import type { AuthenticationV1TokenRequest as TokenRequest } from '../../../api/facts/types.ts';
import type { ServiceAccountTokens, TokenTarget } from '../../authn/service-account.ts';
import type { EndpointFactory, Registry, RequestContext } from '../contract.ts';

const kind = { group: 'authentication.k8s.io', kind: 'TokenRequest' };
const defaultExpiration = 3600;
const minExpiration = 600;
const maxExpiration = 2 ** 32;

function validate({ spec }: TokenRequest): FieldError[] {
  const seconds = spec.expirationSeconds!;
  if (seconds < minExpiration) return [invalidField('spec.expirationSeconds', seconds, 'may not specify a duration less than 10 minutes')];
  if (seconds > maxExpiration)
    return [invalidField('spec.expirationSeconds', seconds, 'may not specify a duration larger than 2^32 seconds')];
  return [];
}

/** Makes a token for a service account. upstream: pkg/registry/core/serviceaccount/storage/token.go. */
export function tokenRequests(tokens: () => ServiceAccountTokens): EndpointFactory {
  return ({ registry, clock }) => ({
    group: '',
    resource: 'serviceaccounts',
    subresource: 'token',
    async create(context, name, body) {
      const request = body as TokenRequest;
      const { namespace } = context.info;
      const meta = (request.metadata ??= {});
      const mustMatch = (field: 'name' | 'namespace', wanted: string): void => {
        if (meta[field] && meta[field] !== wanted)
          throw invalid(kind, name, [
            invalidField(`metadata.${field}`, meta[field], `must match the service account ${field} if specified`),
          ]);
      };
      mustMatch('name', name);
      mustMatch('namespace', namespace);
      const serviceAccount = (await registry.storage('', 'serviceaccounts')!.get(context, namespace, name)).object as ServiceAccount;
      const { uid } = serviceAccount.metadata!;
      if (meta.uid && meta.uid !== uid)
        throw conflict(
          { group: kind.group, resource: kind.kind },
          name,
          `the UID in the token request (${meta.uid}) does not match the UID of the service account (${uid})`,
        );
      Object.assign(meta, { name, namespace, uid, creationTimestamp: timestamp(clock) });
      const issuer = tokens();
      const spec = (request.spec ??= { audiences: [] });
      spec.expirationSeconds ??= defaultExpiration;
      if (!spec.audiences?.length) spec.audiences = [...issuer.apiAudiences];
      const errors = validate(request);
      if (errors.length > 0) throw invalid(kind, '', errors);
      const bound = await bind(registry, context, name, spec.boundObjectRef);
      if (issuer.maxExpiration > 0 && spec.expirationSeconds > issuer.maxExpiration) {
        context.warn(`requested expiration of ${spec.expirationSeconds} seconds shortened to ${issuer.maxExpiration} seconds`);
        spec.expirationSeconds = issuer.maxExpiration;
      }
      const { expirationSeconds, audiences } = spec;
      const { token, id } = issuer.issue({ serviceAccount, audiences, expirationSeconds, ...bound });
      context.annotate('authentication.kubernetes.io/issued-credential-id', `JTI=${id}`);
      const expires = new Date(clock.now() + expirationSeconds * 1000).toISOString();
      return { ...request, status: { token, expirationTimestamp: `${expires.slice(0, 19)}Z` } } as KubeObject;
    },
  });
}

type Reference = NonNullable<TokenRequest['spec']['boundObjectRef']>;

/** Finds what the token shall be bound to and checks that it is what the caller means. */
async function bind(
  registry: Registry,
  context: RequestContext,
  account: string,
  reference: Reference | undefined,
): Promise<Pick<TokenTarget, 'pod' | 'secret' | 'node'>> {
  if (!reference) return {};
  const { name = '' } = reference;
  const { namespace } = context.info;
  const get = async (resource: string, at: string, key = name): Promise<KubeObject> =>
    (await registry.storage('', resource)!.get(context, at, key)).object;
  const check = (object: KubeObject): void => {
    if (reference.uid && reference.uid !== object.metadata?.uid)
      throw conflict(
        { group: '', resource: reference.kind ?? '' },
        name,
        `the UID in the bound object reference (${reference.uid}) does not match the UID in record. The object might have been deleted and then recreated`,
      );
  };
  const [group, version] = reference.apiVersion?.includes('/') ? reference.apiVersion.split('/') : ['', reference.apiVersion ?? ''];
  if (group === '' && reference.kind === 'Pod') {
    const pod = (await get('pods', namespace)) as Pod;
    if (pod.spec?.serviceAccountName !== account)
      throw badRequest(`cannot bind token for serviceaccount "${account}" to pod running with different serviceaccount name.`);
    check(pod);
    const { nodeName } = pod.spec;
    if (!nodeName) return { pod };
    const node = (await get('nodes', '', nodeName).catch((error: unknown) => {
      // The name alone still tells where the pod is meant to run.
      if (isNotFound(error)) return { metadata: { name: nodeName } };
      throw internalError(error);
    })) as Node;
    return { pod, node };
  }
  if (group === '' && reference.kind === 'Node') {
    const node = (await get('nodes', '')) as Node;
    check(node);
    return { node };
  }
  if (group === '' && reference.kind === 'Secret') {
    const secret = (await get('secrets', namespace)) as Secret;
    check(secret);
    return { secret };
  }
  throw badRequest(`cannot bind token to object of type ${group ? `${group}/` : '/'}${version}, Kind=${reference.kind ?? ''}`);
}
