import { Node, Pod, Secret, ServiceAccount } from '#api';
import type { Kind } from '#api';
import type { Informer } from '#client';
import type { KubeObject, ObjectRef } from '#machinery/meta';
import { keyOf } from '#machinery/meta';
import type { PublicKey, SigningKey } from '#machinery/pki';
import { isNotFound } from '#machinery/status';
import type { ServerDependencies, UserInfo } from '../contract.ts';
import { audiencesOf, readToken, signToken, verifyToken } from './json-web-token.ts';
import type { Claims } from './json-web-token.ts';
import type { TokenAuthenticator, TokenUser } from './token.ts';

/** The issuer of tokens kept in Secrets, from before tokens were bound. */
export const legacyIssuer = 'kubernetes/serviceaccount';
/** Clocks may differ by so much; what was deleted counts as there for as long. upstream: jwt.DefaultLeeway. */
const leeway = 60_000;
/** So many verified tokens are remembered; a node has about one a pod. */
const cacheLimit = 8192;

export interface ServiceAccountOptions {
  /** The first issues; all are accepted. */
  issuers: readonly string[];
  /** What tokens without an audience are for, and what a token must be for to speak to this server. Default: the issuers. */
  apiAudiences?: readonly string[];
  signingKey?: SigningKey;
  /** More keys that verify; the signing key always does. */
  verificationKeys?: readonly PublicKey[];
  /** Lets pod-bound tokens of 3607 s live a year, for programs that never reload them. Default true. upstream: --service-account-extend-token-expiration. */
  extendExpiration?: boolean;
  /** Seconds; 0: no limit. upstream: --service-account-max-token-expiration. */
  maxExpiration?: number;
}

interface Reference {
  name?: string;
  uid?: string;
}

interface PrivateClaims {
  namespace?: string;
  serviceaccount?: Reference;
  pod?: Reference;
  secret?: Reference;
  node?: Reference;
  warnafter?: number;
}

/** A token whose signature was right. Everything that can change is looked at again on each use. */
interface Verified {
  claims: Claims;
  user: UserInfo;
  audiences: readonly string[];
  legacy: boolean;
}

export interface TokenTarget {
  serviceAccount: ServiceAccount;
  audiences: readonly string[];
  expirationSeconds: number;
  pod?: Pod;
  secret?: Secret;
  /** For a pod's token: where the pod runs; alone: what the token is bound to. */
  node?: Pick<Node, 'metadata'>;
}

/**
 * Tokens of service accounts: made here and believed here. upstream: pkg/serviceaccount, claims.go and legacy.go.
 * A signature is checked once a token; expiry and the existence of what the token is bound to, on every use, from informers.
 */
export class ServiceAccountTokens {
  readonly issuers: readonly string[];
  readonly apiAudiences: readonly string[];
  readonly keys: readonly PublicKey[];
  readonly maxExpiration: number;
  readonly #signingKey: SigningKey | undefined;
  readonly #extend: boolean;
  readonly #dependencies: Pick<ServerDependencies, 'client' | 'informers' | 'clock' | 'random'>;
  readonly #verified = new Map<string, Verified>();

  constructor(dependencies: Pick<ServerDependencies, 'client' | 'informers' | 'clock' | 'random'>, options: ServiceAccountOptions) {
    this.#dependencies = dependencies;
    this.issuers = options.issuers;
    this.apiAudiences = options.apiAudiences ?? options.issuers;
    this.#signingKey = options.signingKey;
    this.keys = [
      ...(options.signingKey ? [options.signingKey] : []),
      ...(options.verificationKeys ?? []).filter((key) => key.id !== options.signingKey?.id),
    ];
    this.maxExpiration = options.maxExpiration ?? 0;
    this.#extend = options.extendExpiration ?? true;
  }

