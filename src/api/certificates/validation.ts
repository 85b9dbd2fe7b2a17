/** upstream: pkg/apis/certificates/validation. */
import { decodePem, parseCertificate, parseRequest } from '#machinery/pki';
import { duplicate, forbiddenField, invalidField, required, unsupported } from '../checks.ts';
import type { Errors } from '../checks.ts';
import { checkSignerName } from '../core/validation/signer-name.ts';
import type { CertificateSigningRequest } from '../facts/kinds.ts';
import type { CertificateSigningRequestCondition } from '../facts/types.ts';
import { difference, same } from '../same.ts';

const legacySigner = 'kubernetes.io/legacy-unknown';
const shortestLife = 600;
const usages = [
  'any',
  'cert sign',
  'client auth',
  'code signing',
  'content commitment',
  'crl sign',
  'data encipherment',
  'decipher only',
  'digital signature',
  'email protection',
  'encipher only',
  'ipsec end system',
  'ipsec tunnel',
  'ipsec user',
  'key agreement',
  'key encipherment',
  'microsoft sgc',
  'netscape sgc',
  'ocsp signing',
  's/mime',
  'server auth',
  'signing',
  'timestamping',
];
/** Conditions that can only be true. */
const verdicts = ['Approved', 'Denied', 'Failed'];
const exclusive = 'Approved and Denied conditions are mutually exclusive';

type Condition = Partial<CertificateSigningRequestCondition>;

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
const textOf = (base64: string | undefined): string => Buffer.from(base64 ?? '', 'base64').toString('latin1');

function requestError(base64: string | undefined): string | undefined {
  try {
    parseRequest(textOf(base64));
    return undefined;
  } catch (error) {
    return messageOf(error);
  }
}

/** The certificate's problem; none where there is no certificate. */
function certificateError(base64: string | undefined): string | undefined {
  if (!base64) return undefined;
  const text = textOf(base64);
  const blocks = decodePem(text);
  if (blocks.length === 0) return 'must contain at least one CERTIFICATE PEM block';
  for (const { label, der } of blocks) {
    if (label !== 'CERTIFICATE') return `only CERTIFICATE PEM blocks are allowed, found ${JSON.stringify(label)}`;
    if (der.length === 0) return 'found CERTIFICATE PEM block containing 0 certificates';
    try {
      parseCertificate(der);
    } catch (error) {
      return messageOf(error);
    }
  }
  return /-----BEGIN CERTIFICATE-----\r?\n[^-]*:/.test(text) ? 'no PEM block headers are permitted' : undefined;
}

const hasDuplicates = (list: readonly unknown[]): boolean => new Set(list).size < list.length;
const ofType = (request: CertificateSigningRequest, type: string): CertificateSigningRequestCondition[] =>
  (request.status?.conditions ?? []).filter((condition) => condition.type === type);

function checkConditions(errors: Errors, conditions: readonly Condition[], old: readonly Condition[]): void {
  const path = 'status.conditions';
  const before = old.map(({ type = '' }) => type);
  const mayHaveBoth = before.includes('Approved') && before.includes('Denied');
  const mayRepeat = hasDuplicates(before);
  const seen = new Set<string>();
  for (const [index, { type = '', status = '' }] of conditions.entries()) {
    const at = `${path}[${index}]`;
    if (!type && !before.includes('')) errors.push(required(`${at}.type`));
    const allowed = verdicts.includes(type) ? ['True'] : ['False', 'True', 'Unknown'];
    if (!status) errors.push(required(`${at}.status`));
    else if (!allowed.includes(status)) errors.push(unsupported(`${at}.status`, status, allowed));
    if (!mayHaveBoth && ((type === 'Approved' && seen.has('Denied')) || (type === 'Denied' && seen.has('Approved'))))
      errors.push(invalidField(path, type, exclusive));
    if (!mayRepeat && seen.has(type)) errors.push(duplicate(`${at}.type`, type));
    seen.add(type);
  }
}

