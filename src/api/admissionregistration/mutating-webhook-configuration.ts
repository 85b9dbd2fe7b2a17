/** upstream: pkg/registry/admissionregistration/mutatingwebhookconfiguration/strategy.go. */
import { MutatingWebhookConfiguration } from '../facts/kinds.ts';
import { equal } from '#machinery/meta';
import { defineKind } from '../contract.ts';
import { ageColumn, integer } from '../columns.ts';
import { defaultWebhook } from './defaults.ts';
import { hasConditions, validateWebhooks } from './webhook-validation.ts';

export const mutatingWebhookConfigurationRules = defineKind<MutatingWebhookConfiguration>({
  kind: MutatingWebhookConfiguration,
  applyDefaults: (configuration) => {
    for (const webhook of configuration.webhooks ?? []) {
      defaultWebhook(webhook);
      webhook.reinvocationPolicy ??= 'Never';
    }
  },
  validate: (configuration, expressions) => validateWebhooks(configuration, undefined, expressions),
  validateUpdate: validateWebhooks,
  hasExpressions: hasConditions,
  generation: (configuration, old) => !equal(configuration.webhooks, old.webhooks),
  allowUnconditionalUpdate: false,
  columns: [integer('Webhooks', (configuration) => configuration.webhooks?.length ?? 0), ageColumn],
});
