import type { MutatingWebhookConfiguration, ValidatingWebhookConfiguration } from '#api';
import type { Informer } from '#client';
import { labelSelectorFrom } from '#machinery/selectors';
import type { LabelSelectorMatcher } from '#machinery/selectors';
import type { MutatingWebhook, ValidatingWebhook } from '../../../api/facts/types.ts';

export type AnyWebhook = MutatingWebhook & ValidatingWebhook;

/** A webhook of a configuration, with what is worked out of it once. */
export interface Hook {
  webhook: AnyWebhook;
  configuration: string;
  /** Tells webhooks of one name apart. */
  uid: string;
  namespaces: LabelSelectorMatcher;
  objects: LabelSelectorMatcher;
}

/** All webhooks of one kind of configuration, in the order they are called: by configuration name, then as listed. */
export class HookSource {
  readonly #informer: Informer<MutatingWebhookConfiguration | ValidatingWebhookConfiguration>;
  readonly #byConfiguration = new WeakMap<object, Hook[]>();
  #all: readonly Hook[] | undefined;

  constructor(informer: Informer<MutatingWebhookConfiguration> | Informer<ValidatingWebhookConfiguration>) {
    this.#informer = informer as Informer<MutatingWebhookConfiguration | ValidatingWebhookConfiguration>;
    const changed = (): void => void (this.#all = undefined);
    this.#informer.on({ added: changed, updated: changed, deleted: changed });
  }

  get synced(): boolean {
    return this.#informer.hasSynced;
  }

  get ready(): Promise<void> {
    return this.#informer.synced;
  }

  hooks(): readonly Hook[] {
    this.#all ??= this.#informer
      .list()
      .toSorted((a, b) => ((a.metadata?.name ?? '') < (b.metadata?.name ?? '') ? -1 : 1))
      .flatMap((configuration) => this.#of(configuration));
    return this.#all;
  }

  #of(configuration: MutatingWebhookConfiguration | ValidatingWebhookConfiguration): Hook[] {
    let hooks = this.#byConfiguration.get(configuration);
    if (!hooks) {
      const name = configuration.metadata?.name ?? '';
      const seen = new Map<string, number>();
      hooks = (configuration.webhooks ?? []).map((webhook) => {
        const count = seen.get(webhook.name) ?? 0;
        seen.set(webhook.name, count + 1);
        return {
          webhook: webhook as AnyWebhook,
          configuration: name,
          uid: `${name}/${webhook.name}/${count}`,
          // Absent is as empty: all.
          namespaces: labelSelectorFrom(webhook.namespaceSelector ?? {}),
          objects: labelSelectorFrom(webhook.objectSelector ?? {}),
        };
      });
      this.#byConfiguration.set(configuration, hooks);
    }
    return hooks;
  }
}
