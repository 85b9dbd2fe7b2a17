/** AuthorizationConfiguration of apiserver.config.k8s.io. upstream: apiserver/pkg/apis/apiserver/validation ValidateAuthorizationConfiguration. */
import { goDuration } from '../http/request-timeout.ts';

export interface WebhookConfiguration {
  authorizedTTL?: string;
  cacheAuthorizedRequests?: boolean;
  unauthorizedTTL?: string;
  cacheUnauthorizedRequests?: boolean;
  timeout?: string;
  subjectAccessReviewVersion?: string;
  matchConditionSubjectAccessReviewVersion?: string;
  failurePolicy?: string;
  connectionInfo?: { type?: string; kubeConfigFile?: string };
  matchConditions?: { expression: string }[];
}

export interface AuthorizerConfiguration {
  type?: string;
  name?: string;
  webhook?: WebhookConfiguration;
}

export interface AuthorizationConfiguration {
  apiVersion?: string;
  kind?: string;
  authorizers?: AuthorizerConfiguration[];
}

const versions = ['v1', 'v1beta1', 'v1alpha1'].map((version) => `apiserver.config.k8s.io/${version}`);
/** ABAC and its policy file are not there. */
const knownTypes = ['AlwaysAllow', 'AlwaysDeny', 'Node', 'RBAC', 'Webhook'];
const longestTimeout = 30_000;

export function authorizationErrors(configuration: AuthorizationConfiguration): string[] {
  const { apiVersion = '', kind = '', authorizers = [] } = configuration;
  if (kind !== 'AuthorizationConfiguration' || !versions.includes(apiVersion))
    return [
      `no kind ${JSON.stringify(kind)} is registered for version ${JSON.stringify(apiVersion)}: it must be an AuthorizationConfiguration of ${versions[0]}`,
    ];
  if (authorizers.length === 0) return ['authorizers: Required value: at least one authorization mode must be defined'];
  const errors: string[] = [];
  const [types, names] = [new Set<string>(), new Set<string>()];
  for (const [index, { type = '', name = '', webhook }] of authorizers.entries()) {
    const path = `authorizers[${index}]`;
    if (!type) errors.push(`${path}.type: Required value`);
    else if (!knownTypes.includes(type))
      errors.push(
        `${path}.type: Unsupported value: ${JSON.stringify(type)}: supported values: ${knownTypes.map((known) => JSON.stringify(known)).join(', ')}`,
      );
    else if (types.has(type) && type !== 'Webhook') errors.push(`${path}.type: Duplicate value: ${JSON.stringify(type)}`);
    types.add(type);
    if (!name) errors.push(`${path}.name: Required value`);
    else if (names.has(name)) errors.push(`${path}.name: Duplicate value: ${JSON.stringify(name)}`);
    else if (!/^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/.test(name) || name.length > 253)
      errors.push(
        `${path}.name: Invalid value: ${JSON.stringify(name)}: authorizer name is invalid: a lowercase RFC 1123 subdomain is needed`,
      );
    names.add(name);
    if (type === 'Webhook')
      errors.push(
        ...(webhook ? webhookErrors(`${path}.webhook`, webhook) : [`${path}.webhook: Required value: required when type=Webhook`]),
      );
    else if (webhook) errors.push(`${path}.webhook: Invalid value: "non-null": may only be specified when type=Webhook`);
  }
  return errors;
}

function webhookErrors(path: string, webhook: WebhookConfiguration): string[] {
  const errors: string[] = [];
  const duration = (field: 'timeout' | 'authorizedTTL' | 'unauthorizedTTL', most: number, range: string): void => {
    const text = webhook[field];
    if (text === undefined && field !== 'timeout') return;
    const value = goDuration(text ?? '');
    if (text === undefined || value === 0) errors.push(`${path}.${field}: Required value`);
    else if (value === undefined || value <= 0 || value > most)
      errors.push(`${path}.${field}: Invalid value: ${JSON.stringify(text)}: must be ${range}`);
  };
  duration('timeout', longestTimeout, '> 0s and <= 30s');
  duration('authorizedTTL', Infinity, '> 0s');
  duration('unauthorizedTTL', Infinity, '> 0s');
  const oneOf = (field: 'subjectAccessReviewVersion' | 'failurePolicy', known: string[]): void => {
    const value = webhook[field];
    if (!value) errors.push(`${path}.${field}: Required value`);
    else if (!known.includes(value))
      errors.push(
        `${path}.${field}: Unsupported value: ${JSON.stringify(value)}: supported values: ${known.map((item) => JSON.stringify(item)).join(', ')}`,
      );
  };
  oneOf('subjectAccessReviewVersion', ['v1', 'v1beta1']);
  oneOf('failurePolicy', ['NoOpinion', 'Deny']);
  const version = webhook.matchConditionSubjectAccessReviewVersion;
  if (webhook.matchConditions?.length && !version)
    errors.push(`${path}.matchConditionSubjectAccessReviewVersion: Required value: required if match conditions are specified`);
  if (version && version !== 'v1')
    errors.push(`${path}.matchConditionSubjectAccessReviewVersion: Unsupported value: ${JSON.stringify(version)}: supported values: "v1"`);
  const { type = '', kubeConfigFile } = webhook.connectionInfo ?? {};
  if (!type) errors.push(`${path}.connectionInfo.type: Required value`);
  else if (type !== 'KubeConfigFile')
    errors.push(`${path}.connectionInfo.type: Unsupported value: ${JSON.stringify(type)}: supported values: "KubeConfigFile"`);
  else if (!kubeConfigFile) errors.push(`${path}.connectionInfo.kubeConfigFile: Required value`);
  else if (!kubeConfigFile.startsWith('/'))
    errors.push(`${path}.connectionInfo.kubeConfigFile: Invalid value: ${JSON.stringify(kubeConfigFile)}: must be an absolute path`);
  return errors;
}

/** The modes of --authorization-mode, in their order, as authorizers of their own names. */
export function authorizersOfModes(modes: readonly string[], webhook?: WebhookConfiguration): AuthorizerConfiguration[] {
  if (modes.length === 0) throw new Error('at least one authorization-mode must be passed');
  return modes.map((type, index) => {
    if (type === 'ABAC') throw new Error('Authorization mode ABAC is not supported: use RBAC');
    if (!knownTypes.includes(type)) throw new Error(`authorization-mode ${JSON.stringify(type)} is not a valid mode`);
    if (modes.indexOf(type) < index) throw new Error(`authorization-mode ${JSON.stringify(type)} has mode specified more than once`);
    if (type !== 'Webhook') return { type, name: type.toLowerCase() };
    if (!webhook) throw new Error("authorization-mode Webhook's authorization config file not passed");
    return { type, name: 'default', webhook };
  });
}