  /** Signs a token. The caller has checked that the account and what it is bound to exist. */
  issue(target: TokenTarget): { token: string; id: string } {
    if (!this.#signingKey) throw new Error('Cannot issue a service-account token: there is no signing key');
    const { metadata } = target.serviceAccount;
    const now = Math.floor(this.#dependencies.clock.now() / 1000);
    const reference = (object: Pick<KubeObject, 'metadata'>): Reference => ({ name: object.metadata?.name, uid: object.metadata?.uid });
    const id = this.#dependencies.random.uuid();
    let lifetime = target.expirationSeconds;
    let warnafter: number | undefined;
    if (this.#extend && target.pod && lifetime === 3607 && target.audiences.every((audience) => this.apiAudiences.includes(audience))) {
      warnafter = now + lifetime;
      lifetime = 365 * 24 * 3600;
    }
    const claims: PrivateClaims = {
      namespace: metadata?.namespace,
      ...(target.node && { node: reference(target.node) }),
      ...(target.pod && { pod: reference(target.pod) }),
      ...(target.secret && { secret: reference(target.secret) }),
      serviceaccount: reference(target.serviceAccount),
      ...(warnafter && { warnafter }),
    };
    const token = signToken(this.#signingKey, {
      aud: [...target.audiences],
      exp: now + lifetime,
      iat: now,
      iss: this.issuers[0],
      jti: id,
      'kubernetes.io': claims,
      nbf: now,
      sub: `system:serviceaccount:${metadata?.namespace}:${metadata?.name}`,
    });
    return { token, id };
  }

  /** A token without end for a Secret of type kubernetes.io/service-account-token. upstream: LegacyClaims. */
  issueLegacy(serviceAccount: ServiceAccount, secret: Secret): string {
    if (!this.#signingKey) throw new Error('Cannot issue a service-account token: there is no signing key');
    const { namespace, name, uid } = serviceAccount.metadata ?? {};
    return signToken(this.#signingKey, {
      iss: legacyIssuer,
      'kubernetes.io/serviceaccount/namespace': namespace,
      'kubernetes.io/serviceaccount/secret.name': secret.metadata?.name,
      'kubernetes.io/serviceaccount/service-account.name': name,
      'kubernetes.io/serviceaccount/service-account.uid': uid,
      sub: `system:serviceaccount:${namespace}:${name}`,
    });
  }

  readonly authenticate: TokenAuthenticator = (token, audiences) => {
    let verified = this.#verified.get(token);
    if (!verified) {
      verified = this.#verify(token);
      if (!verified) return undefined;
      if (this.#verified.size >= cacheLimit) this.#verified.delete(this.#verified.keys().next().value!);
      this.#verified.set(token, verified);
    }
    return this.#validate(token, verified, audiences);
  };

  #verify(token: string): Verified | undefined {
    const read = readToken(token);
    if (!read) return undefined;
    const { claims, header } = read;
    const legacy = claims.iss === legacyIssuer;
    if (!legacy && !this.issuers.includes(claims.iss ?? '')) return undefined;
    if (!verifyToken(token, header, this.keys)) throw new Error('invalid signature, no keys found');
    const bound = legacy ? legacyClaims(claims) : ((claims['kubernetes.io'] ?? {}) as PrivateClaims);
    return { claims, user: userOf(claims, bound), audiences: audiencesOf(claims), legacy };
  }

  async #validate(token: string, verified: Verified, requested: readonly string[] | undefined): Promise<TokenUser> {
    const wanted = requested ?? this.apiAudiences;
    const meant = verified.audiences.length > 0 ? verified.audiences : this.apiAudiences;
    const audiences = meant.filter((audience) => wanted.includes(audience));
    const list = (items: readonly string[]): string => `[${items.map((item) => JSON.stringify(item)).join(' ')}]`;
    if (audiences.length === 0) throw new Error(`token audiences ${list(meant)} is invalid for the target audiences ${list(wanted)}`);
    if (verified.legacy) await this.#checkLegacy(token, legacyClaims(verified.claims));
    else {
      this.#checkTimes(verified.claims);
      await this.#checkBound((verified.claims['kubernetes.io'] ?? {}) as PrivateClaims);
    }
    return { user: verified.user, audiences };
  }

