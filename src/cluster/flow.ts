/** Feeds the flow tracker from the control plane's own parts, and serves what it knows at /coxswain/flow. */
import { EndpointSlice, Event, Pod } from '#api';
import type { AdmissionPluginFactory, ApiServerOptions } from '#apiserver';
import type { Informers } from '#client';
import { flowTracker } from '#flow';
import type { FlowTracker } from '#flow';
import type { Clock } from '#machinery/clock';
import type { SchedulingDecision } from '#scheduler';

export const flowPath = '/coxswain/flow';

export interface ClusterFlow {
  tracker: FlowTracker;
  /** Last in the chain: what it sees has passed everything else. */
  admission: AdmissionPluginFactory;
  extension: NonNullable<ApiServerOptions['extensions']>[number];
  decided(decision: SchedulingDecision): void;
  follow(informers: Informers): Disposable;
}

export function clusterFlow(clock: Clock): ClusterFlow {
  const tracker = flowTracker(clock);
  return {
    tracker,
    admission: ({ authorizer }) => ({
      name: 'Flow',
      handles: ({ operation, kind, subresource }) =>
        operation === 'CREATE' && kind.resource === 'pods' && kind.group === '' && subresource === '',
      async validate({ object, user, namespace, dryRun }) {
        if (dryRun) return;
        const info = {
          isResourceRequest: true,
          path: '',
          verb: 'create',
          group: '',
          version: 'v1',
          resource: 'pods',
          subresource: '',
          namespace,
          name: '',
        };
        const { reason } = await authorizer({ user, info });
        tracker.admitted(object as Pod, user.name, reason);
      },
    }),
    extension: ({ paths }) =>
      paths.add(flowPath, ({ exchange, query, headers }) =>
        exchange.end(
          200,
          { ...headers, 'content-type': 'application/json' },
          JSON.stringify({ records: tracker.records(query.get('namespace') ?? '') }),
        ),
      ),
    decided({ pod, nodeName, scores, feasibleNodes, evaluatedNodes, tookMilliseconds }) {
      if (nodeName === undefined) return;
      const best = scores.map(({ plugin, score }) => `${plugin} ${score}`).join(', ');
      tracker.decided(
        pod.metadata?.uid ?? '',
        `to ${nodeName}: ${feasibleNodes} of ${evaluatedNodes} nodes fit${best ? `; scores ${best}` : ''}; cycle ${tookMilliseconds.toFixed(1)} ms`,
      );
    },
    follow(informers) {
      const subscriptions = [
        informers
          .for(Pod)
          .on({ added: (pod) => tracker.seen(pod), updated: (pod) => tracker.seen(pod), deleted: (pod) => tracker.removed(pod) }),
        informers
          .for(Event, { fieldSelector: 'involvedObject.kind=Pod' })
          .on({ added: (event) => tracker.event(event), updated: (event) => tracker.event(event) }),
        informers.for(EndpointSlice).on({ added: (slice) => tracker.endpoints(slice), updated: (slice) => tracker.endpoints(slice) }),
      ];
      return { [Symbol.dispose]: () => subscriptions.forEach((subscription) => subscription[Symbol.dispose]()) };
    },
  };
}
