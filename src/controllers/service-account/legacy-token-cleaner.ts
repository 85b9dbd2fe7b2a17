import type { Pod, Secret } from '#api';
import { ConfigMap as ConfigMapKind, Pod as PodKind, Secret as SecretKind, ServiceAccount as ServiceAccountKind } from '#api';
import { isConflict, isNotFound } from '#machinery/status';
import type { ControllerContext, ControllerFactory } from '../contract.ts';
import { source } from '../contract.ts';
import { nameAnnotation, tokenType, uidAnnotation } from './tokens.ts';

const lastUsedLabel = 'kubernetes.io/legacy-token-last-used';
const invalidSinceLabel = 'kubernetes.io/legacy-token-invalid-since';
const day = 24 * 60 * 60_000;
/** A token that nobody used for a year is marked, and after another year deleted. */
const patience = 365 * day;
const key = 'tokens';

const dateOf = (time: number): string => new Date(time).toISOString().slice(0, 10);
const isDate = (text: string | undefined): text is string => text !== undefined && /^\d{4}-\d\d-\d\d$/.test(text);
const mounted = (pod: Pod): string[] => (pod.spec?.volumes ?? []).flatMap(({ secret }) => (secret?.secretName ? [secret.secretName] : []));

/** Whether a token was made by a controller of old for its account (which lists it), and lies about unused. */
function isIdle(context: ControllerContext, secret: Secret, now: number): boolean {
  const { namespace, name, annotations, labels, creationTimestamp, deletionTimestamp } = secret.metadata!;
  if (secret.type !== tokenType || deletionTimestamp || Date.parse(creationTimestamp!) >= now - patience) return false;
  const used = labels?.[lastUsedLabel];
  if (used !== undefined && (!isDate(used) || used >= dateOf(now - patience))) return false;
  const account = context.lister(ServiceAccountKind).get(`${namespace}/${annotations?.[nameAnnotation] ?? ''}`);
  if (!account || (annotations?.[uidAnnotation] && annotations[uidAnnotation] !== account.metadata!.uid)) return false;
  if (!account.secrets?.some((each) => each.name === name)) return false;
  return !context
    .lister(PodKind)
    .list(namespace)
    .some((pod) => mounted(pod).includes(name!));
}

/** Marks and later deletes tokens of old that nobody uses. upstream: pkg/controller/serviceaccount/legacy_serviceaccount_token_cleaner.go. */
export const legacyTokenCleanerController: ControllerFactory = () => ({
  name: 'legacy-serviceaccount-token-cleaner-controller',
  serviceAccount: 'legacy-service-account-token-cleaner',
  workers: 1,
  watches: [
    source(ServiceAccountKind, { keys: () => [], when: () => false }),
    source(PodKind, { keys: () => [], when: () => false }),
    source(SecretKind, { keys: () => [key], when: (secret, _old, event) => event === 'added' && secret.type === tokenType }),
  ],
  async reconcile(context) {
    const now = context.clock.now();
    const again = { requeueAfter: day };
    // Use is noted only from when tracking began; before that nothing is known.
    let tracked: string | undefined;
    try {
      const map = await context.client.get(ConfigMapKind, {
        namespace: 'kube-system',
        name: 'kube-apiserver-legacy-service-account-token-tracking',
      });
      tracked = map.data?.['since'];
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
    if (!isDate(tracked) || now < Date.parse(tracked) + day + patience) return again;
    for (const secret of context.lister(SecretKind).list()) {
      if (!isIdle(context, secret, now)) continue;
      const { namespace, name, uid, resourceVersion, labels } = secret.metadata!;
      const ref = { namespace: namespace!, name: name! };
      const since = labels?.[invalidSinceLabel];
      try {
        if (!isDate(since))
          await context.client.patch(SecretKind, ref, 'merge', { metadata: { uid, labels: { [invalidSinceLabel]: dateOf(now) } } });
        else if (since < dateOf(now - patience))
          await context.client.delete(SecretKind, ref, { preconditions: { resourceVersion: resourceVersion! } });
      } catch (error) {
        if (!isNotFound(error) && !isConflict(error)) throw error;
      }
    }
    return again;
  },
});
