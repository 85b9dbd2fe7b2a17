/** Informers that a test feeds by hand. */
import type { Kind } from '#api';
import type { Informer, InformerHandler, Informers } from '#client';
import { keyOf } from '#machinery/meta';
import type { KubeObject } from '#machinery/meta';

class FedInformer<T extends KubeObject> implements Informer<T> {
  readonly kind: Kind<T>;
  readonly synced = Promise.resolve();
  readonly hasSynced = true;
  readonly objects = new Map<string, T>();
  readonly handlers = new Set<InformerHandler<T>>();
  readonly indexes = new Map<string, (object: T) => string[]>();

  constructor(kind: Kind<T>) {
    this.kind = kind;
  }

  get(key: string): T | undefined {
    return this.objects.get(key);
  }

  list(namespace?: string): T[] {
    return [...this.objects.values()].filter((object) => namespace === undefined || object.metadata?.namespace === namespace);
  }

  byIndex(index: string, value: string): T[] {
    return this.list().filter((object) => this.indexes.get(index)?.(object).includes(value));
  }

  addIndex(index: string, values: (object: T) => string[]): void {
    this.indexes.set(index, values);
  }

  on(handler: InformerHandler<T>): Disposable {
    this.handlers.add(handler);
    for (const object of this.objects.values()) handler.added?.(object);
    return { [Symbol.dispose]: () => void this.handlers.delete(handler) };
  }
}

export interface FedInformers extends Informers {
  set<T extends KubeObject>(kind: Kind<T>, ...objects: T[]): void;
  remove(kind: Kind, key: string): void;
}

export function fedInformers(): FedInformers {
  const byKind = new Map<string, FedInformer<KubeObject>>();
  const informerFor = <T extends KubeObject>(kind: Kind<T>): FedInformer<T> => {
    const name = `${kind.group}/${kind.kind}`;
    let informer = byKind.get(name);
    if (!informer) byKind.set(name, (informer = new FedInformer<KubeObject>(kind as Kind)));
    return informer as unknown as FedInformer<T>;
  };
  return {
    for: informerFor,
    set(kind, ...objects) {
      const informer = informerFor(kind);
      for (const object of objects) {
        const old = informer.objects.get(keyOf(object));
        informer.objects.set(keyOf(object), object);
        for (const handler of informer.handlers) {
          if (old) handler.updated?.(object, old);
          else handler.added?.(object);
        }
      }
    },
    remove(kind, key) {
      const informer = informerFor(kind);
      const old = informer.objects.get(key);
      informer.objects.delete(key);
      if (old) for (const handler of informer.handlers) handler.deleted?.(old);
    },
    synced: () => Promise.resolve(),
    stop: () => Promise.resolve(),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}
