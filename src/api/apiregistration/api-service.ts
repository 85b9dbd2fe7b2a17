/** upstream: kube-aggregator/pkg/registry/apiservice. */
import { APIService } from '../facts/kinds.ts';
import { defineKind } from '../contract.ts';
import { ageColumn, text } from '../columns.ts';
import { isDNS1035Label, isDNS1123Subdomain, isValidPathSegmentName, isValidPortNum } from '#machinery/names';
import { invalidField, invalidFor, required, unsupported } from '../checks.ts';
import type { Errors } from '../checks.ts';
import { keepSpec, keepStatus, timeOf } from '../strategy.ts';

function availability({ status }: APIService): string {
  const condition = status?.conditions?.find((each) => each.type === 'Available');
  if (!condition) return 'Unknown';
  return condition.status !== 'True' && condition.reason ? `${condition.status} (${condition.reason})` : condition.status;
}

const highestGroupPriority = 20_000;
const highestVersionPriority = 1000;

function validateAPIService({ metadata, spec }: APIService): Errors {
  const errors: Errors = [];
  const { group = '', version = '', groupPriorityMinimum = 0, versionPriority = 0, service, caBundle, insecureSkipTLSVerify } = spec ?? {};
  const name = metadata?.name ?? '';
  if (isValidPathSegmentName(name).length === 0 && name !== `${version}.${group}`)
    errors.push(invalidField('metadata.name', name, `must be \`spec.version+"."+spec.group\`: ${JSON.stringify(`${version}.${group}`)}`));
  if (!group && version !== 'v1') errors.push(required('spec.group', 'only v1 may have an empty group and it better be legacy kube'));
  if (group) invalidFor(errors, 'spec.group', group, isDNS1123Subdomain(group));
  invalidFor(errors, 'spec.version', version, isDNS1035Label(version));
  if (groupPriorityMinimum <= 0 || groupPriorityMinimum > highestGroupPriority)
    errors.push(invalidField('spec.groupPriorityMinimum', groupPriorityMinimum, 'must be positive and less than 20000'));
  if (versionPriority <= 0 || versionPriority > highestVersionPriority)
    errors.push(invalidField('spec.versionPriority', versionPriority, 'must be positive and less than 1000'));
  if (!service) {
    if (caBundle) {
      const size = Buffer.from(caBundle, 'base64').length;
      errors.push(invalidField('spec.caBundle', `${size} bytes`, 'local APIServices may not have a caBundle'));
    }
    if (insecureSkipTLSVerify)
      errors.push(invalidField('spec.insecureSkipTLSVerify', true, 'local APIServices may not have insecureSkipTLSVerify'));
    return errors;
  }
  if (!service.namespace) errors.push(required('spec.service.namespace'));
  if (!service.name) errors.push(required('spec.service.name'));
  const port = service.port ?? 0;
  const wrong = isValidPortNum(port);
  if (wrong.length) errors.push(invalidField('spec.service.port', port, `port is not valid: ${wrong.join(', ')}`));
  if (insecureSkipTLSVerify && caBundle)
    errors.push(invalidField('spec.insecureSkipTLSVerify', true, 'may not be true if caBundle is present'));
  return errors;
}

function validateStatus({ status }: APIService): Errors {
  const allowed = ['True', 'False', 'Unknown'];
  return (status?.conditions ?? []).flatMap(({ status: value }, index) =>
    allowed.includes(value) ? [] : [unsupported(`status.conditions[${index}].status`, value, allowed)],
  );
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
  // That the name is the version's and the group's needs the object: validate says it.
  validateName: (name) => isValidPathSegmentName(name),
  validate: validateAPIService,
  validateUpdate: validateAPIService,
  subresources: {
    status: {
      validateUpdate: validateStatus,
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
