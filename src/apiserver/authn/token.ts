import type { UserInfo } from '../contract.ts';

/** Who a bearer token speaks for. */
export interface TokenUser {
  user: UserInfo;
  /** Those of the audiences asked for that the token is meant for. */
  audiences: readonly string[];
}

/**
 * Undefined: not a token of this kind. Throws an Error with the reason where it is one but must not be believed.
 * `audiences` absent: the API server's own. upstream: apiserver/pkg/authentication/authenticator Token.
 */
export type TokenAuthenticator = (token: string, audiences?: readonly string[]) => Promise<TokenUser | undefined> | TokenUser | undefined;

/**
 * Asks one after the other; the first that knows the token answers. Failures count only when nobody knows it. upstream: token/union.
 */
export function unionTokens(authenticators: readonly TokenAuthenticator[]): TokenAuthenticator {
  return async (token, audiences) => {
    const failures: unknown[] = [];
    for (const authenticator of authenticators) {
      try {
        const found = authenticator(token, audiences);
        const user = found instanceof Promise ? await found : found;
        if (user) return user;
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length === 1) throw failures[0];
    if (failures.length > 1)
      throw new AggregateError(
        failures,
        `[${failures.map((error) => (error instanceof Error ? error.message : String(error))).join(', ')}]`,
      );
    return undefined;
  };
}
