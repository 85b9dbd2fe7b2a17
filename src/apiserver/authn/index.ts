/**
 * Who is asking. Step of the pod's way: before "authorized". Upstream counterpart: pkg/kubeapiserver/authenticator.
 * Invariant: everybody has a name in the end, or an Unauthorized; a credential that is there and bad never becomes "anonymous".
 */
import { unauthorized } from '#machinery/status';
import type { Authenticator, Credentials, ServerDependencies, UserInfo } from '../contract.ts';
import { bootstrapTokens } from './bootstrap-tokens.ts';
import { frontProxyAuthenticator } from './front-proxy.ts';
import type { FrontProxyOptions } from './front-proxy.ts';
import type { ServiceAccountTokens } from './service-account.ts';
import { staticTokens } from './static-tokens.ts';
import { unionTokens } from './token.ts';
import type { TokenAuthenticator } from './token.ts';
import { x509Authenticator } from './x509.ts';
import type { Authorities } from './x509.ts';

export { frontProxyHeaders } from './front-proxy.ts';
export type { FrontProxyOptions } from './front-proxy.ts';
export { ServiceAccountTokens } from './service-account.ts';
export type { ServiceAccountOptions } from './service-account.ts';
export { parseTokenFile } from './static-tokens.ts';
export { configurationOfFlags, jwtIssuers } from './oidc/issuer.ts';
export type { JwtIssuer, OidcFlags } from './oidc/issuer.ts';
export type { AuthenticationConfiguration } from './oidc/configuration.ts';
export { signingAlgorithms } from './oidc/signatures.ts';
export { webhookTokens } from './webhook-tokens.ts';
export { unionTokens } from './token.ts';
export type { TokenAuthenticator, TokenUser } from './token.ts';

export interface AuthenticationOptions {
  /** PEM bundle of the authorities of client certificates. */
  clientCa?: Authorities;
  serviceAccounts: ServiceAccountTokens;
  staticTokens?: ReadonlyMap<string, UserInfo>;
  frontProxy?: FrontProxyOptions;
  /** Default true. */
  bootstrapTokens?: boolean;
  /**
   * Default true: who shows no credential is system:anonymous, which RBAC lets do next to nothing. With paths only for these. Looked at
   * for each request: it may change.
   */
  anonymous?: boolean | { enabled: boolean; paths?: readonly string[] };
  /** More kinds of tokens (OIDC, webhook), asked last. */
  tokenAuthenticators?: readonly TokenAuthenticator[];
}

export interface Authentication {
  /** Never undefined: somebody, or an Unauthorized. */
  authenticate(credentials: Credentials): UserInfo | Promise<UserInfo>;
  /** For TokenReview. */
  tokens: TokenAuthenticator;
  /** A token's user with system:authenticated, as requests see him. */
  complete(user: UserInfo): UserInfo;
  apiAudiences: readonly string[];
}

export const anonymousUser: UserInfo = Object.freeze({ name: 'system:anonymous', groups: Object.freeze(['system:unauthenticated']) });

/** The same user with system:authenticated, made once, so that caches by user object work. */
const completed = new WeakMap<UserInfo, UserInfo>();

function withAuthenticated(user: UserInfo): UserInfo {
  let known = completed.get(user);
  if (!known) {
    const marked = user.groups.includes('system:authenticated') || user.groups.includes('system:unauthenticated');
    known = marked || user.name === anonymousUser.name ? user : { ...user, groups: [...user.groups, 'system:authenticated'] };
    completed.set(user, known);
  }
  return known;
}

const bearer = /^bearer +(\S+)\s*$/i;

export function createAuthentication(
  dependencies: Pick<ServerDependencies, 'client' | 'clock' | 'log'>,
  options: AuthenticationOptions,
): Authentication {
  const { clock, log } = dependencies;
  const { serviceAccounts } = options;
  const tokens = unionTokens([
    ...(options.staticTokens ? [staticTokens(options.staticTokens, serviceAccounts.apiAudiences)] : []),
    serviceAccounts.authenticate,
    ...((options.bootstrapTokens ?? true) ? [bootstrapTokens(dependencies)] : []),
    ...(options.tokenAuthenticators ?? []),
  ]);
  const byCertificate: Authenticator[] = [
    ...(options.frontProxy ? [frontProxyAuthenticator(options.frontProxy, clock)] : []),
    ...(options.clientCa ? [x509Authenticator(options.clientCa, clock)] : []),
  ];
  const anonymousAt = (path: string | undefined): boolean => {
    const anonymous = options.anonymous ?? true;
    if (typeof anonymous === 'boolean') return anonymous;
    return anonymous.enabled && (!anonymous.paths || (path !== undefined && anonymous.paths.includes(path)));
  };

  const byToken = async (token: string): Promise<UserInfo> => {
    const found = await Promise.resolve(tokens(token)).catch((error: unknown) => {
      log.info('Bearer token refused', { reason: error instanceof Error ? error.message : String(error) });
      return undefined;
    });
    if (!found) throw unauthorized();
    return withAuthenticated(found.user);
  };

  return {
    tokens,
    complete: withAuthenticated,
    apiAudiences: serviceAccounts.apiAudiences,
    authenticate(credentials) {
      let refused: unknown;
      for (const authenticator of byCertificate) {
        try {
          // Those by certificate answer at once.
          const user = authenticator(credentials) as UserInfo | undefined;
          if (user) return withAuthenticated(user);
        } catch (error) {
          refused = error;
        }
      }
      const header = credentials.headers['authorization'];
      const token = typeof header === 'string' ? bearer.exec(header)?.[1] : undefined;
      if (token) return byToken(token);
      if (refused) throw refused as Error;
      if (!anonymousAt(credentials.path)) throw unauthorized();
      return anonymousUser;
    },
  };
}
