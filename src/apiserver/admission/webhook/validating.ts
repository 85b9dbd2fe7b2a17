import { ValidatingWebhookConfiguration } from '#api';
import type { AdmissionAttributes, AdmissionPlugin } from '../../contract.ts';
import { callHook, invocation, isCallError } from './calls.ts';
import type { CallParts } from './calls.ts';
import { HookSource } from './hooks.ts';
import type { Hook } from './hooks.ts';
import { isExempt } from './matching.ts';
import { denied, dryRunRefusal, failedClosed } from './review.ts';
import type { Versioned } from './review.ts';

/** Lets webhooks refuse, all at once. upstream: apiserver/pkg/admission/plugin/webhook/validating. */
export function validatingAdmissionWebhook(parts: CallParts): AdmissionPlugin {
  const source = new HookSource(parts.informers.for(ValidatingWebhookConfiguration));

  /** Why the request is refused, if it is. */
  const ask = async (hook: Hook, attributes: AdmissionAttributes, versioned: Versioned, index: number): Promise<Error | undefined> => {
    const { webhook, configuration } = hook;
    if (attributes.dryRun) {
      const refusal = dryRunRefusal(webhook);
      if (refusal) return refusal;
    }
    try {
      const result = await callHook(hook, attributes, versioned, false, parts);
      return result.allowed ? undefined : denied(webhook.name, result.status);
    } catch (error) {
      if (!isCallError(error)) return error instanceof Error ? error : new Error(String(error));
      if (webhook.failurePolicy !== 'Ignore') return failedClosed(error);
      parts.log.warn('A webhook cannot be called; it is passed over', { webhook: webhook.name, configuration, error });
      attributes.annotate(`failed-open.validating.webhook.admission.k8s.io/round_0_index_${index}`, webhook.name);
      return undefined;
    }
  };

  return {
    name: 'ValidatingAdmissionWebhook',
    handles: ({ kind }) => !isExempt(kind) && (!source.synced || source.hooks().length > 0),
    async validate(attributes) {
      if (!source.synced) await source.ready;
      const wanted: [Hook, Versioned][] = [];
      for (const hook of source.hooks()) {
        const versioned = await invocation(hook, attributes, parts);
        if (versioned) wanted.push([hook, versioned]);
      }
      const answers = await Promise.all(wanted.map(([hook, versioned], index) => ask(hook, attributes, versioned, index)));
      const refusal = answers.find((answer) => answer !== undefined);
      if (refusal) throw refusal;
    },
    close: () => parts.webhooks.close(),
  };
}
