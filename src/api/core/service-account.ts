/** upstream: pkg/registry/core/serviceaccount/strategy.go. */
import { ServiceAccount } from '../facts/kinds.ts';
import { defineKind } from '../contract.ts';

/** A reference to a Secret is its name and nothing else. */
function cleanSecretReferences(account: ServiceAccount): void {
  if (account.secrets) account.secrets = account.secrets.map(({ name }) => (name ? { name } : {}));
}

const enforceMountableSecrets = 'kubernetes.io/enforce-mountable-secrets';

export const serviceAccountRules = defineKind<ServiceAccount>({
  kind: ServiceAccount,
  prepareForCreate: cleanSecretReferences,
  prepareForUpdate: cleanSecretReferences,
  warnings: (account, old) =>
    account.metadata?.annotations?.[enforceMountableSecrets] !== undefined &&
    old?.metadata?.annotations?.[enforceMountableSecrets] === undefined
      ? [
          `metadata.annotations[${enforceMountableSecrets}]: deprecated in v1.32+; prefer separate namespaces to isolate access to mounted secrets`,
        ]
      : [],
});
