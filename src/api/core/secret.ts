/** upstream: pkg/registry/core/secret/strategy.go. */
import { Secret } from '../facts/kinds.ts';
import { defineKind } from '../contract.ts';
import { ageColumn, text } from '../columns.ts';
import { keyPairError } from './key-pair.ts';
import { validateSecret, validateSecretUpdate } from './secret-validation.ts';

function applyDefaults(secret: Secret): void {
  if (!secret.type) secret.type = 'Opaque';
  if (!secret.stringData) return;
  // Written only: what it holds goes into data, over what is there. upstream: Convert_v1_Secret_To_core_Secret.
  for (const [key, value] of Object.entries(secret.stringData)) (secret.data ??= {})[key] = Buffer.from(value).toString('base64');
  delete secret.stringData;
}

export const secretRules = defineKind<Secret>({
  kind: Secret,
  applyDefaults,
  validate: validateSecret,
  validateUpdate: validateSecretUpdate,
  warnings: ({ type, data }) => {
    if (type !== 'kubernetes.io/tls') return [];
    const problem = keyPairError(data?.['tls.crt'], data?.['tls.key']);
    return problem ? [problem] : [];
  },
  columns: [text('Type', (secret) => secret.type ?? ''), text('Data', (secret) => Object.keys(secret.data ?? {}).length), ageColumn],
  selectableFields: { type: (secret) => secret.type ?? '' },
});
