/**
 * Flags of single parts for a cluster of `coxswain up`, as k3s has them: --kube-apiserver-arg audit-policy-file=/etc/audit.yaml. They are read by
 * the components' own tables. What `up` decides itself is refused, so that nothing is believed to be in force that is not.
 */
import { resolve } from 'node:path';
import type { PartSettings } from '#cluster';
import { parseFlags } from '../flags/parse.ts';
import type { ParsedFlags } from '../flags/parse.ts';
import type { FlagTable } from '../flags/table.ts';
import { auditOf } from './kube-apiserver-audit.ts';
import { authenticationOf } from './kube-apiserver-authentication.ts';
import { authorizationOf } from './kube-apiserver-authorization.ts';
import { encryptedStore } from './kube-apiserver-encryption.ts';
import { kubeApiserverFlags } from './kube-apiserver-flags.ts';
import { requestSettings } from './kube-apiserver-requests.ts';
import { controllersOf, tunedOptions } from './kube-controller-manager.ts';
import { kubeControllerManagerFlags } from './kube-controller-manager-flags.ts';
import { kubeProxyFlags } from './kube-proxy-flags.ts';
import { kubeSchedulerFlags } from './kube-scheduler-flags.ts';
import { schedulerSettings } from './kube-scheduler-configuration.ts';
import { kubeletFlags } from './kubelet-flags.ts';
import { nodeSettings, settingsOf } from './kubelet-settings.ts';

interface Part {
  flags: FlagTable;
  /** Which flags are the user's. */
  open: RegExp;
}

const parts = {
  'kube-apiserver': {
    flags: kubeApiserverFlags,
    open: /^(audit-|authentication-|authorization-|oidc-|encryption-|admission-control-config-file$|(enable|disable)-admission-plugins$|token-auth-file$|anonymous-auth$|api-audiences$|enable-bootstrap-token-auth$|allow-privileged$|max-(mutating-)?requests-inflight$|enable-priority-and-fairness$|etcd-compaction-interval$|service-account-(extend-token|max-token)-expiration$)/,
  },
  'kube-controller-manager': {
    flags: kubeControllerManagerFlags,
    open: /^(controllers|enable-garbage-collector|cluster-signing-duration|node-cidr-mask-size(-ipv4)?|node-monitor(-grace)?-period|terminated-pod-gc-threshold)$/,
  },
  'kube-scheduler': { flags: kubeSchedulerFlags, open: /^config$/ },
  kubelet: {
    flags: kubeletFlags,
    open: /^(allowed-unsafe-sysctls|eviction-hard|image-gc-(high|low)-threshold|kube-reserved|max-pods|minimum-image-ttl-duration|node-labels|node-status-update-frequency|register-with-taints|serialize-image-pulls|system-reserved)$/,
  },
  'kube-proxy': { flags: kubeProxyFlags, open: /^(masquerade-all|iptables-localhost-nodeports)$/ },
} as const satisfies Record<string, Part>;

type PartName = keyof typeof parts;

/** By upstream's names. */
export const partNames = Object.keys(parts) as PartName[];

const isFile = (name: string): boolean => /(^|-)(config|file|path)$/.test(name);

function read<Name extends PartName>(part: Name, given: readonly string[]): ParsedFlags<(typeof parts)[Name]['flags']> {
  const { flags, open }: Part = parts[part];
  const refuse = (text: string, why: string): Error => new Error(`Cannot use --${part}-arg ${text}: ${why}`);
  for (const text of given) {
    const name = text.split('=')[0]!.replaceAll('_', '-');
    const flag = Object.hasOwn(flags, name) ? flags[name] : undefined;
    if (!flag) throw refuse(text, `${part} has no flag --${name}`);
    if (flag[2] !== 'warn' && flag[2] !== 'refuse' && !open.test(name)) throw refuse(text, 'up decides it itself');
  }
  try {
    return parseFlags(
      part,
      flags,
      given.map((text) => `--${text}`),
    ) as unknown as ParsedFlags<(typeof parts)[Name]['flags']>;
  } catch (error) {
    throw refuse(given.join(' '), (error as Error).message);
  }
}

/** Arguments as they are kept: without dashes, files by their whole paths. Throws a sentence for what cannot be used; `warn` tells what has no effect. */
export function checkArguments(part: PartName, given: readonly string[], warn: (text: string) => void): string[] {
  const kept = given.map((text) => {
    const bare = text.replace(/^--?/, '');
    const [, name, value] = /^([^=]+)=(.*)$/s.exec(bare) ?? [];
    return name && value && value !== '-' && isFile(name) ? `${name}=${resolve(value)}` : bare;
  });
  for (const warning of read(part, kept).warnings) warn(`${part}: ${warning}`);
  return kept;
}

/** What kept arguments mean. */
export function partSettings(kept: Readonly<Record<string, readonly string[]>>): PartSettings {
  const quiet = (): void => undefined;
  const given = <Name extends PartName>(part: Name): ParsedFlags<(typeof parts)[Name]['flags']> | undefined =>
    kept[part]?.length ? read(part, kept[part]) : undefined;
  const apiServer = given('kube-apiserver');
  const manager = given('kube-controller-manager');
  const scheduler = given('kube-scheduler');
  const kubelet = given('kubelet');
  const proxy = given('kube-proxy');
  return {
    ...(apiServer && { apiServer: apiServerSettings(apiServer) }),
    ...(manager && { controllers: { controllers: controllersOf(manager.values, quiet), options: tunedOptions(manager) } }),
    ...(scheduler?.values.config && { scheduler: { config: schedulerSettings(scheduler.values.config, quiet).config } }),
    ...(kubelet && { kubelet: nodeSettings(settingsOf(kubelet, quiet)) }),
    ...(proxy && {
      proxy: { masqueradeAll: proxy.values['masquerade-all'], localhostNodePorts: proxy.values['iptables-localhost-nodeports'] },
    }),
  };
}

/** Over what a cluster's own certificates make of it. */
const apiServerSettings =
  ({ values: flags, given }: ParsedFlags<typeof kubeApiserverFlags>): NonNullable<PartSettings['apiServer']> =>
  async (settings, context, held) => {
    const { serviceAccounts } = settings.security;
    const values = { ...flags, 'service-account-issuer': [...serviceAccounts.issuers] };
    const { store, extensions } = await encryptedStore(settings.store, values, context, held);
    const authentication = authenticationOf(values, context, held);
    // Tokens of bootstrap Secrets are believed unless something else is said.
    if (!given.has('enable-bootstrap-token-auth')) delete authentication.bootstrapTokens;
    const { allowPrivileged, ...requests } = requestSettings(values);
    const audit = auditOf(values, context);
    const audiences = values['api-audiences'];
    return {
      ...settings,
      ...requests,
      ...(given.has('allow-privileged') && { allowPrivileged: allowPrivileged ?? true }),
      store,
      extensions: [...(settings.extensions ?? []), ...extensions],
      security: {
        ...settings.security,
        serviceAccounts: {
          ...serviceAccounts,
          extendExpiration: values['service-account-extend-token-expiration'],
          maxExpiration: values['service-account-max-token-expiration'] / 1000,
          ...(audiences.length > 0 && { apiAudiences: audiences }),
        },
        authentication,
        authorization: authorizationOf(values, context, held),
        ...(audit && { audit }),
      },
    };
  };
