/** The pods that belong together with a pod because of its Services and its owner: the default for spreading. upstream: plugins/helper/spread.go. */
import { ReplicaSet, ReplicationController, Service, StatefulSet } from '#api';
import type { LabelSelector, Pod } from '#api';
import type { Informers } from '#client';
import { controllerOf, equal } from '#machinery/meta';
import type { KubeObject } from '#machinery/meta';
import { bothSelectors, labelSelector, labelSet } from '../selector.ts';
import type { Selector } from '../selector.ts';

const none: Selector = labelSelector({});

interface Selecting extends KubeObject {
  spec?: { selector?: unknown };
}

/** Answers a selector that is `empty` for a pod that belongs to nothing. Answers are kept until some selector changes. */
export function defaultSelectors(informers: Informers): (pod: Pod) => Selector {
  const services = informers.for(Service);
  const controllers = informers.for(ReplicationController);
  const replicaSets = informers.for(ReplicaSet);
  const statefulSets = informers.for(StatefulSet);
  const known = new Map<string, Selector>();
  const handler = {
    added: () => known.clear(),
    deleted: () => known.clear(),
    updated: (now: Selecting, old: Selecting) => {
      if (!equal(now.spec?.selector, old.spec?.selector)) known.clear();
    },
  };
  services.on(handler);
  controllers.on(handler);
  replicaSets.on(handler);
  statefulSets.on(handler);

  function work(pod: Pod): Selector {
    const namespace = pod.metadata?.namespace ?? '';
    const labels: Record<string, string> = {};
    for (const service of services.list(namespace)) {
      const selector = service.spec?.selector;
      if (selector && labelSet(selector).matches(pod.metadata?.labels)) Object.assign(labels, selector);
    }
    const owner = controllerOf(pod);
    const key = `${namespace}/${owner?.name}`;
    let ofOwner: LabelSelector | undefined;
    if (owner?.kind === 'ReplicationController' && owner.apiVersion === 'v1') Object.assign(labels, controllers.get(key)?.spec?.selector);
    else if (owner?.kind === 'ReplicaSet' && owner.apiVersion === 'apps/v1') ofOwner = replicaSets.get(key)?.spec?.selector;
    else if (owner?.kind === 'StatefulSet' && owner.apiVersion === 'apps/v1') ofOwner = statefulSets.get(key)?.spec?.selector;
    return bothSelectors(labelSet(labels), ofOwner ? labelSelector(ofOwner) : none);
  }

  return (pod) => {
    const key = JSON.stringify([pod.metadata?.namespace, pod.metadata?.labels, controllerOf(pod)?.uid]);
    let selector = known.get(key);
    if (!selector) {
      if (known.size > 1000) known.clear();
      known.set(key, (selector = work(pod)));
    }
    return selector;
  };
}
