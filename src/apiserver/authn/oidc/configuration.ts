/** AuthenticationConfiguration of apiserver.config.k8s.io: its form, and what is wrong with one. upstream: apiserver/pkg/apis/apiserver/validation. */

export interface PrefixedClaim {
  claim?: string;
  prefix?: string;
  expression?: string;
}

export interface JwtAuthenticatorConfiguration {
  issuer: {
    url: string;
    discoveryURL?: string;
    certificateAuthority?: string;
    audiences: string[];
    audienceMatchPolicy?: string;
    egressSelectorType?: string;
  };
  claimValidationRules?: { claim?: string; requiredValue?: string; expression?: string; message?: string }[];
  claimMappings: {
    username: PrefixedClaim;
    groups?: PrefixedClaim;
    uid?: { claim?: string; expression?: string };
    extra?: { key: string; valueExpression: string }[];
  };
  userValidationRules?: { expression: string; message?: string }[];
}

export interface AuthenticationConfiguration {
  apiVersion?: string;
  kind?: string;
  jwt?: JwtAuthenticatorConfiguration[];
  anonymous?: { enabled: boolean; conditions?: { path: string }[] };
}

const versions = ['v1', 'v1beta1', 'v1alpha1'].map((version) => `apiserver.config.k8s.io/${version}`);
const mostIssuers = 64;

/** All that is wrong; expressions are compiled, and complained of, elsewhere. `taken`: issuers of service-account tokens. */
export function configurationErrors(configuration: AuthenticationConfiguration, taken: readonly string[]): string[] {
  const { apiVersion = '', kind = '', jwt = [], anonymous } = configuration;
  if (kind !== 'AuthenticationConfiguration' || !versions.includes(apiVersion))
    return [
      `no kind ${JSON.stringify(kind)} is registered for version ${JSON.stringify(apiVersion)}: it must be an AuthenticationConfiguration of ${versions[0]}`,
    ];
  const errors: string[] = [];
  if (jwt.length > mostIssuers) errors.push(`jwt: Too many: ${jwt.length}: must have at most ${mostIssuers} items`);
  const urls = new Set<string>();
  const discovered = new Set<string>();
  for (const [index, authenticator] of jwt.entries()) {
    const path = `jwt[${index}]`;
    const { url, discoveryURL } = authenticator.issuer ?? {};
    if (url && urls.has(url)) errors.push(`${path}.issuer.url: Duplicate value: ${JSON.stringify(url)}`);
    urls.add(url ?? '');
    if (discoveryURL && discovered.has(discoveryURL))
      errors.push(`${path}.issuer.discoveryURL: Duplicate value: ${JSON.stringify(discoveryURL)}`);
    if (discoveryURL) discovered.add(discoveryURL);
    errors.push(...issuerErrors(`${path}.issuer`, authenticator.issuer, taken));
    errors.push(...ruleErrors(path, authenticator));
    errors.push(...mappingErrors(`${path}.claimMappings`, authenticator.claimMappings ?? { username: {} }));
  }
  if (anonymous && !anonymous.enabled && anonymous.conditions?.length)
    errors.push('anonymous.conditions: Invalid value: enabled should be set to true when conditions are defined');
  return errors;
}

function urlErrors(path: string, text: string, taken: readonly string[]): string[] {
  const at = `${path}: Invalid value: ${JSON.stringify(text)}`;
  if (taken.includes(text)) return [`${at}: URL must not overlap with disallowed issuers: [${taken.join(' ')}]`];
  let url: URL;
  try {
    url = new URL(text);
  } catch (error) {
    return [`${at}: ${(error as Error).message}`];
  }
  return [
    ...(url.protocol === 'https:' ? [] : [`${at}: URL scheme must be https`]),
    ...(url.username || url.password ? [`${at}: URL must not contain a username or password`] : []),
    ...(url.search ? [`${at}: URL must not contain a query`] : []),
    ...(url.hash ? [`${at}: URL must not contain a fragment`] : []),
  ];
}

