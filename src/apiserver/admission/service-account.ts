import { ServiceAccount } from '#api';
import type { Pod } from '#api';
import type { Client, Informer } from '#client';
import type { Clock } from '#machinery/clock';
import { isNotFound } from '#machinery/status';
import { namesOf } from '../authz/pod-references.ts';
import type { AdmissionAttributes, AdmissionPluginFactory } from '../contract.ts';
import { forbid, isFor } from './attributes.ts';

const mountPath = '/var/run/secrets/kubernetes.io/serviceaccount';
const volumePrefix = 'kube-api-access-';
const mirror = 'kubernetes.io/config.mirror';
const enforce = 'kubernetes.io/enforce-mountable-secrets';
/** So long a pod waits for the default account, which a controller makes just after the namespace. */
const patience = 1500;

type PodSpec = NonNullable<Pod['spec']>;

/** Everything a program in a pod needs to reach the API. Expires after 3607 s, which marks it as made here. */
const tokenVolume = (name: string): NonNullable<PodSpec['volumes']>[number] => ({
  name,
  projected: {
    defaultMode: 0o644,
    sources: [
      { serviceAccountToken: { expirationSeconds: 3607, path: 'token' } },
      { configMap: { name: 'kube-root-ca.crt', items: [{ key: 'ca.crt', path: 'ca.crt' }] } },
      { downwardAPI: { items: [{ path: 'namespace', fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.namespace' } }] } },
    ],
  },
});

/** Gives pods their service account, its token and its pull secrets. upstream: plugin/pkg/admission/serviceaccount. */
export const serviceAccount: AdmissionPluginFactory = ({ client, informers, clock, random }) => {
  const accounts = informers.for(ServiceAccount);
  const find = async (attributes: AdmissionAttributes, name: string): Promise<ServiceAccount> => {
    const { namespace } = attributes;
    const account = accounts.get(`${namespace}/${name}`) ?? (await look(client, accounts, clock, namespace, name));
    if (!account) throw forbid(attributes, `error looking up service account ${namespace}/${name}: serviceaccount "${name}" not found`);
    return account;
  };
  const validate = async (attributes: AdmissionAttributes): Promise<void> => {
    const pod = attributes.object as Pod;
    const spec = pod.spec!;
    if (pod.metadata?.annotations?.[mirror] !== undefined) {
      validateMirror(attributes, pod);
      return;
    }
    if (!spec.serviceAccountName)
      throw forbid(attributes, `no service account specified for pod ${attributes.namespace}/${pod.metadata?.name ?? ''}`);
    const account = await find(attributes, spec.serviceAccountName);
    if (account.metadata?.annotations?.[enforce] === 'true') {
      const problem = unmountable(account, pod, attributes.subresource === 'ephemeralcontainers');
      if (problem) throw forbid(attributes, problem);
    }
  };
  return {
    name: 'ServiceAccount',
    handles: (attributes) =>
      (attributes.operation === 'CREATE' && isFor(attributes, '', 'pods')) ||
      (attributes.operation === 'UPDATE' && isFor(attributes, '', 'pods', 'ephemeralcontainers')),
    async admit(attributes) {
      const pod = attributes.object as Pod;
      if (attributes.operation !== 'CREATE' || pod.metadata?.annotations?.[mirror] !== undefined) return;
      const spec = pod.spec!;
      // Both names are one field: upstream converts between them.
      spec.serviceAccountName ||= spec.serviceAccount || 'default';
      spec.serviceAccount = spec.serviceAccountName;
      const account = await find(attributes, spec.serviceAccountName);
      if (spec.automountServiceAccountToken ?? account.automountServiceAccountToken ?? true) mountToken(spec, () => random.suffix(5));
      if (!spec.imagePullSecrets?.length && account.imagePullSecrets?.length)
        spec.imagePullSecrets = account.imagePullSecrets.map(({ name }) => ({ ...(name && { name }) }));
    },
    validate,
  };
};

async function look(
  client: Client,
  accounts: Informer<ServiceAccount>,
  clock: Clock,
  namespace: string,
  name: string,
): Promise<ServiceAccount | undefined> {
  const found = await client.get(ServiceAccount, { namespace, name }).catch((error: unknown) => {
    if (isNotFound(error)) return undefined;
    throw error;
  });
  if (found || name !== 'default') return found;
  return new Promise((resolve) => {
    const done = (account: ServiceAccount | undefined): void => {
      timer.cancel();
      subscription[Symbol.dispose]();
      resolve(account);
    };
    const timer = clock.setTimeout(() => done(undefined), patience);
    let early: ServiceAccount | undefined;
    let subscribed = false;
    const subscription = accounts.on({
      added(account) {
        if (account.metadata?.namespace !== namespace || account.metadata.name !== name) return;
        if (subscribed) done(account);
        else early = account;
      },
    });
    subscribed = true;
    if (early) done(early);
  });
}

function mountToken(spec: PodSpec, suffix: () => string): void {
  const present = spec.volumes?.find(({ name }: { name?: string }) => name?.startsWith(volumePrefix))?.name;
  const name = present ?? `${volumePrefix}${suffix()}`;
  let needed = false;
  for (const container of [...(spec.initContainers ?? []), ...spec.containers]) {
    if (container.volumeMounts?.some((mount) => mount.mountPath === mountPath)) continue;
    container.volumeMounts = [...(container.volumeMounts ?? []), { mountPath, name, readOnly: true }];
    needed = true;
  }
  if (needed && present === undefined) spec.volumes = [...(spec.volumes ?? []), tokenVolume(name)];
}

function validateMirror(attributes: AdmissionAttributes, pod: Pod): void {
  if (pod.spec!.serviceAccountName) throw forbid(attributes, 'a mirror pod may not reference service accounts');
  if (namesOf(pod).secrets.size > 0) throw forbid(attributes, 'a mirror pod may not reference secrets');
  if (pod.spec!.volumes?.some(({ projected }) => projected?.sources?.some((source) => source.serviceAccountToken)))
    throw forbid(attributes, 'a mirror pod may not use ServiceAccountToken volume projections');
}

type AnyContainer = Pick<PodSpec['containers'][number], 'name' | 'env' | 'envFrom'>;

/** The first reference of a pod to a secret that its account, which asks for that, does not list. */
function unmountable(account: ServiceAccount, { spec }: Pod, ephemeral: boolean): string | undefined {
  const allowed = new Set((account.secrets ?? []).map((secret) => secret.name));
  const reason = `is not allowed because service account ${account.metadata?.name} does not reference that`;
  const inContainers = (word: string, containers: readonly AnyContainer[]): string | undefined => {
    for (const { name, env, envFrom } of containers) {
      for (const variable of env ?? []) {
        const secret = variable.valueFrom?.secretKeyRef?.name;
        if (secret !== undefined && !allowed.has(secret))
          return `${word} ${name} with envVar ${variable.name} referencing secret.secretName="${secret}" ${reason} secret`;
      }
      for (const source of envFrom ?? []) {
        const secret = source.secretRef?.name;
        if (secret !== undefined && !allowed.has(secret))
          return `${word} ${name} with envFrom referencing secret.secretName="${secret}" ${reason} secret`;
      }
    }
    return undefined;
  };
  if (ephemeral) return inContainers('ephemeral container', spec!.ephemeralContainers ?? []);
  for (const { secret } of spec!.volumes ?? [])
    if (secret && !allowed.has(secret.secretName)) return `volume with secret.secretName="${secret.secretName}" ${reason} secret`;
  const found = inContainers('init container', spec!.initContainers ?? []) ?? inContainers('container', spec!.containers);
  if (found) return found;
  const pull = new Set((account.imagePullSecrets ?? []).map((secret) => secret.name));
  for (const [index, { name }] of (spec!.imagePullSecrets ?? []).entries())
    if (!pull.has(name)) return `imagePullSecrets[${index}].name="${name}" ${reason} imagePullSecret`;
  return undefined;
}
