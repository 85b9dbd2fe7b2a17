/** upstream: pkg/registry/certificates/certificates/strategy.go. */
import { CertificateSigningRequest } from '../facts/kinds.ts';
import type { CertificateSigningRequestCondition } from '../facts/types.ts';
import { defineKind } from '../contract.ts';
import type { StrategyContext } from '../contract.ts';
import { ageColumn, humanDuration, text } from '../columns.ts';
import { keepSpec, keepStatus, timeOf } from '../strategy.ts';
import { validateApproval, validateRequest, validateRequestStatus, validateRequestUpdate } from './validation.ts';

/** Who asks is what the server saw, never what the request says. */
function stampRequester(request: CertificateSigningRequest, { user }: StrategyContext): void {
  const { spec } = request;
  if (!spec) return;
  spec.username = user.name;
  if (user.uid) spec.uid = user.uid;
  else delete spec.uid;
  spec.groups = [...user.groups];
  if (user.extra && Object.keys(user.extra).length > 0) spec.extra = { ...user.extra };
  else delete spec.extra;
}

/** Approval and denial change through their own subresource alone. Changes `conditions`. */
function keepConditions(conditions: CertificateSigningRequestCondition[], old: CertificateSigningRequestCondition[], type: string): void {
  const before = old.filter((condition) => condition.type === type);
  if (conditions.filter((condition) => condition.type === type).length !== before.length) return;
  let taken = 0;
  for (const [index, condition] of conditions.entries()) if (condition.type === type) conditions[index] = { ...before[taken++]! };
}

function stampConditions(request: CertificateSigningRequest, old: CertificateSigningRequest, now: number): void {
  for (const condition of request.status?.conditions ?? []) {
    condition.lastUpdateTime ||= timeOf(now);
    if (condition.lastTransitionTime) continue;
    const before = old.status?.conditions?.find(
      (each) => each.type === condition.type && each.status === condition.status && each.lastTransitionTime,
    );
    condition.lastTransitionTime = before?.lastTransitionTime ?? timeOf(now);
  }
}

function condition({ status }: CertificateSigningRequest): string {
  const types = new Set(status?.conditions?.map((each) => each.type));
  const word = types.has('Denied') ? 'Denied' : types.has('Approved') ? 'Approved' : 'Pending';
  return `${word}${types.has('Failed') ? ',Failed' : ''}${status?.certificate ? ',Issued' : ''}`;
}

export const certificateSigningRequestRules = defineKind<CertificateSigningRequest>({
  kind: CertificateSigningRequest,
  resetFields: ['spec', 'status'],
  statusResetFields: ['spec', 'status.conditions'],
  prepareForCreate: (request, context) => {
    stampRequester(request, context);
    request.status = {};
  },
  prepareForUpdate: (request, old) => {
    keepSpec(request, old);
    keepStatus(request, old);
  },
  validate: (request) => validateRequest(request),
  validateUpdate: validateRequestUpdate,
  validateName: () => [],
  subresources: {
    status: {
      validateUpdate: validateRequestStatus,
      prepareForUpdate: (request, old, context) => {
        keepSpec(request, old);
        const conditions = request.status?.conditions ?? [];
        for (const type of ['Approved', 'Denied']) keepConditions(conditions, old.status?.conditions ?? [], type);
        stampConditions(request, old, context.now);
      },
    },
    approval: {
      validateUpdate: validateApproval,
      prepareForUpdate: (request, old, context) => {
        stampConditions(request, old, context.now);
        const conditions = request.status?.conditions;
        keepSpec(request, old);
        request.status = { ...old.status };
        if (conditions) request.status.conditions = conditions;
        else delete request.status.conditions;
      },
    },
  },
  generation: false,
  columns: [
    ageColumn,
    text('SignerName', (request) => request.spec?.signerName || '<none>'),
    text('Requestor', (request) => request.spec?.username ?? ''),
    text('RequestedDuration', ({ spec }) => (spec?.expirationSeconds == null ? '<none>' : humanDuration(spec.expirationSeconds * 1000))),
    text('Condition', condition),
  ],
  selectableFields: { 'spec.signerName': (request) => request.spec?.signerName ?? '' },
});
