import type { Secret, ServiceAccount } from '#api';
import { Secret as SecretKind, ServiceAccount as ServiceAccountKind } from '#api';
import { retryOnConflict } from '#client';
import type { SigningKey } from '#machinery/pki';
import { loadSigningKey } from '#machinery/pki';
import { isConflict, isNotFound } from '#machinery/status';
import type { ControllerContext, ControllerFactory } from '../contract.ts';
import { source } from '../contract.ts';

export const tokenType = 'kubernetes.io/service-account-token';
export const nameAnnotation = 'kubernetes.io/service-account.name';
export const uidAnnotation = 'kubernetes.io/service-account.uid';

const base64 = (text: string): string => Buffer.from(text).toString('base64');
const json64 = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
const isToken = (secret: Secret): boolean => secret.type === tokenType;
const accountKey = (secret: Secret): string => `${secret.metadata!.namespace}/${secret.metadata!.annotations?.[nameAnnotation] ?? ''}`;

/** A token without an end, as old clients read it from a secret. upstream: pkg/serviceaccount/legacy.go. */
export function legacyToken(key: SigningKey, account: ServiceAccount, secretName: string): string {
  const { name, namespace, uid } = account.metadata!;
  const body = `${json64({ alg: key.algorithm, kid: key.id })}.${json64({
    iss: 'kubernetes/serviceaccount',
    'kubernetes.io/serviceaccount/namespace': namespace,
    'kubernetes.io/serviceaccount/secret.name': secretName,
    'kubernetes.io/serviceaccount/service-account.name': name,
    'kubernetes.io/serviceaccount/service-account.uid': uid,
    sub: `system:serviceaccount:${namespace}:${name}`,
  })}`;
  return `${body}.${key.sign(Buffer.from(body)).toString('base64url')}`;
}

/** Fills the secrets in which people ask for a token, and deletes those whose account is gone. upstream: pkg/controller/serviceaccount/tokens_controller.go. */
export const serviceAccountTokenController: ControllerFactory = () => {
  let signer: SigningKey | undefined;

  /** The account a secret names; read from the server where the cache may lag. */
  const accountOf = async (context: ControllerContext, secret: Secret): Promise<ServiceAccount | undefined> => {
    const { namespace, annotations } = secret.metadata!;
    const uid = annotations?.[uidAnnotation];
    const suits = (account: ServiceAccount | undefined): boolean => account !== undefined && (!uid || account.metadata!.uid === uid);
    const cached = context.lister(ServiceAccountKind).get(accountKey(secret));
    if (suits(cached)) return cached;
    try {
      const live = await context.client.get(ServiceAccountKind, { namespace: namespace!, name: annotations![nameAnnotation]! });
      return suits(live) ? live : undefined;
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
  };

  const forgetReference = async (context: ControllerContext, account: ServiceAccount, name: string): Promise<void> => {
    if (!account.secrets?.some((each) => each.name === name)) return;
    await retryOnConflict(async () => {
      const live = await context.client.get(ServiceAccountKind, account.metadata as { namespace: string; name: string });
      if (live.metadata!.uid !== account.metadata!.uid) return;
      await context.client.update(ServiceAccountKind, { ...live, secrets: live.secrets?.filter((each) => each.name !== name) ?? [] });
    }).catch((error: unknown) => {
      if (!isNotFound(error)) throw error;
    });
  };

  return {
    name: 'serviceaccount-token-controller',
    // It gives out tokens of all accounts, its own included.
    serviceAccount: '',
    watches: [
      source(SecretKind, { when: (secret) => isToken(secret) }),
      source(ServiceAccountKind, {
        keys: (account, context) =>
          context
            .lister(SecretKind)
            .byIndex('account', `${account.metadata!.namespace}/${account.metadata!.name}`)
            .map((secret) => `${secret.metadata!.namespace}/${secret.metadata!.name}`),
      }),
    ],
    setup(context) {
      context.lister(SecretKind).addIndex('account', (secret) => (isToken(secret) ? [accountKey(secret)] : []));
      if (context.options.serviceAccountKey) signer = loadSigningKey(context.options.serviceAccountKey);
    },
    async reconcile(context, key) {
      const secret = context.lister(SecretKind).get(key);
      const [namespace, name] = key.split('/') as [string, string];
      if (!secret) {
        for (const account of context.lister(ServiceAccountKind).list(namespace)) await forgetReference(context, account, name);
        return;
      }
      if (!isToken(secret) || !secret.metadata!.annotations?.[nameAnnotation]) return;
      const account = await accountOf(context, secret);
      if (!account) {
        await context.client
          .delete(SecretKind, { namespace, name }, { preconditions: { uid: secret.metadata!.uid! } })
          .catch((error: unknown) => {
            if (!isNotFound(error) && !isConflict(error)) throw error;
          });
        return;
      }
      const ca = context.options.rootCa && base64(context.options.rootCa);
      const data = { ...secret.data };
      if (ca && data['ca.crt'] !== ca) data['ca.crt'] = ca;
      if (!data['namespace']) data['namespace'] = base64(namespace);
      if (!data['token'] && signer) data['token'] = base64(legacyToken(signer, account, name));
      if (JSON.stringify(data) === JSON.stringify({ ...secret.data })) return;
      const annotations = {
        ...secret.metadata!.annotations,
        [nameAnnotation]: account.metadata!.name!,
        [uidAnnotation]: account.metadata!.uid!,
      };
      await context.client
        .update(SecretKind, { ...secret, metadata: { ...secret.metadata, annotations }, data })
        .catch((error: unknown) => {
          if (!isNotFound(error)) throw error;
        });
    },
  };
};
