import type { CertificateSigningRequest } from '#api';
import { CertificateSigningRequest as RequestKind, SubjectAccessReview as ReviewKind } from '#api';
import { timestamp } from '#machinery/clock';
import type { CertificateRequest } from '#machinery/pki';
import { parseCertificates, parseRequest, signRequest } from '#machinery/pki';
import { isNotFound } from '#machinery/status';
import type { Condition } from '../api-types.ts';
import { conditionOf, isTrue } from '../conditions.ts';
import type { ControllerContext, ControllerFactory } from '../contract.ts';
import { source } from '../contract.ts';

const minute = 60_000;
const hour = 60 * minute;
const year = 365 * 24 * hour;

export const signers = {
  kubeletServing: 'kubernetes.io/kubelet-serving',
  kubeletClient: 'kubernetes.io/kube-apiserver-client-kubelet',
  client: 'kubernetes.io/kube-apiserver-client',
  legacy: 'kubernetes.io/legacy-unknown',
} as const;

const textOf = (request: CertificateSigningRequest): string => Buffer.from(request.spec.request, 'base64').toString('utf8');
const conditionsOf = (request: CertificateSigningRequest): Condition[] => (request.status?.conditions ?? []) as Condition[];
const isApproved = (request: CertificateSigningRequest): boolean =>
  isTrue(conditionsOf(request), 'Approved') && !isTrue(conditionsOf(request), 'Denied');

const sameSet = (usages: readonly string[], wanted: readonly string[]): boolean =>
  new Set(usages).size === wanted.length && wanted.every((usage) => usages.includes(usage));
const matchesUsages = (usages: readonly string[], purpose: string): boolean =>
  sameSet(usages, ['digital signature', 'key encipherment', purpose]) || sameSet(usages, ['digital signature', purpose]);

/** Why a request is not for this signer; undefined when it is. upstream: pkg/apis/certificates/helpers.go, signer.go. */
export function refusal(signerName: string, request: CertificateRequest, usages: readonly string[]): string | undefined {
  if (signerName === signers.legacy) return undefined;
  if (signerName === signers.client) {
    const bad = usages.find((usage) => !['digital signature', 'key encipherment', 'client auth'].includes(usage));
    if (bad) return `invalid usage for client certificate: ${bad}`;
    return usages.includes('client auth') ? undefined : 'missing required usage for client certificate: client auth';
  }
  const { commonName, organizations } = request.subject;
  const serving = signerName === signers.kubeletServing;
  if (organizations.length !== 1 || organizations[0] !== 'system:nodes') return 'subject organization is not system:nodes';
  if (serving && request.dnsNames.length === 0 && request.ips.length === 0) return 'DNS or IP subjectAltName is required';
  if (!serving && request.dnsNames.length > 0) return 'DNS subjectAltNames are not allowed';
  if (request.emails.length > 0) return 'Email subjectAltNames are not allowed';
  if (!serving && request.ips.length > 0) return 'IP subjectAltNames are not allowed';
  if (request.uris.length > 0) return 'URI subjectAltNames are not allowed';
  const purpose = serving ? 'server auth' : 'client auth';
  if (!matchesUsages(usages, purpose)) return `usages did not match [digital signature key encipherment ${purpose}]`;
  return commonName.startsWith('system:node:') ? undefined : 'subject common name does not begin with system:node:';
}

const asks = source(RequestKind, { when: (_request, _old, event) => event !== 'deleted' });

/** Approves requests of kubelets for their client certificate, where their user may ask for it. upstream: pkg/controller/certificates/approver. */
export const certificateApprovingController: ControllerFactory = () => ({
  name: 'certificatesigningrequest-approving-controller',
  serviceAccount: 'certificate-controller',
  watches: [asks],
  async reconcile(context, key) {
    const request = context.lister(RequestKind).get(key);
    if (!request || request.status?.certificate || request.spec.signerName !== signers.kubeletClient) return;
    if (conditionOf(conditionsOf(request), 'Approved') || conditionOf(conditionsOf(request), 'Denied')) return;
    const parsed = parseRequest(textOf(request));
    if (refusal(signers.kubeletClient, parsed, request.spec.usages ?? []) !== undefined) return;
    const own = request.spec.username === parsed.subject.commonName;
    for (const [subresource, message] of [
      ...(own ? [['selfnodeclient', 'Auto approving self kubelet client certificate after SubjectAccessReview.'] as const] : []),
      ['nodeclient', 'Auto approving kubelet client certificate after SubjectAccessReview.'] as const,
    ]) {
      if (!(await isAllowed(context, request, subresource))) continue;
      const now = timestamp(context.clock);
      const approval = { type: 'Approved', status: 'True', reason: 'AutoApproved', message, lastUpdateTime: now, lastTransitionTime: now };
      const conditions = [...conditionsOf(request), approval] as never;
      await context.client.update(RequestKind, { ...request, status: { ...request.status, conditions } }, { subresource: 'approval' });
      return;
    }
    context.log.debug('A request is for a kubelet, but its user may not ask for it', { request: key });
  },
});

