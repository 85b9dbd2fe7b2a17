import type { Kind } from '#api';
import type { KubeObject } from '#machinery/meta';

/** An object that a new cluster starts with. */
export interface Entry<T extends KubeObject = KubeObject> {
  kind: Kind<T>;
  object: T;
}

export const entry = <T extends KubeObject>(kind: Kind<T>, object: T): Entry => ({
  kind: kind as Kind,
  object: { kind: kind.kind, apiVersion: kind.apiVersion, ...object },
});
