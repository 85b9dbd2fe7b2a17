import { Namespace, Pod } from '#api';
import type { CronJob, Deployment } from '#api';
import { controllerOf, equal } from '#machinery/meta';
import type { KubeObject } from '#machinery/meta';
import { internalError, invalid } from '#machinery/status';
import type { AdmissionAttributes, AdmissionPlugin, AdmissionPluginFactory } from '../../contract.ts';
import { forbid } from '../attributes.ts';
import { containersOf } from './check.ts';
import type { PodSpec } from './check.ts';
import { details, reasons, violations } from './evaluate.ts';
import { isOpen, levelText, openPolicy, policyOf, privileged, sameLevel, strictness, labelPrefix } from './level.ts';
import type { LevelVersion, Policy } from './level.ts';

export interface PodSecurityOptions {
  /** For namespaces without labels. Default: everything is allowed. */
  defaults?: Policy;
  exemptions?: { namespaces?: readonly string[]; users?: readonly string[]; runtimeClasses?: readonly string[] };
}

/** So many existing pods are looked at when a namespace becomes stricter. upstream: defaultNamespaceMaxPodsToCheck. */
const podsToCheck = 3000;

const ignored = new Set(['exec', 'attach', 'binding', 'eviction', 'log', 'portforward', 'proxy', 'status', 'scale', 'token']);

type Template = { metadata?: KubeObject['metadata']; spec?: PodSpec };
const templates: Record<string, (object: KubeObject) => Template | undefined> = {
  '/replicationcontrollers': (object) => (object as Deployment).spec?.template,
  '/podtemplates': (object) => (object as { template?: Template }).template,
  'apps/replicasets': (object) => (object as Deployment).spec?.template,
  'apps/deployments': (object) => (object as Deployment).spec?.template,
  'apps/statefulsets': (object) => (object as Deployment).spec?.template,
  'apps/daemonsets': (object) => (object as Deployment).spec?.template,
  'batch/jobs': (object) => (object as Deployment).spec?.template,
  'batch/cronjobs': (object) => (object as CronJob).spec?.jobTemplate.spec?.template,
};

/** Pods keep the standard that their namespace's labels name. upstream: pod-security-admission. */
export const podSecurityWith =
  (options: PodSecurityOptions): AdmissionPluginFactory =>
  (dependencies) =>
    plugin(dependencies, options);

export const podSecurity: AdmissionPluginFactory = podSecurityWith({});

