/** EncryptionConfiguration of apiserver.config.k8s.io. upstream: apiserver/pkg/apis/apiserver/validation/validation_encryption.go. */
import { goDuration } from '../http/request-timeout.ts';
import type { NamedKey } from './aes.ts';

export interface KmsConfiguration {
  apiVersion?: string;
  name?: string;
  endpoint?: string;
  timeout?: string;
  cachesize?: number;
}

export interface Provider {
  aesgcm?: { keys?: NamedKey[] };
  aescbc?: { keys?: NamedKey[] };
  secretbox?: { keys?: NamedKey[] };
  identity?: object;
  kms?: KmsConfiguration;
}

export interface EncryptionConfiguration {
  apiVersion?: string;
  kind?: string;
  resources?: { resources?: string[]; providers?: Provider[] }[];
}

const kinds = ['aesgcm', 'aescbc', 'secretbox', 'identity', 'kms'] as const;
const aesSizes = [16, 24, 32];
const sizes = { aesgcm: aesSizes, aescbc: aesSizes, secretbox: [32] } as const;

/** All that is wrong, with its place. */
export function encryptionErrors({ apiVersion = '', kind = '', resources = [] }: EncryptionConfiguration): string[] {
  if (apiVersion !== 'apiserver.config.k8s.io/v1' || kind !== 'EncryptionConfiguration')
    return [
      `no kind ${JSON.stringify(kind)} is registered for version ${JSON.stringify(apiVersion)}: it must be an EncryptionConfiguration of apiserver.config.k8s.io/v1`,
    ];
  if (resources.length === 0) return ['resources: Required value: at least one resources is required'];
  const errors: string[] = [];
  const names = new Set<string>();
  for (const [index, { resources: covered = [], providers = [] }] of resources.entries()) {
    const path = `resources[${index}]`;
    if (covered.length === 0) errors.push(`${path}.resources: Required value: at least one ${path}.resources is required`);
    for (const [at, name] of covered.entries()) errors.push(...resourceErrors(`${path}.resources[${at}]`, name));
    if (providers.length === 0) errors.push(`${path}.providers: Required value: at least one ${path}.providers is required`);
    for (const [at, provider] of providers.entries()) errors.push(...providerErrors(`${path}.providers[${at}]`, provider, names));
  }
  return errors;
}

function resourceErrors(path: string, name: string): string[] {
  const at = `${path}: Invalid value: ${JSON.stringify(name)}`;
  if (name === '') return [`${path}: Required value`];
  if (name === '*') return [`${at}: use '*.' to encrypt all the resources from core API group or *.* to encrypt all resources`];
  if (name === '*.*' || name === '*.') return [];
  if (name !== name.toLowerCase()) return [`${at}: resource names should be lowercase`];
  if (name.startsWith('*.') ? name.slice(2).includes('*') : name.includes('*')) return [`${at}: wildcard must be the whole resource name`];
  if (['apiserveripinfo', 'serviceipallocations', 'servicenodeportallocations'].includes(name))
    return [`${at}: may not encrypt non-resources`];
  return [];
}

function providerErrors(path: string, provider: Provider, names: Set<string>): string[] {
  const given = kinds.filter((kind) => provider[kind] !== undefined && provider[kind] !== null);
  if (given.length === 0)
    return [`${path}: Required value: provider does not contain any of the expected providers: KMS, AESGCM, AESCBC, Secretbox, Identity`];
  if (given.length > 1)
    return [`${path}: Invalid value: more than one provider specified in a single element, should split into different list elements`];
  const [kind] = given as [(typeof kinds)[number]];
  if (kind === 'identity') return [];
  if (kind === 'kms') return kmsErrors(`${path}.kms`, provider.kms!, names);
  const keys = provider[kind]?.keys ?? [];
  if (keys.length === 0) return [`${path}.${kind}.keys: Required value: at least one ${path}.${kind}.keys is required`];
  return keys.flatMap(({ name, secret }, index) => {
    const at = `${path}.${kind}.keys[${index}]`;
    const size = Buffer.from(secret ?? '', 'base64').length;
    const allowed: readonly number[] = sizes[kind];
    return [
      ...(name ? [] : [`${at}.name: Required value: name must be specified`]),
      ...(secret ? [] : [`${at}.secret: Required value: secret must be specified`]),
      ...(secret && !allowed.includes(size)
        ? [
            `${at}.secret: Invalid value: "REDACTED": secret is not of the expected length, got ${size}, expected one of [${allowed.join(' ')}]`,
          ]
        : []),
    ];
  });
}

function kmsErrors(
  path: string,
  { apiVersion = 'v1', name = '', endpoint = '', timeout, cachesize }: KmsConfiguration,
  names: Set<string>,
): string[] {
  const errors: string[] = [];
  if (!name) errors.push(`${path}.name: Required value: name is a required field`);
  else if (name.includes(':'))
    errors.push(`${path}.name: Invalid value: ${JSON.stringify(name)}: invalid KMS provider name ${name}, must not contain ':'`);
  else if (names.has(name))
    errors.push(`${path}.name: Invalid value: ${JSON.stringify(name)}: duplicate KMS provider name ${name}, names must be unique`);
  names.add(name);
  if (apiVersion !== 'v2')
    errors.push(
      `${path}.apiVersion: Invalid value: ${JSON.stringify(apiVersion)}: unsupported apiVersion ${apiVersion} for KMS provider, only v2 is supported`,
    );
  if (cachesize !== undefined) errors.push(`${path}.cachesize: Invalid value: ${cachesize}: cachesize is not supported in v2`);
  const duration = timeout === undefined ? 3000 : goDuration(timeout);
  if (duration === undefined || duration <= 0)
    errors.push(`${path}.timeout: Invalid value: ${JSON.stringify(timeout)}: timeout should be a positive value`);
  if (!endpoint) errors.push(`${path}.endpoint: Invalid value: "": endpoint is a required field`);
  else if (!endpoint.startsWith('unix://'))
    errors.push(
      `${path}.endpoint: Invalid value: ${JSON.stringify(endpoint)}: unsupported scheme ${JSON.stringify(endpoint.split(':')[0])} for KMS provider, must be unix`,
    );
  return errors;
}
