/** The driver and its parameters in classes. upstream: validateProvisioner, validateParameters in pkg/apis/storage/validation. */
import { byteLength, isQualifiedName } from '#machinery/names';
import { invalidField, invalidFor, required, tooLong } from '../checks.ts';
import type { Errors } from '../checks.ts';

const mostParameters = 512;
const largestParameters = 256 * 1024;

/** The bytes of keys and values. */
export const sizeOf = (map: Record<string, string>): number =>
  Object.entries(map).reduce((size, [key, value]) => size + byteLength(key) + byteLength(value), 0);

export function checkDriver(errors: Errors, path: string, driver: string | undefined): void {
  if (driver) invalidFor(errors, path, driver.toLowerCase(), isQualifiedName(driver.toLowerCase()));
  else errors.push(required(path));
}

export function checkParameters(errors: Errors, path: string, parameters: Record<string, string> = {}, mayBeEmpty = true): void {
  const count = Object.keys(parameters).length;
  if (count > mostParameters) {
    errors.push(tooLong(path, mostParameters));
    return;
  }
  if ('' in parameters) errors.push(invalidField(path, '', 'field can not be empty.'));
  if (sizeOf(parameters) > largestParameters) errors.push(tooLong(path, largestParameters));
  if (!mayBeEmpty && count === 0) errors.push(required(path, 'must contain at least one key/value pair'));
}
