/** Who decides what one may do, and in what order, from flags and files. upstream: pkg/kubeapiserver/options/authorization.go. */
import {
  authorizationErrors,
  authorizersOfModes,
  ConfiguredWebhook,
  goDuration,
  nodeRules,
  ReviewConditions,
  webhookAuthorizer,
} from '#apiserver';
import type {
  AuthorizationConfiguration,
  AuthorizationOptions,
  AuthorizerChoice,
  AuthorizerConfiguration,
  WebhookConfiguration,
} from '#apiserver';
import { kubeconfigOptions } from '#client/kubeconfig';
import type { Context, Disposables } from '#machinery/lifecycle';
import type { FlagValues } from '../flags/table.ts';
import { readDocument } from './configuration-file.ts';
import type { kubeApiserverFlags } from './kube-apiserver-flags.ts';
import { watchFiles } from './watch-file.ts';

type Values = FlagValues<typeof kubeApiserverFlags>;

/** A webhook's settings where the configuration leaves them out. */
const defaults = { authorizedTTL: '5m', unauthorizedTTL: '30s' };

function configurationOf(values: Values): AuthorizerConfiguration[] {
  const file = values['authorization-config'];
  const modes = values['authorization-mode'];
  if (values['authorization-policy-file'])
    throw new Error('--authorization-policy-file is not supported by coxswain: there is no mode ABAC');
  if (file) {
    if (modes.length > 0)
      throw new Error(
        '--authorization-config can not be specified when --authorization-mode or --authorization-webhook-* flags are defined',
      );
    const configuration = readDocument('authorization-config', file) as AuthorizationConfiguration;
    const errors = authorizationErrors(configuration);
    if (errors.length > 0) throw new Error(`Cannot use ${file}: ${errors.join(', ')}`);
    return configuration.authorizers ?? [];
  }
  const webhookFile = values['authorization-webhook-config-file'];
  const webhook: WebhookConfiguration | undefined = webhookFile
    ? {
        timeout: '30s',
        authorizedTTL: `${values['authorization-webhook-cache-authorized-ttl']}ms`,
        unauthorizedTTL: `${values['authorization-webhook-cache-unauthorized-ttl']}ms`,
        subjectAccessReviewVersion: values['authorization-webhook-version'],
        failurePolicy: 'NoOpinion',
        connectionInfo: { type: 'KubeConfigFile', kubeConfigFile: webhookFile },
      }
    : undefined;
  // Upstream's default lets everybody do everything; a server of ours does not.
  return authorizersOfModes(modes.length > 0 ? modes : ['Node', 'RBAC'], webhook);
}

export function authorizationOf(values: Values, context: Context, held: Disposables): AuthorizationOptions {
  const { clock, random, log } = context;
  let webhooks: ConfiguredWebhook[] = [];
  const choices: AuthorizerChoice[] = [];
  const use = (authorizers: readonly AuthorizerConfiguration[]): void => {
    const made: ConfiguredWebhook[] = [];
    const next = authorizers.map(({ type, name = '', webhook: settings }, index): AuthorizerChoice => {
      if (type !== 'Webhook' || !settings) return type as AuthorizerChoice;
      const webhook = new ConfiguredWebhook({
        address: kubeconfigOptions(settings.connectionInfo?.kubeConfigFile ?? '', { clock }),
        clock,
        random,
        backoff: 500,
        timeout: goDuration(settings.timeout ?? '30s') ?? 30_000,
      });
      made.push(webhook);
      const lifetime = (text: string | undefined, otherwise: string, cached: boolean | undefined): number =>
        cached === false ? 0 : (goDuration(text ?? otherwise) ?? 0);
      return webhookAuthorizer({
        name,
        webhook,
        version: settings.subjectAccessReviewVersion as 'v1' | 'v1beta1',
        allowedLifetime: lifetime(settings.authorizedTTL, defaults.authorizedTTL, settings.cacheAuthorizedRequests),
        otherLifetime: lifetime(settings.unauthorizedTTL, defaults.unauthorizedTTL, settings.cacheUnauthorizedRequests),
        failurePolicy: settings.failurePolicy as 'NoOpinion' | 'Deny',
        conditions: new ReviewConditions(
          (settings.matchConditions ?? []).map(({ expression }) => expression),
          `authorizers[${index}].webhook.matchConditions`,
        ),
        clock,
        log,
      });
    });
    for (const webhook of webhooks) webhook.close();
    webhooks = made;
    choices.splice(0, choices.length, ...next);
  };
  held.add(() => webhooks.forEach((webhook) => webhook.close()));
  use(configurationOf(values));
  const file = values['authorization-config'];
  if (file) {
    const watching = watchFiles([file], { clock, log }, () => use(configurationOf(values)));
    held.add(() => watching[Symbol.dispose]());
  }
  return { nodeRules, authorizers: choices };
}
