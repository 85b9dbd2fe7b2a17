/** Environment variables and where their values come from. upstream: ValidateEnv, ValidateEnvFrom. */
import { isConfigMapKey, isRelaxedEnvVarName, nameIsDNSSubdomain } from '#machinery/names';
import { canonicalize, isQuantity, parseQuantity } from '#machinery/quantity';
import { checkLabel, checkQualifiedName, invalidField, invalidFor, required, unsupported } from '../../checks.ts';
import type { Errors } from '../../checks.ts';
import type {
  ConfigMapKeySelector,
  EnvFromSource,
  EnvVar,
  FileKeySelector,
  ObjectFieldSelector,
  ResourceFieldSelector,
} from '../../facts/types.ts';
import { checkNoBacksteps } from './paths.ts';

const envFields = [
  'metadata.name',
  'metadata.namespace',
  'metadata.uid',
  'spec.nodeName',
  'spec.serviceAccountName',
  'status.hostIP',
  'status.hostIPs',
  'status.podIP',
  'status.podIPs',
];
export const volumeFields = ['metadata.annotations', 'metadata.labels', 'metadata.name', 'metadata.namespace', 'metadata.uid'];
/** What the downward API knows of, wherever it may be used. upstream: ConvertDownwardAPIFieldLabel. */
const knownFields = new Set([...envFields, ...volumeFields, 'spec.restartPolicy', 'spec.schedulerName', 'status.phase']);

export function checkEnv(errors: Errors, path: string, env: readonly EnvVar[] | undefined): void {
  if (!env) return;
  for (const [index, variable] of env.entries()) {
    const { name, valueFrom } = variable;
    if (!name) errors.push(required(`${path}[${index}].name`));
    else invalidFor(errors, `${path}[${index}].name`, name, isRelaxedEnvVarName(name));
    if (valueFrom) checkValueFrom(errors, `${path}[${index}].valueFrom`, variable);
  }
}

function checkValueFrom(errors: Errors, path: string, { value, valueFrom }: EnvVar): void {
  const { fieldRef, resourceFieldRef, configMapKeyRef, secretKeyRef, fileKeyRef } = valueFrom!;
  let sources = 0;
  if (fieldRef) {
    sources++;
    checkFieldRef(errors, `${path}.fieldRef`, fieldRef, envFields);
  }
  if (resourceFieldRef) {
    sources++;
    checkResourceFieldRef(errors, `${path}.resourceFieldRef`, resourceFieldRef, false);
  }
  if (configMapKeyRef) {
    sources++;
    checkKeySelector(errors, `${path}.configMapKeyRef`, configMapKeyRef);
  }
  if (secretKeyRef) {
    sources++;
    checkKeySelector(errors, `${path}.secretKeyRef`, secretKeyRef);
  }
  if (fileKeyRef) {
    sources++;
    checkFileKey(errors, `${path}.fileKeyRef`, fileKeyRef);
  }
  if (sources === 0)
    errors.push(
      invalidField(path, '', 'must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`'),
    );
  else if (value) errors.push(invalidField(path, '', 'may not be specified when `value` is not empty'));
  else if (sources > 1) errors.push(invalidField(path, '', 'may not have more than one field specified at a time'));
}

