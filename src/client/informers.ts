import type { Kind } from '#api';
import type { KubeObject } from '#machinery/meta';
import type { Client, Informer, Informers } from './contract.ts';
import type { InformerDependencies, InformerOptions, RunningInformer } from './informer.ts';
import { startInformer } from './informer.ts';

/** Informers shared by kind and selector. One of whole objects also serves those who asked for metadata only, where it is there first. */
export function informersOver(client: Client, dependencies: Omit<InformerDependencies, 'client'>): Informers {
  // oxlint-disable-next-line typescript/no-explicit-any -- one map holds informers of many kinds
  const started = new Map<string, RunningInformer<any>>();
  // Most ask for a whole kind, and often.
  const wholes = new Map<Kind, Informer<KubeObject>>();
  let stopped = false;
  const stop = async (): Promise<void> => {
    stopped = true;
    await Promise.all([...started.values()].map((informer) => informer.stop()));
  };
  return {
    for<T extends KubeObject>(kind: Kind<T>, options: InformerOptions = {}): Informer<T> {
      const plain = Object.keys(options).length === 0;
      const known = plain ? wholes.get(kind as Kind) : undefined;
      if (known && !stopped) return known as unknown as Informer<T>;
      if (stopped) throw new Error(`Cannot watch ${kind.resource}: the informers are stopped`);
      const scope = [
        kind.apiVersion,
        kind.resource,
        options.namespace ?? '',
        options.labelSelector ?? '',
        options.fieldSelector ?? '',
      ].join('\n');
      const whole = started.get(scope);
      if (whole) return whole as Informer<T>;
      const key = options.metadataOnly ? `${scope}\nmetadata` : scope;
      let informer = started.get(key) as RunningInformer<T> | undefined;
      if (!informer) started.set(key, (informer = startInformer({ ...dependencies, client }, kind, options)));
      if (plain) wholes.set(kind as Kind, informer as unknown as Informer<KubeObject>);
      return informer;
    },
    async synced() {
      await Promise.all([...started.values()].map((informer) => informer.synced));
    },
    stop,
    [Symbol.asyncDispose]: stop,
  };
}