function checkUsages(errors: Errors, list: readonly string[], old: readonly string[]): void {
  if (list.length === 0) errors.push(required('spec.usages'));
  if (old.every((usage) => usages.includes(usage)))
    for (const [index, usage] of list.entries())
      if (!usages.includes(usage)) errors.push(unsupported(`spec.usages[${index}]`, usage, usages));
  if (!hasDuplicates(old))
    for (const [index, usage] of list.entries()) if (list.indexOf(usage) < index) errors.push(duplicate(`spec.usages[${index}]`, usage));
}

/** What was stored before a rule existed may stay. */
export function validateRequest(request: CertificateSigningRequest, old?: CertificateSigningRequest): Errors {
  const errors: Errors = [];
  const {
    signerName = '',
    expirationSeconds,
    request: pem,
    usages: list = [],
  } = (request.spec ?? {}) as Partial<NonNullable<CertificateSigningRequest['spec']>>;
  const problem = requestError(pem);
  if (problem) errors.push(invalidField('spec.request', pem ?? null, problem));
  checkUsages(errors, list, old?.spec?.usages ?? []);
  if (signerName === legacySigner && old?.spec?.signerName !== legacySigner)
    errors.push(invalidField('spec.signerName', signerName, 'the legacy signerName is not allowed via this API version'));
  else checkSignerName(errors, 'spec.signerName', signerName);
  if (expirationSeconds !== undefined && expirationSeconds < shortestLife)
    errors.push(invalidField('spec.expirationSeconds', expirationSeconds, 'may not specify a duration less than 600 seconds (10 minutes)'));
  checkConditions(errors, request.status?.conditions ?? [], old?.status?.conditions ?? []);
  const certificate = request.status?.certificate ?? '';
  const before = old?.status?.certificate ?? '';
  if (!old || (certificate !== before && !certificateError(before))) {
    const wrong = certificateError(certificate);
    if (wrong) errors.push(invalidField('status.certificate', '<certificate data>', wrong));
  }
  return errors;
}

/** `part`: what this update may set. upstream: validateCertificateSigningRequestUpdate. */
function validateUpdate(request: CertificateSigningRequest, old: CertificateSigningRequest, part?: 'certificate' | 'approval'): Errors {
  const errors = validateRequest(request, old);
  for (const type of verdicts)
    if (ofType(request, type).length < ofType(old, type).length)
      errors.push(forbiddenField('status.conditions', `updates may not remove a condition of type ${JSON.stringify(type)}`));
  if (part !== 'approval')
    for (const type of ['Approved', 'Denied']) {
      const [conditions, before] = [ofType(request, type), ofType(old, type)];
      if (conditions.length > before.length)
        errors.push(forbiddenField('status.conditions', `updates may not add a condition of type ${JSON.stringify(type)}`));
      else if (conditions.length === before.length && !same(before, conditions))
        errors.push(
          forbiddenField(
            'status.conditions',
            `updates may not modify a condition of type ${JSON.stringify(type)}\n${difference(before, conditions)}`,
          ),
        );
    }
  const before = old.status?.certificate ?? '';
  if ((request.status?.certificate ?? '') === before) return errors;
  if (part !== 'certificate') errors.push(forbiddenField('status.certificate', 'updates may not set certificate content'));
  else if (before) errors.push(forbiddenField('status.certificate', 'updates may not modify existing certificate content'));
  return errors;
}

export const validateRequestUpdate = (request: CertificateSigningRequest, old: CertificateSigningRequest): Errors =>
  validateUpdate(request, old);
export const validateRequestStatus = (request: CertificateSigningRequest, old: CertificateSigningRequest): Errors =>
  validateUpdate(request, old, 'certificate');
export const validateApproval = (request: CertificateSigningRequest, old: CertificateSigningRequest): Errors =>
  validateUpdate(request, old, 'approval');
