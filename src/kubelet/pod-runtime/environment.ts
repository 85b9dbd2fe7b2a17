import { readFile } from 'node:fs/promises';
import type { ConfigMap, Container, Pod, Secret, Service } from '#api';
import { namespaceOf, specOf } from '../pod-spec.ts';
import type { Allocatable, PodAddresses } from './downward-api.ts';
import { fieldValue, resourceValue } from './downward-api.ts';
import { expand } from './expansion.ts';
import { serviceEnvironment } from './service-environment.ts';

export interface EnvironmentSource {
  /** Undefined when there is none. */
  configMap(namespace: string, name: string): Promise<ConfigMap | undefined>;
  secret(namespace: string, name: string): Promise<Secret | undefined>;
  services(): readonly Service[];
  allocatable: Allocatable;
  addresses: PodAddresses;
  /** A file of one of the pod's volumes, contained in it. */
  volumeFile(volume: string, path: string): Promise<string>;
}

const decode = (data: string): string => Buffer.from(data, 'base64').toString('utf8');

/** One KEY=value of an env file. upstream: pkg/kubelet/util/env. */
async function fromEnvFile(path: string, key: string): Promise<string | undefined> {
  for (const line of (await readFile(path, 'utf8')).split('\n')) {
    const match = /^\s*(?:export\s+)?([A-Za-z_][\w.-]*)\s*=(.*)$/.exec(line);
    if (match?.[1] !== key) continue;
    const raw = match[2]!.trim();
    const quoted = /^(['"])(.*)\1$/.exec(raw);
    return quoted ? quoted[2]! : raw;
  }
  return undefined;
}

/** Every variable of a container, later ones over earlier ones. Rejects with upstream's text. upstream: makeEnvironmentVariables. */
export async function environment(pod: Pod, container: Container, source: EnvironmentSource): Promise<Map<string, string>> {
  const namespace = namespaceOf(pod);
  const services = serviceEnvironment(source.services(), namespace, specOf(pod).enableServiceLinks !== false);
  const result = new Map<string, string>();
  const configMap = async (name: string, optional: boolean): Promise<ConfigMap | undefined> => {
    const found = await source.configMap(namespace, name);
    if (!found && !optional) throw new Error(`configmap "${name}" not found`);
    return found;
  };
  const secret = async (name: string, optional: boolean): Promise<Secret | undefined> => {
    const found = await source.secret(namespace, name);
    if (!found && !optional) throw new Error(`secret "${name}" not found`);
    return found;
  };

  for (const { prefix = '', configMapRef, secretRef } of container.envFrom ?? [])
    if (configMapRef) {
      const found = await configMap(configMapRef.name ?? '', configMapRef.optional === true);
      for (const [key, text] of Object.entries(found?.data ?? {})) result.set(prefix + key, text);
    } else if (secretRef) {
      const found = await secret(secretRef.name ?? '', secretRef.optional === true);
      for (const [key, data] of Object.entries(found?.data ?? {})) result.set(prefix + key, decode(data));
    }

  const lookup = (name: string): string | undefined => result.get(name) ?? services.get(name);
  for (const { name, value, valueFrom } of container.env ?? []) {
    if (value) {
      result.set(name, expand(value, lookup));
      continue;
    }
    if (!valueFrom) {
      result.set(name, '');
      continue;
    }
    const { fieldRef, resourceFieldRef, configMapKeyRef, secretKeyRef, fileKeyRef } = valueFrom;
    let text: string | undefined = '';
    if (fieldRef) text = fieldValue(fieldRef.fieldPath, pod, source.addresses);
    else if (resourceFieldRef) text = resourceValue(resourceFieldRef, pod, container, source.allocatable);
    else if (configMapKeyRef) {
      const { name: from = '', key, optional = false } = configMapKeyRef;
      text = (await configMap(from, optional))?.data?.[key];
      if (text === undefined && !optional) throw new Error(`couldn't find key ${key} in ConfigMap ${namespace}/${from}`);
    } else if (secretKeyRef) {
      const { name: from = '', key, optional = false } = secretKeyRef;
      const data = (await secret(from, optional))?.data?.[key];
      if (data === undefined && !optional) throw new Error(`couldn't find key ${key} in Secret ${namespace}/${from}`);
      text = data === undefined ? undefined : decode(data);
    } else if (fileKeyRef) {
      const path = await source.volumeFile(fileKeyRef.volumeName, fileKeyRef.path);
      text = await fromEnvFile(path, fileKeyRef.key).catch((error: unknown) => {
        if (fileKeyRef.optional) return undefined;
        throw new Error(`couldn't parse env file`, { cause: error });
      });
      if (!text && !fileKeyRef.optional) throw new Error(`environment variable key "${fileKeyRef.key}" not found in file "${path}"`);
    }
    if (text !== undefined) result.set(name, text);
  }
  for (const [name, text] of services) if (!result.has(name)) result.set(name, text);
  return result;
}
