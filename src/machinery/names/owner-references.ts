import { invalidField } from '#machinery/status';
import type { FieldError } from '#machinery/status';
import type { OwnerReference } from '#machinery/meta';

/** upstream: apimachinery/pkg/api/validation/objectmeta.go ValidateOwnerReferences. */
export function validateOwnerReferences(references: readonly OwnerReference[] | undefined, path: string): FieldError[] {
  if (!references?.length) return [];
  const errors: FieldError[] = [];
  let controller = '';
  for (const reference of references) {
    errors.push(...validateOwnerReference(reference, path));
    if (!reference.controller) continue;
    const name = `${reference.kind}/${reference.name}`;
    if (controller)
      errors.push(
        invalidField(
          path,
          references,
          `Only one reference can have Controller set to true. Found "true" in references for ${controller} and ${name}`,
        ),
      );
    else controller = name;
  }
  return errors;
}

function validateOwnerReference(reference: OwnerReference, path: string): FieldError[] {
  const { apiVersion = '', kind = '', name = '', uid = '' } = reference as Partial<OwnerReference>;
  const errors: FieldError[] = [];
  const parts = apiVersion.split('/');
  const version = parts.length > 2 ? '' : parts.at(-1)!;
  if (version === '') errors.push(invalidField(`${path}.apiVersion`, apiVersion, 'version must not be empty'));
  if (kind === '') errors.push(invalidField(`${path}.kind`, kind, 'must not be empty'));
  if (name === '') errors.push(invalidField(`${path}.name`, name, 'must not be empty'));
  if (uid === '') errors.push(invalidField(`${path}.uid`, uid, 'must not be empty'));
  // Events come and go by themselves: nothing can belong to one.
  if (apiVersion === 'v1' && kind === 'Event')
    errors.push(invalidField(path, reference, '/v1, Kind=Event is disallowed from being an owner'));
  return errors;
}
