/** From a token's claims to a user, by names of claims or by expressions. upstream: plugin/pkg/authenticator/token/oidc, apiserver/pkg/authentication/cel. */
import { baseEnvironment, CelCompileError, compile, fromJson, toJson, types } from '#machinery/cel';
import type { CelType, Environment, Program } from '#machinery/cel';
import type { UserInfo } from '../../contract.ts';
import type { Claims } from '../json-web-token.ts';
import type { JwtAuthenticatorConfiguration, PrefixedClaim } from './configuration.ts';

const { boolType, dynType, listOf, mapOf, stringType, struct } = types;

const userFields: Readonly<Record<string, CelType>> = {
  username: stringType,
  uid: stringType,
  groups: listOf(stringType),
  extra: mapOf(stringType, listOf(stringType)),
};
const userType = 'kubernetes.UserInfo';

const claimsEnvironment = (): Environment => baseEnvironment.extend({ variables: { claims: mapOf(stringType, dynType) } });
const userEnvironment = (): Environment =>
  baseEnvironment.extend({
    variables: { user: struct(userType) },
    types: {
      fields: (type) => (type === userType ? (field) => (Object.hasOwn(userFields, field) ? userFields[field] : undefined) : undefined),
    },
  });

const emailRule =
  'claims.email_verified must be used in claimMappings.username.expression or claimMappings.extra[*].valueExpression or claimValidationRules[*].expression when claims.email is used in claimMappings.username.expression';

interface Compiled {
  program: Program;
  message?: string;
}

export class ClaimMapper {
  readonly #configuration: JwtAuthenticatorConfiguration;
  readonly #username: Program | undefined;
  readonly #groups: Program | undefined;
  readonly #uid: Program | undefined;
  readonly #extra: { key: string; program: Program }[];
  readonly #claimRules: Compiled[];
  readonly #userRules: Compiled[];

