import type { Clock } from '#machinery/clock';
import { audiencesOf, readToken } from '../json-web-token.ts';
import type { TokenAuthenticator } from '../token.ts';
import { ClaimMapper } from './claims.ts';
import { configurationErrors } from './configuration.ts';
import type { AuthenticationConfiguration, JwtAuthenticatorConfiguration } from './configuration.ts';
import { Provider } from './provider.ts';
import { signed, signingAlgorithms } from './signatures.ts';

/** Clocks of issuers may be ahead by so much. upstream: go-oidc verify.go. */
const leeway = 5 * 60_000;

export interface IssuerOptions {
  clock: Clock;
  /** Which the token may be signed by. Default: all that are known. */
  algorithms?: readonly string[];
  /** For TokenReviews: tokens of other issuers are meant for the API server. */
  apiAudiences: readonly string[];
}

/** One issuer of JSON web tokens whose users are ours. */
export class JwtIssuer {
  readonly url: string;
  readonly #audiences: readonly string[];
  readonly #mapper: ClaimMapper;
  readonly #provider: Provider;
  readonly #options: IssuerOptions;

  /** Throws an Error with what is wrong with its expressions. */
  constructor(configuration: JwtAuthenticatorConfiguration, path: string, options: IssuerOptions) {
    const { url, discoveryURL, certificateAuthority, audiences } = configuration.issuer;
    this.url = url;
    this.#audiences = audiences;
    this.#options = options;
    this.#mapper = new ClaimMapper(configuration, path);
    this.#provider = new Provider({
      url,
      clock: options.clock,
      ...(discoveryURL && { discoveryUrl: discoveryURL }),
      ...(certificateAuthority && { certificateAuthority }),
    });
    this.#provider.begin();
  }

  /** Why tokens of this issuer cannot be believed now; undefined where they can. */
  get unhealthy(): string | undefined {
    const { error } = this.#provider;
    return error && `oidc: authenticator for issuer ${JSON.stringify(this.url)} is not healthy: ${error}`;
  }

  readonly authenticate: TokenAuthenticator = async (token, audiences = this.#options.apiAudiences) => {
    const read = readToken(token);
    if (!read || read.claims.iss !== this.url) return undefined;
    await this.#verify(token, read);
    const user = this.#mapper.userOf(read.claims);
    return { user, audiences: audiences.filter((audience) => this.#options.apiAudiences.includes(audience)) };
  };

  close(): void {
    this.#provider.close();
  }

  async #verify(token: string, { header, claims }: NonNullable<ReturnType<typeof readToken>>): Promise<void> {
    const refuse = (why: string): Error => new Error(`oidc: verify token: ${why}`);
    const now = this.#options.clock.now();
    const meant = audiencesOf(claims);
    const list = (values: readonly string[]): string => `[${values.map((value) => JSON.stringify(value)).join(' ')}]`;
    if (!meant.some((audience) => this.#audiences.includes(audience)))
      throw refuse(`oidc: expected audience in ${list(this.#audiences)} got ${list(meant)}`);
    if (typeof claims.exp !== 'number' || claims.exp * 1000 < now)
      throw refuse(
        `oidc: token is expired (Token Expiry: ${claims.exp === undefined ? 'none' : new Date(claims.exp * 1000).toISOString()})`,
      );
    if (typeof claims.nbf === 'number' && now + leeway < claims.nbf * 1000)
      throw refuse(
        `oidc: current time ${new Date(now).toISOString()} before the nbf (not before) time: ${new Date(claims.nbf * 1000).toISOString()}`,
      );
    const { alg, kid } = header as { alg?: string; kid?: string };
    const allowed = this.#options.algorithms ?? signingAlgorithms;
    if (!alg || !allowed.includes(alg))
      throw refuse(`oidc: malformed jwt: unexpected signature algorithm ${JSON.stringify(alg ?? '')}; expected ${list(allowed)}`);
    const end = token.lastIndexOf('.');
    const data = Buffer.from(token.slice(0, end));
    const signature = Buffer.from(token.slice(end + 1), 'base64url');
    const keys = await this.#provider.keysFor(kid);
    if (!keys.some((key) => signed(alg, key, data, signature)))
      throw refuse('failed to verify signature: failed to verify id token signature');
  }
}

/** Throws an Error that says all that is wrong. */
export function jwtIssuers(
  configuration: AuthenticationConfiguration,
  disallowed: readonly string[],
  options: IssuerOptions,
): { issuers: JwtIssuer[]; anonymous?: { enabled: boolean; paths?: string[] } } {
  const errors = configurationErrors(configuration, disallowed);
  if (errors.length > 0) throw new Error(errors.length === 1 ? errors[0] : `[${errors.join(', ')}]`);
  const { jwt = [], anonymous } = configuration;
  const issuers: JwtIssuer[] = [];
  try {
    for (const [index, one] of jwt.entries()) issuers.push(new JwtIssuer(one, `jwt[${index}]`, options));
  } catch (error) {
    for (const issuer of issuers) issuer.close();
    throw error;
  }
  return {
    issuers,
    ...(anonymous && {
      anonymous: {
        enabled: anonymous.enabled,
        ...(anonymous.conditions?.length && { paths: anonymous.conditions.map(({ path }) => path) }),
      },
    }),
  };
}

/** What the flags --oidc-* say, as a configuration. upstream: pkg/kubeapiserver/options/authentication.go. */
export interface OidcFlags {
  issuerUrl: string;
  clientId: string;
  /** PEM. */
  ca?: string;
  usernameClaim?: string;
  usernamePrefix?: string;
  groupsClaim?: string;
  groupsPrefix?: string;
  requiredClaims?: Record<string, string>;
}

export function configurationOfFlags(flags: OidcFlags): AuthenticationConfiguration {
  const {
    issuerUrl,
    clientId,
    ca,
    usernameClaim = 'sub',
    usernamePrefix = '',
    groupsClaim,
    groupsPrefix = '',
    requiredClaims = {},
  } = flags;
  // Names that are not addresses could be anybody's: they begin with the issuer unless "-" says no.
  const prefix = usernamePrefix === '-' ? '' : usernamePrefix || (usernameClaim === 'email' ? '' : `${issuerUrl}#`);
  return {
    apiVersion: 'apiserver.config.k8s.io/v1',
    kind: 'AuthenticationConfiguration',
    jwt: [
      {
        issuer: { url: issuerUrl, audiences: [clientId], ...(ca && { certificateAuthority: ca }) },
        claimMappings: {
          username: { claim: usernameClaim, prefix },
          ...(groupsClaim && { groups: { claim: groupsClaim, prefix: groupsPrefix } }),
        },
        claimValidationRules: Object.entries(requiredClaims).map(([claim, requiredValue]) => ({ claim, requiredValue })),
      },
    ],
  };
}
