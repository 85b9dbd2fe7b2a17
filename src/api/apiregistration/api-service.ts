/** upstream: kube-aggregator/pkg/registry/apiservice. */
import { APIService } from '../facts/kinds.ts';
import { defineKind } from '../contract.ts';
import { ageColumn, text } from '../columns.ts';
import { keepSpec, keepStatus, timeOf } from '../strategy.ts';

function availability({ status }: APIService): string {
  const condition = status?.conditions?.find((each) => each.type === 'Available');
  if (!condition) return 'Unknown';
  return condition.status !== 'True' && condition.reason ? `${condition.status} (${condition.reason})` : condition.status;
}

export const apiServiceRules = defineKind<APIService>({
  kind: APIService,
  applyDefaults: ({ spec }) => {
    if (spec?.service) spec.service.port ??= 443;
  },
  prepareForCreate: (service, context) => {
    service.status = {};
    if (service.spec?.service) return;
    service.status.conditions = [
      {
        type: 'Available',
        status: 'True',
        reason: 'Local',
        message: 'Local APIServices are always available',
        lastTransitionTime: timeOf(context.now),
      },
    ];
  },
  prepareForUpdate: keepStatus,
  subresources: {
    status: {
      prepareForUpdate: (service, old) => {
        keepSpec(service, old);
        const metadata = (service.metadata ??= {}) as Record<string, unknown>;
        for (const field of ['labels', 'annotations', 'finalizers', 'ownerReferences'] as const) {
          if (old.metadata?.[field]) metadata[field] = old.metadata[field];
          else delete metadata[field];
        }
      },
    },
  },
  generation: false,
  allowUnconditionalUpdate: false,
  columns: [
    text('Service', ({ spec }) => (spec?.service ? `${spec.service.namespace ?? ''}/${spec.service.name ?? ''}` : 'Local')),
    text('Available', availability),
    ageColumn,
  ],
});