  /** Throws an Error with what is wrong with the expressions. `path`: "jwt[0]". */
  constructor(configuration: JwtAuthenticatorConfiguration, path: string) {
    this.#configuration = configuration;
    const errors: string[] = [];
    const of = (environment: Environment, at: string, text: string | undefined, wanted?: CelType[]): Program | undefined => {
      if (!text) return undefined;
      const refuse = (why: string): undefined => void errors.push(`${path}.${at}: Invalid value: ${JSON.stringify(text)}: ${why}`);
      try {
        const program = compile(text, environment);
        if (wanted && !wanted.some((type) => types.sameType(type, program.type)))
          return refuse(`must evaluate to ${wanted.length > 1 ? 'one of ' : ''}${wanted.map((type) => types.formatType(type)).join(', ')}`);
        return program;
      } catch (error) {
        if (!(error instanceof CelCompileError)) throw error;
        return refuse(`compilation failed: ${error.message}`);
      }
    };
    const { claimMappings, claimValidationRules = [], userValidationRules = [] } = configuration;
    const claims = claimsEnvironment();
    const user = userEnvironment();
    this.#username = of(claims, 'claimMappings.username.expression', claimMappings.username.expression);
    this.#groups = of(claims, 'claimMappings.groups.expression', claimMappings.groups?.expression);
    this.#uid = of(claims, 'claimMappings.uid.expression', claimMappings.uid?.expression);
    this.#extra = (claimMappings.extra ?? []).flatMap(({ key, valueExpression }, index) => {
      const program = of(claims, `claimMappings.extra[${index}].valueExpression`, valueExpression);
      return program ? [{ key, program }] : [];
    });
    const rules = (environment: Environment, name: string, given: readonly { expression?: string; message?: string }[]): Compiled[] =>
      given.flatMap(({ expression, message }, index) => {
        const program = of(environment, `${name}[${index}].expression`, expression, [boolType]);
        return program ? [{ program, ...(message && { message }) }] : [];
      });
    this.#claimRules = rules(claims, 'claimValidationRules', claimValidationRules);
    this.#userRules = rules(user, 'userValidationRules', userValidationRules);
    const { expression } = claimMappings.username;
    const elsewhere = [
      expression,
      ...(claimMappings.extra ?? []).map(({ valueExpression }) => valueExpression),
      ...claimValidationRules.map((rule) => rule.expression),
    ];
    if (expression && /claims\.email\b(?!_)/.test(expression) && !elsewhere.some((text) => text?.includes('claims.email_verified')))
      errors.push(`${path}.claimMappings.username.expression: Invalid value: ${JSON.stringify(expression)}: ${emailRule}`);
    if (errors.length > 0) throw new Error(errors.length === 1 ? errors[0] : `[${errors.join(', ')}]`);
  }

  /** Throws an Error where the claims make no user, or one who is not let in. */
  userOf(claims: Claims): UserInfo {
    const variables = { claims: fromJson(claims) };
    const { claimMappings, claimValidationRules = [] } = this.#configuration;
    const name = this.#nameOf(claims, variables);
    const groups = this.#groupsOf(claims, variables);
    const { uid: uidMapping } = claimMappings;
    const uid = uidMapping?.claim
      ? text(claims, uidMapping.claim, `uid claim "${uidMapping.claim}"`)
      : this.#uid && run(this.#uid, variables, 'uid claim');
    if (uid !== undefined && typeof uid !== 'string')
      throw new Error('oidc: error evaluating uid claim expression: uid claim expression must return a string');
    const extra: Record<string, string[]> = {};
    if (typeof claims.jti === 'string' && claims.jti) extra['authentication.kubernetes.io/credential-id'] = [`JTI=${claims.jti}`];
    for (const { key, program } of this.#extra) {
      const values = strings(run(program, variables, 'extra claim'), `extra claim expression: ${program.text}`);
      if (values.length > 0) extra[key] = values;
    }
    for (const { claim, requiredValue = '' } of claimValidationRules) {
      if (!claim) continue;
      if (!Object.hasOwn(claims, claim)) throw new Error(`oidc: required claim ${claim} not present in ID token`);
      const found = text(claims, claim, `claim ${claim}`);
      if (found !== requiredValue)
        throw new Error(`oidc: required claim ${claim} value does not match. Got = ${found}, want = ${requiredValue}`);
    }
    check(this.#claimRules, variables, 'claim validation expression');
    const user: UserInfo = { name, groups, ...(uid && { uid }), ...(Object.keys(extra).length > 0 && { extra }) };
    if (this.#userRules.length > 0)
      check(this.#userRules, { user: fromJson({ username: name, uid: uid ?? '', groups, extra }) }, 'user info validation rule');
    return user;
  }

  #nameOf(claims: Claims, variables: Variables): string {
    const { username } = this.#configuration.claimMappings;
    if (this.#username) {
      const name = run(this.#username, variables, 'username claim');
      if (typeof name !== 'string')
        throw new Error('oidc: error evaluating username claim expression: username claim expression must return a string');
      if (!name) throw new Error('oidc: empty username via CEL expression is not allowed');
      return name;
    }
    const name = text(claims, username.claim ?? '', `username claims ${JSON.stringify(username.claim ?? '')}`);
    if (username.claim === 'email' && Object.hasOwn(claims, 'email_verified')) {
      const verified = claims['email_verified'];
      if (typeof verified !== 'boolean') throw new Error("oidc: parse 'email_verified' claim: it is not a bool");
      if (!verified) throw new Error('oidc: email not verified');
    }
    return `${username.prefix ?? ''}${name}`;
  }

  #groupsOf(claims: Claims, variables: Variables): string[] {
    const { claim, prefix = '' }: PrefixedClaim = this.#configuration.claimMappings.groups ?? {};
    if (claim && Object.hasOwn(claims, claim)) {
      const value = claims[claim];
      const list: unknown[] = Array.isArray(value) ? value : [value];
      if (!list.every((item) => typeof item === 'string'))
        throw new Error(`oidc: parse groups claim ${JSON.stringify(claim)}: it is not a list of strings`);
      return list.map((group) => `${prefix}${group}`);
    }
    return this.#groups ? strings(run(this.#groups, variables, 'group claim'), 'group claim expression') : [];
  }
}

type Variables = Parameters<Program['evaluate']>[0];

function text(claims: Claims, claim: string, what: string): string {
  if (!Object.hasOwn(claims, claim)) throw new Error(`oidc: parse ${what}: claim not present`);
  const value = claims[claim];
  if (typeof value !== 'string')
    throw new Error(`oidc: parse ${what}: json: cannot unmarshal ${typeof value} into Go value of type string`);
  return value;
}

function run(program: Program, variables: Variables, what: string): unknown {
  try {
    return toJson(program.evaluate(variables).value);
  } catch (error) {
    throw new Error(
      `oidc: error evaluating ${what} expression: expression '${program.text}' resulted in error: ${(error as Error).message}`,
      { cause: error },
    );
  }
}

function strings(value: unknown, what: string): string[] {
  if (value === null || value === '') return [];
  if (typeof value === 'string') return [value];
  if (Array.isArray(value) && value.every((item) => typeof item === 'string')) return value.filter(Boolean);
  throw new Error(`oidc: error evaluating ${what}: expression must return a string or a list of strings`);
}

function check(rules: readonly Compiled[], variables: Variables, what: string): void {
  for (const { program, message } of rules) {
    if (run(program, variables, what) === true) continue;
    throw new Error(`oidc: error evaluating ${what}: validation expression '${program.text}' failed${message ? `: ${message}` : ''}`);
  }
}
