/** Objects inside of objects say what they are and have valid metadata. upstream: apiextensions-apiserver/pkg/apiserver/schema/objectmeta. */
import type { ObjectMeta } from '#machinery/meta';
import { isDNS1035Label, validateObjectMeta } from '#machinery/names';
import { invalidField, required } from '#machinery/status';
import type { FieldError } from '#machinery/status';
import { additionalOf, childPath, isObject, itemsOf, keyPath, propertyOf } from './schema.ts';
import type { JsonObject, Schema } from './schema.ts';

export function checkEmbedded(value: unknown, schema: Schema | undefined, path = ''): FieldError[] {
  if (!schema) return [];
  if (Array.isArray(value)) return value.flatMap((item, index) => checkEmbedded(item, itemsOf(schema), `${path}[${index}]`));
  if (!isObject(value)) return [];
  const errors = schema['x-kubernetes-embedded-resource'] ? checkObject(value, path) : [];
  const additional = additionalOf(schema);
  for (const [key, item] of Object.entries(value)) {
    const property = propertyOf(schema, key);
    if (property) errors.push(...checkEmbedded(item, property, childPath(path, key)));
    else if (additional) errors.push(...checkEmbedded(item, additional, keyPath(path, key)));
  }
  return errors;
}

function checkObject(value: JsonObject, path: string): FieldError[] {
  const errors: FieldError[] = [];
  for (const name of ['apiVersion', 'kind'] as const) {
    const at = childPath(path, name);
    const text = value[name];
    if (!Object.hasOwn(value, name)) errors.push(required(at));
    else if (typeof text !== 'string') errors.push(invalidField(at, text, 'must be a string'));
    else if (text === '') errors.push(invalidField(at, text, 'must not be empty'));
    else if (name === 'apiVersion') {
      if (text.split('/').length > 2) errors.push(invalidField(at, text, `unexpected GroupVersion string: ${text}`));
    } else {
      const problems = isDNS1035Label(text.toLowerCase());
      if (problems.length > 0)
        errors.push(invalidField(at, text, `may have mixed case, but should otherwise match: ${problems.join(',')}`));
    }
  }
  if (!isObject(value['metadata'])) return errors;
  const meta = value['metadata'] as ObjectMeta;
  const named = meta.name ? meta : { ...meta, name: 'fakename' };
  const prefix = childPath(path, 'metadata');
  for (const error of validateObjectMeta(named, { namespaced: Boolean(meta.namespace) }))
    errors.push({ ...error, field: `${prefix}${error.field.slice('metadata'.length)}` });
  return errors;
}