function issuerErrors(path: string, issuer: JwtAuthenticatorConfiguration['issuer'] | undefined, taken: readonly string[]): string[] {
  const { url = '', discoveryURL, audiences = [], audienceMatchPolicy: policy = '', egressSelectorType } = issuer ?? {};
  const errors = url ? urlErrors(`${path}.url`, url, taken) : [`${path}.url: Required value`];
  if (discoveryURL) {
    if (discoveryURL.replace(/\/+$/, '') === url.replace(/\/+$/, ''))
      errors.push(`${path}.discoveryURL: Invalid value: ${JSON.stringify(discoveryURL)}: discoveryURL must be different from URL`);
    errors.push(...urlErrors(`${path}.discoveryURL`, discoveryURL, taken));
  }
  if (audiences.length === 0) errors.push(`${path}.audiences: Required value: at least one ${path}.audiences is required`);
  for (const [index, audience] of audiences.entries()) {
    if (!audience) errors.push(`${path}.audiences[${index}]: Required value`);
    if (audiences.indexOf(audience) < index) errors.push(`${path}.audiences[${index}]: Duplicate value: ${JSON.stringify(audience)}`);
  }
  const given = `${path}.audienceMatchPolicy: Invalid value: ${JSON.stringify(policy)}`;
  if (audiences.length > 1 && policy !== 'MatchAny') errors.push(`${given}: audienceMatchPolicy must be MatchAny for multiple audiences`);
  if (audiences.length === 1 && policy !== '' && policy !== 'MatchAny')
    errors.push(`${given}: audienceMatchPolicy must be empty or MatchAny for single audience`);
  if (egressSelectorType)
    errors.push(`${path}.egressSelectorType: Invalid value: ${JSON.stringify(egressSelectorType)}: egress selectors are not supported`);
  return errors;
}

function ruleErrors(path: string, { claimValidationRules = [], userValidationRules = [] }: JwtAuthenticatorConfiguration): string[] {
  const errors: string[] = [];
  const [claims, expressions] = [new Set<string>(), new Set<string>()];
  for (const [index, { claim, requiredValue, expression, message }] of claimValidationRules.entries()) {
    const at = `${path}.claimValidationRules[${index}]`;
    if (claim && expression) errors.push(`${at}: Invalid value: ${JSON.stringify(claim)}: claim and expression can't both be set`);
    else if (claim) {
      if (message) errors.push(`${at}.message: Invalid value: ${JSON.stringify(message)}: may not be specified when claim is set`);
      if (claims.has(claim)) errors.push(`${at}.claim: Duplicate value: ${JSON.stringify(claim)}`);
      claims.add(claim);
    } else if (expression) {
      if (requiredValue)
        errors.push(`${at}.requiredValue: Invalid value: ${JSON.stringify(requiredValue)}: may not be specified when expression is set`);
      if (expressions.has(expression)) errors.push(`${at}.expression: Duplicate value: ${JSON.stringify(expression)}`);
      expressions.add(expression);
    } else errors.push(`${at}: Required value: claim or expression is required`);
  }
  const rules = new Set<string>();
  for (const [index, { expression }] of userValidationRules.entries()) {
    const at = `${path}.userValidationRules[${index}].expression`;
    if (!expression) errors.push(`${at}: Required value`);
    else if (rules.has(expression)) errors.push(`${at}: Duplicate value: ${JSON.stringify(expression)}`);
    rules.add(expression);
  }
  return errors;
}

function prefixedErrors(path: string, { claim, prefix, expression }: PrefixedClaim, needed: boolean): string[] {
  if (claim && expression) return [`${path}: Invalid value: "": claim and expression can't both be set`];
  if (!claim && !expression && needed) return [`${path}: Required value: claim or expression is required`];
  if (expression && prefix !== undefined)
    return [`${path}.prefix: Invalid value: ${JSON.stringify(prefix)}: may not be specified when expression is set`];
  if (claim && prefix === undefined)
    return [`${path}.prefix: Required value: prefix is required when claim is set. It can be set to an empty string to disable prefixing`];
  return [];
}

function mappingErrors(path: string, { username, groups = {}, uid, extra = [] }: JwtAuthenticatorConfiguration['claimMappings']): string[] {
  const errors = [...prefixedErrors(`${path}.username`, username ?? {}, true), ...prefixedErrors(`${path}.groups`, groups, false)];
  if (uid?.claim && uid.expression) errors.push(`${path}.uid: Invalid value: "": claim and expression can't both be set`);
  const keys = new Set<string>();
  for (const [index, { key = '', valueExpression }] of extra.entries()) {
    const at = `${path}.extra[${index}]`;
    if (!/^[^/]+\/.+$/.test(key))
      errors.push(`${at}.key: Invalid value: ${JSON.stringify(key)}: must be a domain-prefixed path (such as "acme.io/foo")`);
    if (key !== key.toLowerCase()) errors.push(`${at}.key: Invalid value: ${JSON.stringify(key)}: must be lowercase`);
    if (/(^|\.)(k8s|kubernetes)\.io\//.test(key))
      errors.push(
        `${at}.key: Invalid value: ${JSON.stringify(key)}: k8s.io, kubernetes.io and their subdomains are reserved for Kubernetes use`,
      );
    if (keys.has(key)) errors.push(`${at}.key: Duplicate value: ${JSON.stringify(key)}`);
    keys.add(key);
    if (!valueExpression) errors.push(`${at}.valueExpression: Required value`);
  }
  return errors;
}
