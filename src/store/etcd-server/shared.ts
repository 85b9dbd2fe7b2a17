import type { Store } from '../contract.ts';

/** What all servers in front of one store have in common, made for the first of them. */
export function sharedBy<T>(make: () => T): (store: Store) => T {
  const known = new WeakMap<Store, T>();
  return (store) => {
    const found = known.get(store) ?? make();
    known.set(store, found);
    return found;
  };
}
