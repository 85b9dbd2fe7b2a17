/** Between versions of a custom resource. upstream: apiextensions-apiserver/pkg/apiserver/conversion. */
import { draft } from '#machinery/meta';
import type { KubeObject } from '#machinery/meta';
import type { Converter } from '../registry/generic/conversion.ts';

/** Brings objects of any version into the one named. Answers new objects; may answer the same where nothing is to be done. */
export type Convert = (objects: readonly KubeObject[], apiVersion: string) => KubeObject[] | Promise<KubeObject[]>;

/** Strategy None: only the version's name changes. */
export const renameVersion: Convert = (objects, apiVersion) => objects.map((object) => ({ ...object, apiVersion }));

/** `reshape` gives a private copy the structure and the defaults of its version. */
export function converterOf(convert: Convert, served: string, stored: string, reshape: (object: KubeObject) => void): Converter {
  const to = (objects: readonly KubeObject[], apiVersion: string): KubeObject[] | Promise<KubeObject[]> => {
    const others = objects.filter((object) => object.apiVersion !== apiVersion);
    if (others.length === 0) return [...objects];
    const finish = (converted: readonly KubeObject[]): KubeObject[] => {
      let next = 0;
      return objects.map((object) => {
        if (object.apiVersion === apiVersion) return object;
        const made = draft(converted[next++]!);
        reshape(made);
        return made;
      });
    };
    const converted = convert(others, apiVersion);
    return converted instanceof Promise ? converted.then(finish) : finish(converted);
  };
  return { toServed: (objects) => to(objects, served), toStorage: (objects) => to(objects, stored) };
}
