/** Settings of admission plugins, from --admission-control-config-file. upstream: apiserver/pkg/admission/config.go, pod-security-admission/admission/api. */
import { dirname, resolve } from 'node:path';
import type { PodSecurityOptions } from '#apiserver';
import { readDocument } from './configuration-file.ts';

interface AdmissionConfiguration {
  apiVersion?: string;
  kind?: string;
  plugins?: { name?: string; path?: string; configuration?: unknown }[];
}

interface PodSecurityConfiguration {
  apiVersion?: string;
  kind?: string;
  defaults?: Record<string, string>;
  exemptions?: { usernames?: string[]; runtimeClasses?: string[]; namespaces?: string[] };
}

const flag = 'admission-control-config-file';
const group = 'pod-security.admission.config.k8s.io';
const modes = ['enforce', 'audit', 'warn'] as const;
const levels = ['privileged', 'baseline', 'restricted'] as const;

/** What the file says of each plugin. Throws a sentence where it is not understood. */
export function admissionSettings(path: string): { podSecurity?: PodSecurityOptions } {
  if (path === '') return {};
  const refuse = (why: string): Error => new Error(`Cannot use ${path}: ${why}`);
  const { apiVersion = '', kind = '', plugins = [] } = (readDocument(flag, path) ?? {}) as AdmissionConfiguration;
  if (kind !== 'AdmissionConfiguration' || !['apiserver.config.k8s.io/v1', 'apiserver.k8s.io/v1alpha1'].includes(apiVersion))
    throw refuse(
      `no kind ${JSON.stringify(kind)} is registered for version ${JSON.stringify(apiVersion)}: it must be an AdmissionConfiguration of apiserver.config.k8s.io/v1`,
    );
  let podSecurity: PodSecurityOptions | undefined;
  for (const { name = '', path: file, configuration } of plugins) {
    const given = file ? readDocument(flag, resolve(dirname(path), file)) : configuration;
    if (name !== 'PodSecurity') {
      if (given) throw refuse(`the admission plugin ${name} has no settings in coxswain`);
      continue;
    }
    podSecurity = podSecurityOf((given ?? {}) as PodSecurityConfiguration, refuse);
  }
  return podSecurity ? { podSecurity } : {};
}

function podSecurityOf(
  { apiVersion, kind, defaults = {}, exemptions = {} }: PodSecurityConfiguration,
  refuse: (why: string) => Error,
): PodSecurityOptions {
  if (kind !== 'PodSecurityConfiguration' || !['v1', 'v1beta1', 'v1alpha1'].includes(apiVersion?.replace(`${group}/`, '') ?? ''))
    throw refuse(
      `no kind ${JSON.stringify(kind ?? '')} is registered for version ${JSON.stringify(apiVersion ?? '')}: it must be a PodSecurityConfiguration of ${group}/v1`,
    );
  const allowed = new Set<string>(modes.flatMap((mode) => [mode, `${mode}-version`]));
  for (const field of Object.keys(defaults))
    if (!allowed.has(field)) throw refuse(`strict decoding error: unknown field "defaults.${field}"`);
  const of = (mode: (typeof modes)[number]): { level: (typeof levels)[number]; minor: number | 'latest' } => {
    const { [mode]: text = 'privileged', [`${mode}-version`]: version = 'latest' } = defaults;
    const level = levels.find((known) => known === text);
    if (!level) throw refuse(`defaults.${mode}: Invalid value: ${JSON.stringify(text)}: must be one of ${levels.join(', ')}`);
    const minor = /^v1\.(0|[1-9][0-9]*)$/.exec(version)?.[1];
    if (minor === undefined && version !== 'latest')
      throw refuse(`defaults.${mode}-version: Invalid value: ${JSON.stringify(version)}: must be "latest" or "v1.x"`);
    return { level, minor: minor === undefined ? 'latest' : Number(minor) };
  };
  const { usernames, runtimeClasses, namespaces } = exemptions;
  return {
    defaults: { enforce: of('enforce'), audit: of('audit'), warn: of('warn') },
    exemptions: { ...(usernames && { users: usernames }), ...(runtimeClasses && { runtimeClasses }), ...(namespaces && { namespaces }) },
  };
}