  #checkTimes({ exp, nbf, iat }: Claims): void {
    const now = this.#dependencies.clock.now();
    if (exp !== undefined && now - leeway > exp * 1000) throw new Error('service account token has expired');
    if (nbf !== undefined && now + leeway < nbf * 1000) throw new Error('service account token is not valid yet');
    if (iat !== undefined && now + leeway < iat * 1000) throw new Error('service account token is issued in the future');
  }

  async #checkBound(claims: PrivateClaims): Promise<void> {
    const { namespace = '', serviceaccount = {} } = claims;
    const account = await this.#find(ServiceAccount, { namespace, name: serviceaccount.name ?? '' }, serviceaccount.uid);
    if (!account) throw new Error(`serviceaccounts "${serviceaccount.name}" not found`);
    if (account.metadata?.uid !== serviceaccount.uid)
      throw new Error(`service account UID (${account.metadata?.uid}) does not match claim (${serviceaccount.uid})`);
    if (this.#isGone(account)) throw new Error(`service account ${namespace}/${serviceaccount.name} has been deleted`);
    if (claims.secret) await this.#checkReference(Secret, 'secret', namespace, claims.secret);
    if (claims.pod) await this.#checkReference(Pod, 'pod', namespace, claims.pod);
    else if (claims.node) await this.#checkReference(Node, 'node', '', claims.node);
  }

  async #checkReference(kind: Kind, word: 'secret' | 'pod' | 'node', namespace: string, reference: Reference): Promise<void> {
    const object = await this.#find(kind, { namespace, name: reference.name ?? '' }, reference.uid);
    if (!object) throw new Error('service account token has been invalidated');
    if (object.metadata?.uid !== reference.uid)
      throw new Error(`${word} UID (${object.metadata?.uid}) does not match service account ${word} ref claim (${reference.uid})`);
    if (this.#isGone(object)) throw new Error('service account token has been invalidated');
  }

  async #checkLegacy(token: string, claims: PrivateClaims): Promise<void> {
    const { namespace = '', serviceaccount = {}, secret: reference = {} } = claims;
    if (!namespace || !serviceaccount.name || !serviceaccount.uid || !reference.name) throw new Error('a claim is missing');
    const secret = await this.#find(Secret, { namespace, name: reference.name }, undefined);
    if (!secret || secret.metadata?.deletionTimestamp) throw new Error('Token has been invalidated');
    if (Buffer.from(secret.data?.['token'] ?? '', 'base64').toString() !== token) throw new Error("Token does not match server's copy");
    const account = await this.#find(ServiceAccount, { namespace, name: serviceaccount.name }, serviceaccount.uid);
    if (!account) throw new Error(`serviceaccounts "${serviceaccount.name}" not found`);
    if (account.metadata?.deletionTimestamp) throw new Error(`ServiceAccount ${namespace}/${serviceaccount.name} has been deleted`);
    if (account.metadata?.uid !== serviceaccount.uid)
      throw new Error(`ServiceAccount UID (${account.metadata?.uid}) does not match claim (${serviceaccount.uid})`);
    const label = 'kubernetes.io/legacy-token-invalid-since';
    if (secret.metadata?.labels?.[label])
      throw new Error(
        `the token in secret ${namespace}/${reference.name} for service account ${namespace}/${serviceaccount.name} has been marked invalid. Use tokens from the TokenRequest API or manually created secret-based tokens, or remove the '${label}' label from the secret to temporarily allow use of this token`,
      );
  }

  #isGone(object: KubeObject): boolean {
    const deleted = object.metadata?.deletionTimestamp;
    return deleted !== undefined && Date.parse(deleted) < this.#dependencies.clock.now() - leeway;
  }

  /** From the informer; from the server where that does not know it yet (or knows another of the same name). */
  async #find<T extends KubeObject>(kind: Kind<T>, ref: ObjectRef, uid: string | undefined): Promise<T | undefined> {
    if (!ref.name) return undefined;
    const { client, informers } = this.#dependencies;
    // Secrets are rare here, and an informer would keep them all in memory.
    if ((kind as Kind) !== Secret) {
      const informer: Informer<T> = informers.for(kind);
      const cached = informer.get(keyOf({ metadata: ref }));
      if (cached && cached.metadata?.uid === uid) return cached;
    }
    return client.get(kind, ref).catch((error: unknown) => {
      if (isNotFound(error)) return undefined;
      throw error;
    });
  }
}

function legacyClaims(claims: Claims): PrivateClaims {
  const claim = (name: string): string | undefined => claims[`kubernetes.io/serviceaccount/${name}`] as string | undefined;
  return {
    namespace: claim('namespace'),
    serviceaccount: { name: claim('service-account.name'), uid: claim('service-account.uid') },
    secret: { name: claim('secret.name') },
  };
}

/** upstream: apiserver/pkg/authentication/serviceaccount ServiceAccountInfo.UserInfo. */
function userOf(claims: Claims, bound: PrivateClaims): UserInfo {
  const extra: Record<string, string[]> = {};
  if (bound.pod?.name && bound.pod.uid) {
    extra['authentication.kubernetes.io/pod-name'] = [bound.pod.name];
    extra['authentication.kubernetes.io/pod-uid'] = [bound.pod.uid];
  }
  if (claims.jti) extra['authentication.kubernetes.io/credential-id'] = [`JTI=${claims.jti}`];
  if (bound.node?.name) extra['authentication.kubernetes.io/node-name'] = [bound.node.name];
  if (bound.node?.uid) extra['authentication.kubernetes.io/node-uid'] = [bound.node.uid];
  return {
    name: `system:serviceaccount:${bound.namespace}:${bound.serviceaccount?.name}`,
    uid: bound.serviceaccount?.uid,
    groups: ['system:serviceaccounts', `system:serviceaccounts:${bound.namespace}`],
    ...(Object.keys(extra).length > 0 && { extra }),
  };
}
