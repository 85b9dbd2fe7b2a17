import { LimitRange } from '#api';
import type { PersistentVolumeClaim, Pod } from '#api';
import { compareQuantities, parseQuantity } from '#machinery/quantity';
import { podLimits, podRequests, usageList } from '#machinery/quota';
import type { ResourceList } from '#machinery/quota';
import type { AdmissionAttributes, AdmissionPluginFactory } from '../contract.ts';
import { forbid, isFor } from './attributes.ts';

type Limit = NonNullable<NonNullable<LimitRange['spec']>['limits']>[number];
type Container = NonNullable<Pod['spec']>['containers'][number];

const annotation = 'kubernetes.io/limit-ranger';

/** Gives containers the defaults of a limit range; answers what it did, for the annotation. */
function fillIn(container: Container, word: string, limits: readonly Limit[]): string[] {
  const said: string[] = [];
  const ofContainers = limits.filter(({ type }) => type === 'Container');
  for (const [field, source, text] of [
    ['requests', 'defaultRequest', 'request'],
    ['limits', 'default', 'limit'],
  ] as const) {
    const defaults: ResourceList = Object.assign({}, ...ofContainers.map((limit) => limit[source] ?? {}));
    const present = container.resources?.[field] ?? {};
    const missing = Object.keys(defaults)
      .filter((name) => present[name] === undefined)
      .sort();
    if (missing.length === 0) continue;
    const added = Object.fromEntries(missing.map((name) => [name, String(defaults[name])]));
    container.resources = { ...container.resources, [field]: { ...present, ...added } };
    said.push(`${missing.join(', ')} ${text} for ${word} ${container.name}`);
  }
  return said;
}

interface Amounts {
  requests: ResourceList;
  limits: ResourceList;
}

/** What of `amounts` breaks the limit; texts are upstream's. */
function breaches(limit: Limit, { requests, limits }: Amounts): string[] {
  const { type, min = {}, max = {}, maxLimitRequestRatio = {} } = limit;
  const errors: string[] = [];
  const add = (text: string | undefined | false): void => void (text && errors.push(text));
  const above = (a: string | number | undefined, b: string | number): boolean => a !== undefined && compareQuantities(a, b) > 0;
  for (const [name, enforced] of Object.entries(min)) {
    const text = `minimum ${name} usage per ${type} is ${enforced}`;
    const [request, most] = [requests[name], limits[name]];
    if (request === undefined) add(`${text}.  No request is specified`);
    else if (above(enforced, request)) add(`${text}, but request is ${request}`);
    else if (most !== undefined && above(enforced, most)) add(`${text}, but limit is ${most}`);
  }
  for (const [name, enforced] of Object.entries(max)) {
    const text = `maximum ${name} usage per ${type} is ${enforced}`;
    const [request, most] = [requests[name], limits[name]];
    if (type === 'PersistentVolumeClaim') {
      if (request === undefined) add(`${text}.  No request is specified`);
      else add(above(request, enforced) && `${text}, but request is ${request}`);
    } else if (most === undefined) add(`${text}.  No limit is specified`);
    else if (above(most, enforced)) add(`${text}, but limit is ${most}`);
    else add(above(request, enforced) && `${text}, but request is ${request}`);
  }
  for (const [name, enforced] of Object.entries(maxLimitRequestRatio)) {
    const text = `${name} max limit to request ratio per ${type} is ${enforced}`;
    const [request, most] = [parseQuantity(requests[name] ?? '0'), parseQuantity(limits[name] ?? '0')];
    if (request.sign() === 0) add(`${text}, but no request is specified or request is 0`);
    else if (most.sign() === 0) add(`${text}, but no limit is specified or limit is 0`);
    else {
      const ratio = Number(most.nanos) / Number(request.nanos);
      add(ratio > Number(parseQuantity(enforced).nanos) / 1e9 && `${text}, but provided ratio is ${ratio.toFixed(6)}`);
    }
  }
  return errors;
}

const amountsOf = ({ resources }: Container): Amounts => ({ requests: resources?.requests ?? {}, limits: resources?.limits ?? {} });

function podBreaches(pod: Pod, limits: readonly Limit[]): string[] {
  const containers = [...(pod.spec?.containers ?? []), ...(pod.spec?.initContainers ?? [])];
  return limits.flatMap((limit) => {
    if (limit.type === 'Container') return containers.flatMap((container) => breaches(limit, amountsOf(container)));
    if (limit.type !== 'Pod') return [];
    const options = { withoutOverhead: true };
    return breaches(limit, { requests: usageList(podRequests(pod, options)), limits: usageList(podLimits(pod, options)) });
  });
}

/** A namespace's limits for single pods, containers and claims. upstream: plugin/pkg/admission/limitranger. */
export const limitRanger: AdmissionPluginFactory = ({ client, informers }) => {
  const ranges = informers.for(LimitRange);
  const rangesOf = async (namespace: string): Promise<LimitRange[]> =>
    ranges.hasSynced ? ranges.list(namespace) : (await client.list(LimitRange, { namespace })).items;
  /** Until they say otherwise, the limits of one object. */
  const limitsOf = ({ spec }: LimitRange): readonly Limit[] => spec?.limits ?? [];
  return {
    name: 'LimitRanger',
    handles(attributes: AdmissionAttributes) {
      const { operation, oldObject } = attributes;
      if (oldObject?.metadata?.deletionTimestamp) return false;
      if (operation === 'UPDATE') return isFor(attributes, '', 'pods', 'resize') || isFor(attributes, '', 'persistentvolumeclaims');
      return operation === 'CREATE' && (isFor(attributes, '', 'pods') || isFor(attributes, '', 'persistentvolumeclaims'));
    },
    async admit(attributes) {
      if (attributes.kind.resource !== 'pods') return;
      const pod = attributes.object as Pod;
      for (const range of await rangesOf(attributes.namespace)) {
        const said = [
          ...(pod.spec?.containers ?? []).flatMap((container) => fillIn(container, 'container', limitsOf(range))),
          ...(pod.spec?.initContainers ?? []).flatMap((container) => fillIn(container, 'init container', limitsOf(range))),
        ];
        if (said.length > 0)
          (pod.metadata ??= {}).annotations = { ...pod.metadata.annotations, [annotation]: `LimitRanger plugin set: ${said.join('; ')}` };
      }
    },
    async validate(attributes) {
      const { object, kind, namespace } = attributes;
      for (const range of await rangesOf(namespace)) {
        const limits = limitsOf(range);
        const errors =
          kind.resource === 'pods'
            ? podBreaches(object as Pod, limits)
            : limits
                .filter(({ type }) => type === 'PersistentVolumeClaim')
                .flatMap((limit) =>
                  breaches(limit, { requests: (object as PersistentVolumeClaim).spec?.resources?.requests ?? {}, limits: {} }),
                );
        const texts = [...new Set(errors)];
        if (texts.length > 0) throw forbid(attributes, texts.length === 1 ? texts[0]! : `[${texts.join(', ')}]`);
      }
    },
  };
};
