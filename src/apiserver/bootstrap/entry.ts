import type { Kind } from '#api';
import type { KubeObject } from '#machinery/meta';

/** Who writes an object's fields, where it is not the server itself alone. */
export interface Ownership {
  /** Default: kube-apiserver. */
  manager?: string;
  /** Fields that come by themselves ("spec", "spec.clusterIPs"): nobody's. */
  unowned?: readonly string[];
  /** A field at the top that another manager applies. */
  applied?: { manager: string; field: string; subresource?: 'status' };
}

/** An object that a new cluster starts with. */
export interface Entry<T extends KubeObject = KubeObject> extends Ownership {
  kind: Kind<T>;
  object: T;
}

export const entry = <T extends KubeObject>(kind: Kind<T>, object: T, ownership: Ownership = {}): Entry => ({
  kind: kind as Kind,
  object: { kind: kind.kind, apiVersion: kind.apiVersion, ...object },
  ...ownership,
});