async function isAllowed(context: ControllerContext, request: CertificateSigningRequest, subresource: string): Promise<boolean> {
  const { username, uid, groups, extra } = request.spec;
  const review = await context.client.create(ReviewKind, {
    spec: {
      ...(username && { user: username }),
      ...(uid && { uid }),
      ...(groups && { groups }),
      ...(extra && { extra }),
      resourceAttributes: {
        group: 'certificates.k8s.io',
        resource: 'certificatesigningrequests',
        verb: 'create',
        subresource,
        version: '*',
      },
    },
  });
  return review.status?.allowed === true;
}

/** Signs approved requests with the cluster's CA. upstream: pkg/controller/certificates/signer. */
export const certificateSigningController: ControllerFactory = () => ({
  name: 'certificatesigningrequest-signing-controller',
  serviceAccount: 'certificate-controller',
  watches: [asks],
  async reconcile(context, key) {
    const { signer, signingDuration = year } = context.options;
    const request = context.lister(RequestKind).get(key);
    if (!signer || !request || request.status?.certificate || !isApproved(request)) return;
    if (isTrue(conditionsOf(request), 'Failed') || !(Object.values(signers) as string[]).includes(request.spec.signerName)) return;
    const parsed = parseRequest(textOf(request));
    const why = refusal(request.spec.signerName, parsed, request.spec.usages ?? []);
    if (why !== undefined) {
      const now = timestamp(context.clock);
      const failed = {
        type: 'Failed',
        status: 'True',
        reason: 'SignerValidationFailure',
        message: why,
        lastUpdateTime: now,
        lastTransitionTime: now,
      };
      const conditions = [...conditionsOf(request), failed] as never;
      await context.client.updateStatus(RequestKind, { ...request, status: { ...request.status, conditions } });
      return;
    }
    const asked = request.spec.expirationSeconds;
    const duration = asked === undefined ? signingDuration : Math.min(signingDuration, Math.max(asked * 1000, 10 * minute));
    const now = context.clock.now();
    // Clocks differ: a certificate begins a little earlier, and a long one ends as much earlier.
    const notAfter = now + duration - (duration < 8 * hour ? 0 : 5 * minute);
    const ca = parseCertificates(signer.certificate)[0]!;
    const certificate = signRequest(parsed, {
      ca: signer,
      clock: context.clock,
      usages: request.spec.usages ?? [],
      notBefore: now - 5 * minute,
      notAfter: Math.min(notAfter, ca.notAfter),
    });
    await context.client.updateStatus(RequestKind, {
      ...request,
      status: { ...request.status, certificate: Buffer.from(certificate).toString('base64') },
    });
  },
});

/** Milliseconds after which a request is thrown away, by what became of it. */
const keepFor = { settled: hour, waiting: 24 * hour };

/** When a certificate ends; never, where another's signer wrote what is none. */
function expiryOf(certificate: string): number {
  try {
    return parseCertificates(Buffer.from(certificate, 'base64').toString('utf8'))[0]?.notAfter ?? Infinity;
  } catch {
    return Infinity;
  }
}

/** When a request is thrown away, in milliseconds since 1970. */
function endOf(request: CertificateSigningRequest): number {
  const conditions = conditionsOf(request);
  const created = Date.parse(request.metadata!.creationTimestamp!);
  const at = (type: string): number => {
    const condition = conditionOf(conditions, type);
    return condition ? Date.parse(condition.lastUpdateTime ?? request.metadata!.creationTimestamp!) : Infinity;
  };
  const issued = Boolean(request.status?.certificate);
  let end = conditions.length === 0 ? created + keepFor.waiting : Infinity;
  end = Math.min(end, at('Denied') + keepFor.settled, at('Failed') + keepFor.settled);
  end = Math.min(end, at('Approved') + (issued ? keepFor.settled : keepFor.waiting));
  if (issued && Number.isFinite(at('Approved'))) end = Math.min(end, expiryOf(request.status!.certificate!));
  return end;
}

/** Throws away requests that are settled or that nobody answered. upstream: pkg/controller/certificates/cleaner. */
export const certificateCleanerController: ControllerFactory = () => ({
  name: 'certificatesigningrequest-cleaner-controller',
  serviceAccount: 'certificate-controller',
  watches: [asks],
  async reconcile(context, key) {
    const request = context.lister(RequestKind).get(key);
    if (!request) return;
    const left = endOf(request) - context.clock.now();
    if (left >= 0) return Number.isFinite(left) ? { requeueAfter: left + 1 } : undefined;
    await context.client.delete(RequestKind, { name: key }).catch((error: unknown) => {
      if (!isNotFound(error)) throw error;
    });
  },
});
