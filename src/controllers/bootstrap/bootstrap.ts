import { createHmac } from 'node:crypto';
import type { Secret } from '#api';
import { ConfigMap as ConfigMapKind, Secret as SecretKind } from '#api';
import { equal } from '#machinery/meta';
import { isConflict, isNotFound } from '#machinery/status';
import type { ControllerFactory } from '../contract.ts';
import { source } from '../contract.ts';

const tokenType = 'bootstrap.kubernetes.io/token';
const infoKey = 'kube-public/cluster-info';
const signaturePrefix = 'jws-kubeconfig-';

const dataOf = (secret: Secret, name: string): string => Buffer.from(secret.data?.[name] ?? '', 'base64').toString('utf8');
const isToken = (secret: Secret): boolean => secret.type === tokenType && secret.metadata!.namespace === 'kube-system';

/** When a token ends, in milliseconds; undefined for one that does not, 0 for one whose end cannot be read. */
function expiry(secret: Secret): number | undefined {
  const text = dataOf(secret, 'expiration');
  if (!text) return undefined;
  const time = Date.parse(text);
  return Number.isNaN(time) ? 0 : time;
}

/** A JWS without its content, which the reader has. upstream: cluster-bootstrap/token/jws. */
export function detachedSignature(content: string, id: string, secret: string): string {
  const encode = (text: string): string => Buffer.from(text).toString('base64url');
  const header = encode(JSON.stringify({ alg: 'HS256', kid: id }));
  const signature = createHmac('sha256', secret)
    .update(`${header}.${encode(content)}`)
    .digest('base64url');
  return `${header}..${signature}`;
}

/** Signs the cluster's address and CA in kube-public with each bootstrap token, so that joining machines can trust them. upstream: pkg/controller/bootstrap. */
export const bootstrapSignerController: ControllerFactory = () => ({
  name: 'bootstrap-signer-controller',
  serviceAccount: 'bootstrap-signer',
  workers: 1,
  watches: [
    source(ConfigMapKind, { when: (map) => `${map.metadata!.namespace}/${map.metadata!.name}` === infoKey }),
    source(SecretKind, { keys: () => [infoKey], when: isToken }),
  ],
  async reconcile(context, key) {
    const map = context.lister(ConfigMapKind).get(key);
    const content = map?.data?.['kubeconfig'];
    if (!map || content === undefined) return;
    const data = Object.fromEntries(Object.entries(map.data!).filter(([name]) => !name.startsWith(signaturePrefix)));
    for (const secret of context.lister(SecretKind).list('kube-system')) {
      if (!isToken(secret)) continue;
      const id = dataOf(secret, 'token-id');
      const value = dataOf(secret, 'token-secret');
      const end = expiry(secret);
      if (!id || !value || secret.metadata!.name !== `bootstrap-token-${id}` || dataOf(secret, 'usage-bootstrap-signing') !== 'true')
        continue;
      if (end !== undefined && end <= context.clock.now()) continue;
      data[signaturePrefix + id] = detachedSignature(content, id, value);
    }
    if (equal(data, map.data)) return;
    await context.client.update(ConfigMapKind, { ...map, data }).catch((error: unknown) => {
      if (!isNotFound(error) && !isConflict(error)) throw error;
    });
  },
});

/** Deletes bootstrap tokens when their time is over. upstream: pkg/controller/bootstrap/tokencleaner.go. */
export const tokenCleanerController: ControllerFactory = () => ({
  name: 'token-cleaner-controller',
  serviceAccount: 'token-cleaner',
  workers: 1,
  watches: [source(SecretKind, { when: (secret, _old, event) => isToken(secret) && event !== 'deleted' })],
  async reconcile(context, key) {
    const secret = context.lister(SecretKind).get(key);
    const end = secret && expiry(secret);
    if (!secret || end === undefined) return;
    const left = end - context.clock.now();
    if (left > 0) return { requeueAfter: left };
    await context.client
      .delete(SecretKind, secret.metadata as { namespace: string; name: string }, { preconditions: { uid: secret.metadata!.uid! } })
      .catch((error: unknown) => {
        if (!isNotFound(error)) throw error;
      });
  },
});