function plugin({ client, informers }: Parameters<AdmissionPluginFactory>[0], options: PodSecurityOptions): AdmissionPlugin {
  const defaults = options.defaults ?? openPolicy;
  const { namespaces: exemptNamespaces = [], users = [], runtimeClasses = [] } = options.exemptions ?? {};
  const known = informers.for(Namespace);
  const namespaceOf = (name: string): Namespace | Promise<Namespace> => known.get(name) ?? client.get(Namespace, { name });
  const exemptClass = ({ runtimeClassName }: PodSpec): boolean =>
    runtimeClassName !== undefined && runtimeClasses.includes(runtimeClassName);

  const evaluate = (attributes: AdmissionAttributes, policy: Policy, template: Template, enforce: boolean): void => {
    const spec = template.spec!;
    if (exemptClass(spec)) return attributes.annotate('pod-security.kubernetes.io/exempt', 'runtimeClass');
    const found = (level: LevelVersion) => violations(level, spec, template.metadata?.annotations);
    const audit = found(policy.audit);
    if (audit.length > 0)
      attributes.annotate(
        'pod-security.kubernetes.io/audit-violations',
        `would violate PodSecurity "${levelText(policy.audit)}": ${details(audit)}`,
      );
    if (enforce) {
      attributes.annotate('pod-security.kubernetes.io/enforce-policy', levelText(policy.enforce));
      const refused = found(policy.enforce);
      if (refused.length > 0) throw forbid(attributes, `violates PodSecurity "${levelText(policy.enforce)}": ${details(refused)}`);
    }
    const warned = found(policy.warn);
    if (warned.length > 0) attributes.warn(`would violate PodSecurity "${levelText(policy.warn)}": ${details(warned)}`);
  };

  const podsInNamespace = async (namespace: string, level: LevelVersion): Promise<string[]> => {
    const { items } = await client.list(Pod, { namespace });
    const pods = prioritized(items.filter(({ spec }) => spec && !exemptClass(spec)));
    const checked = pods.slice(0, podsToCheck);
    const byReason = new Map<string, string[]>();
    for (const pod of checked) {
      const reason = reasons(violations(level, pod.spec!, pod.metadata?.annotations));
      if (reason) byReason.set(reason, [...(byReason.get(reason) ?? []), pod.metadata?.name ?? '']);
    }
    const others = (count: number): string => (count === 0 ? '' : count === 1 ? ' (and 1 other pod)' : ` (and ${count} other pods)`);
    return [
      ...(checked.length < pods.length
        ? [`new PodSecurity enforce level only checked against the first ${checked.length} of ${pods.length} existing pods`]
        : []),
      ...(byReason.size > 0
        ? [`existing pods in namespace "${namespace}" violate the new PodSecurity enforce level "${levelText(level)}"`]
        : []),
      ...[...byReason].map(([reason, names]) => `${names.sort()[0]}${others(names.length - 1)}: ${reason}`).sort(),
    ];
  };

  const validateNamespace = async (attributes: AdmissionAttributes): Promise<void> => {
    const { object, oldObject, operation, name } = attributes;
    const { policy, errors } = policyOf(object!.metadata?.labels, defaults);
    const before = operation === 'UPDATE' ? policyOf(oldObject!.metadata?.labels, defaults) : undefined;
    if (errors.length > 0 && !(before && equal(before.errors, errors))) throw invalid({ group: '', kind: 'Namespace' }, name, errors);
    if (exemptNamespaces.includes(name) && (operation === 'CREATE' || !sameLevel(policy.enforce, before!.policy.enforce))) {
      const modes = (['enforce', 'audit', 'warn'] as const).filter((mode) => {
        const { labels } = object!.metadata ?? {};
        const said = labels?.[`${labelPrefix}${mode}`] !== undefined || labels?.[`${labelPrefix}${mode}-version`] !== undefined;
        return said && policy[mode].level !== 'privileged';
      });
      if (modes.length > 0 && !equal(policy, defaults))
        attributes.warn(
          `namespace "${name}" is exempt from Pod Security, and the policy (${modes.map((mode) => `${mode}=${levelText(policy[mode])}`).join(', ')}) will be ignored`,
        );
      return;
    }
    if (!before || sameLevel(policy.enforce, before.policy.enforce) || policy.enforce.level === 'privileged') return;
    if (policy.enforce.minor === before.policy.enforce.minor && strictness(policy.enforce) <= strictness(before.policy.enforce)) return;
    for (const warning of await podsInNamespace(name, policy.enforce)) attributes.warn(warning);
  };

  const validatePods = async (attributes: AdmissionAttributes, isPod: boolean): Promise<void> => {
    const { namespace, user, kind, object, oldObject, operation } = attributes;
    if (exemptNamespaces.includes(namespace)) return attributes.annotate('pod-security.kubernetes.io/exempt', 'namespace');
    if (users.includes(user.name)) return attributes.annotate('pod-security.kubernetes.io/exempt', 'user');
    let found: Namespace;
    try {
      found = await namespaceOf(namespace);
    } catch (error) {
      if (isPod) throw internalError(new Error(`failed to lookup namespace "${namespace}"`, { cause: error }));
      return attributes.annotate('pod-security.kubernetes.io/error', `failed to lookup namespace "${namespace}"`);
    }
    const { policy, errors } = policyOf(found.metadata?.labels, defaults);
    if (errors.length === 0 && isOpen(policy)) {
      if (isPod) attributes.annotate('pod-security.kubernetes.io/enforce-policy', levelText(privileged));
      return;
    }
    if (isPod) {
      if (operation === 'UPDATE' && !significant(object as Pod, oldObject as Pod)) return;
      return evaluate(attributes, policy, object as Pod, true);
    }
    const template = templates[`${kind.group}/${kind.resource}`]!(object!);
    if (template?.spec) evaluate(attributes, policy, template, false);
  };

  return {
    name: 'PodSecurity',
    handles({ operation, kind, subresource }) {
      if (operation !== 'CREATE' && operation !== 'UPDATE') return false;
      if (kind.group === '' && kind.resource === 'pods') return !ignored.has(subresource);
      if (subresource) return false;
      return (kind.group === '' && kind.resource === 'namespaces') || templates[`${kind.group}/${kind.resource}`] !== undefined;
    },
    validate(attributes) {
      const { kind } = attributes;
      if (kind.group === '' && kind.resource === 'namespaces') return validateNamespace(attributes);
      return validatePods(attributes, kind.group === '' && kind.resource === 'pods');
    },
  };
}

/** One pod a controller first: the others are like it. */
function prioritized(pods: readonly Pod[]): Pod[] {
  const seen = new Set<string>();
  const [first, rest]: [Pod[], Pod[]] = [[], []];
  for (const pod of pods) {
    const owner = controllerOf(pod)?.uid;
    if (owner !== undefined && seen.has(owner)) rest.push(pod);
    else first.push(pod);
    if (owner !== undefined) seen.add(owner);
  }
  return [...first, ...rest];
}

/** A change that could matter: of containers or their images. */
function significant(pod: Pod, old: Pod): boolean {
  const images = ({ spec }: Pod): unknown => [
    spec!.containers.length,
    spec!.initContainers?.length ?? 0,
    ...containersOf(spec!).map(({ name, image }) => `${name} ${image}`),
  ];
  return !equal(images(pod), images(old));
}