/** upstream: validateObjectFieldSelector. */
export function checkFieldRef(
  errors: Errors,
  path: string,
  { apiVersion, fieldPath }: ObjectFieldSelector,
  allowed: readonly string[],
): void {
  if (!apiVersion) {
    errors.push(required(`${path}.apiVersion`));
    return;
  }
  if (!fieldPath) {
    errors.push(required(`${path}.fieldPath`));
    return;
  }
  const refuse = (reason: string): void => {
    errors.push(invalidField(`${path}.fieldPath`, fieldPath, `error converting fieldPath: ${reason}`));
  };
  if (apiVersion !== 'v1') return refuse(`unsupported pod version: ${apiVersion}`);
  const subscript = /^([^[]+)\['(.*)'\]$/s.exec(fieldPath);
  if (subscript) {
    const [, field, key] = subscript as unknown as [string, string, string];
    if (field === 'metadata.annotations') checkQualifiedName(errors, path, key.toLowerCase());
    else if (field === 'metadata.labels') checkQualifiedName(errors, path, key);
    else refuse(`field label does not support subscript: ${fieldPath}`);
    return;
  }
  const field = fieldPath === 'spec.host' ? 'spec.nodeName' : fieldPath;
  if (!knownFields.has(field)) return refuse(`field label not supported: ${fieldPath}`);
  if (!allowed.includes(field)) errors.push(unsupported(`${path}.fieldPath`, field, allowed));
}

const resourceFields = [
  'limits.cpu',
  'limits.ephemeral-storage',
  'limits.memory',
  'requests.cpu',
  'requests.ephemeral-storage',
  'requests.memory',
];
const byteDivisors = new Set('1 1k 1M 1G 1T 1P 1E 1Ki 1Mi 1Gi 1Ti 1Pi 1Ei'.split(' '));
const isHugePagesField = (field: string): boolean => field.startsWith('limits.hugepages-') || field.startsWith('requests.hugepages-');

/** upstream: validateContainerResourceFieldSelector. */
export function checkResourceFieldRef(errors: Errors, path: string, selector: Partial<ResourceFieldSelector>, volume: boolean): void {
  const { containerName, resource = '', divisor } = selector;
  if (volume && !containerName) errors.push(required(`${path}.containerName`));
  else if (!resource) errors.push(required(`${path}.resource`));
  else if (!resourceFields.includes(resource) && !isHugePagesField(resource))
    errors.push(unsupported(`${path}.resource`, resource, resourceFields));
  if (divisor === undefined || !isQuantity(divisor) || parseQuantity(divisor).isZero()) return;
  const text = canonicalize(divisor);
  const bytes = '1, 1k, 1M, 1G, 1T, 1P, 1E, 1Ki, 1Mi, 1Gi, 1Ti, 1Pi, 1Ei';
  const refuse = (values: string, what: string): void => {
    errors.push(invalidField(`${path}.divisor`, resource, `only divisor's values ${values} are supported with the ${what} resource`));
  };
  if (resource === 'limits.cpu' || resource === 'requests.cpu') {
    if (text !== '1m' && text !== '1') refuse('1m and 1', 'cpu');
  } else if (!byteDivisors.has(text)) {
    if (resource === 'limits.memory' || resource === 'requests.memory') refuse(bytes, 'memory');
    else if (resource === 'limits.ephemeral-storage' || resource === 'requests.ephemeral-storage') refuse(bytes, 'local ephemeral storage');
    else if (isHugePagesField(resource)) refuse(bytes, 'hugepages');
  }
}

function checkKeySelector(errors: Errors, path: string, { name = '', key }: ConfigMapKeySelector): void {
  invalidFor(errors, `${path}.name`, name, nameIsDNSSubdomain(name, false));
  if (!key) errors.push(required(`${path}.key`));
  else invalidFor(errors, `${path}.key`, key, isConfigMapKey(key));
}

function checkFileKey(errors: Errors, path: string, { key, volumeName, path: file }: FileKeySelector): void {
  if (!key) errors.push(required(`${path}.key`));
  else invalidFor(errors, `${path}.key`, key, isRelaxedEnvVarName(key));
  if (!volumeName) errors.push(required(`${path}.volumeName`));
  else checkLabel(errors, `${path}.volumeName`, volumeName);
  if (!file) errors.push(required(`${path}.path`));
  else checkNoBacksteps(errors, `${path}.path`, file);
}

export function checkEnvFrom(errors: Errors, path: string, sources: readonly EnvFromSource[] | undefined): void {
  if (!sources) return;
  for (const [index, { prefix, configMapRef, secretRef }] of sources.entries()) {
    const at = `${path}[${index}]`;
    if (prefix) invalidFor(errors, `${at}.prefix`, prefix, isRelaxedEnvVarName(prefix));
    for (const [field, reference] of [
      ['configMapRef', configMapRef],
      ['secretRef', secretRef],
    ] as const) {
      if (!reference) continue;
      if (!reference.name) errors.push(required(`${at}.${field}.name`));
      else invalidFor(errors, `${at}.${field}.name`, reference.name, nameIsDNSSubdomain(reference.name, true));
    }
    if (!configMapRef && !secretRef) errors.push(invalidField(path, '', 'must specify one of: `configMapRef` or `secretRef`'));
    else if (configMapRef && secretRef) errors.push(invalidField(path, '', 'may not have more than one field specified at a time'));
  }
}
