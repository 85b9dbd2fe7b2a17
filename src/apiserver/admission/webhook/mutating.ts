import { MutatingWebhookConfiguration } from '#api';
import { kindFact } from '#api/facts';
import { rulesFor } from '#api/rules';
import { draft, equal } from '#machinery/meta';
import type { KubeObject } from '#machinery/meta';
import { jsonPatch } from '#machinery/patch';
import type { Json } from '#machinery/patch';
import { internalError, StatusError } from '#machinery/status';
import type { AdmissionAttributes, AdmissionPlugin } from '../../contract.ts';
import { conform } from '../../registry/structure.ts';
import { callHook, invocation, isCallError } from './calls.ts';
import type { CallParts } from './calls.ts';
import { convertBetween } from './convert.ts';
import { HookSource } from './hooks.ts';
import type { Hook } from './hooks.ts';
import { isExempt } from './matching.ts';
import { denied, dryRunRefusal, failedClosed } from './review.ts';
import type { ReviewResult, Versioned } from './review.ts';

/** What goes before the webhooks and runs again when they changed something. */
export type Reinvoke = (attributes: AdmissionAttributes) => Promise<void>;

/**
 * Lets webhooks change objects, one after the other. When one changed something, the built-in plugins and the webhooks that want it
 * (reinvocationPolicy IfNeeded) are asked once more. upstream: apiserver/pkg/admission/plugin/webhook/mutating.
 */
export function mutatingAdmissionWebhook(parts: CallParts, reinvoke: Reinvoke): AdmissionPlugin {
  const source = new HookSource(parts.informers.for(MutatingWebhookConfiguration));
  const round = new Round(parts);
  return {
    name: 'MutatingAdmissionWebhook',
    handles: ({ kind }) => !isExempt(kind) && (!source.synced || source.hooks().length > 0),
    async admit(attributes) {
      if (!source.synced) await source.ready;
      const hooks = source.hooks();
      const first = await round.run(hooks, attributes, 0);
      if (!first.changed) return;
      const before = draft(attributes.object);
      await reinvoke(attributes);
      const again = equal(before, attributes.object) ? first.reinvocable : first.invoked;
      const wanting = hooks.filter((hook) => again.has(hook.uid));
      if (wanting.length > 0) await round.run(wanting, attributes, 1);
    },
    close: () => parts.webhooks.close(),
  };
}

interface Outcome {
  changed: boolean;
  /** Webhooks with reinvocationPolicy IfNeeded that were asked. */
  invoked: Set<string>;
  /** Those of them after which another one changed the object. */
  reinvocable: Set<string>;
}

class Round {
  readonly #parts: CallParts;

  constructor(parts: CallParts) {
    this.#parts = parts;
  }

  async run(hooks: readonly Hook[], attributes: AdmissionAttributes, round: number): Promise<Outcome> {
    const outcome: Outcome = { changed: false, invoked: new Set(), reinvocable: new Set() };
    for (const [index, hook] of hooks.entries()) {
      const versioned = await invocation(hook, attributes, this.#parts);
      if (!versioned) continue;
      const changed = await this.#one(hook, attributes, versioned, `round_${round}_index_${index}`);
      if (changed) {
        outcome.changed = true;
        for (const uid of outcome.invoked) outcome.reinvocable.add(uid);
      }
      if (hook.webhook.reinvocationPolicy === 'IfNeeded') outcome.invoked.add(hook.uid);
    }
    return outcome;
  }

  /** Whether the webhook changed the object. */
  async #one(hook: Hook, attributes: AdmissionAttributes, versioned: Versioned, place: string): Promise<boolean> {
    const { webhook, configuration } = hook;
    const annotate = (prefix: string, value: unknown): void =>
      attributes.annotate(`${prefix}.webhook.admission.k8s.io/${place}`, typeof value === 'string' ? value : JSON.stringify(value));
    let changed = false;
    try {
      if (attributes.dryRun) {
        const refusal = dryRunRefusal(webhook);
        if (refusal) throw refusal;
      }
      const result = await callHook(hook, attributes, versioned, true, this.#parts);
      if (!result.allowed) throw denied(webhook.name, result.status);
      if (result.patch.length > 0) {
        changed = await this.#apply(hook, attributes, versioned, result);
        annotate('patch', { configuration, webhook: webhook.name, patch: result.patch, patchType: 'JSONPatch' });
      }
    } catch (error) {
      if (!isCallError(error)) throw error;
      if (webhook.failurePolicy !== 'Ignore') throw failedClosed(error);
      this.#parts.log.warn('A webhook cannot be called; it is passed over', { webhook: webhook.name, configuration, error });
      annotate('failed-open.mutation', webhook.name);
    }
    annotate('mutation', { configuration, webhook: webhook.name, mutated: changed });
    return changed;
  }

  async #apply({ webhook }: Hook, attributes: AdmissionAttributes, { kind, object }: Versioned, { patch }: ReviewResult): Promise<boolean> {
    if (!object)
      throw internalError(
        new Error(`admission webhook "${webhook.name}" attempted to modify the object, which is not supported for this operation`),
      );
    let patched: KubeObject;
    try {
      patched = jsonPatch(object as Json, patch as Json) as KubeObject;
    } catch (error) {
      throw error instanceof StatusError ? internalError(error) : error;
    }
    const own = await convertBetween(attributes, patched, kind, attributes.kind);
    const result = conformed(attributes, own);
    if (equal(result, attributes.object)) return false;
    attributes.object = result;
    return true;
  }
}

/** What a webhook wrote has no fields that the kind has not, and has its defaults. */
function conformed({ served, kind }: AdmissionAttributes, object: KubeObject): KubeObject {
  if (served) {
    const value = served.conform ? served.conform(object).value : conform(served.fact.type, object).value;
    served.rules.applyDefaults?.(value as KubeObject);
    return value as KubeObject;
  }
  const fact = kindFact(kind.group, kind.version, kind.kind);
  if (!fact) return object;
  const value = conform(fact.type, object).value as KubeObject;
  rulesFor(kind).applyDefaults?.(value);
  return value;
}
