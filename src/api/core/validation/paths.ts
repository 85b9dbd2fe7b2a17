/** Paths inside volumes and containers. upstream: validateLocalDescendingPath, validatePathNoBacksteps. */
import { invalidField } from '../../checks.ts';
import type { Errors } from '../../checks.ts';

export function checkNoBacksteps(errors: Errors, path: string, target: string): void {
  if (target.includes('..') && target.split('/').includes('..')) errors.push(invalidField(path, target, "must not contain '..'"));
}

/** A relative path that stays below where it starts. */
export function checkDescendingPath(errors: Errors, path: string, target: string): void {
  if (target.startsWith('/')) errors.push(invalidField(path, target, 'must be a relative path'));
  checkNoBacksteps(errors, path, target);
}

/** The same, and not a name that the writer of volumes keeps for itself. */
export function checkUnreservedPath(errors: Errors, path: string, target: string): void {
  checkDescendingPath(errors, path, target);
  if (target.startsWith('..') && !target.startsWith('../')) errors.push(invalidField(path, target, "must not start with '..'"));
}

export function checkFileMode(errors: Errors, path: string, mode: number | undefined): void {
  if (mode !== undefined && (mode > 0o777 || mode < 0))
    errors.push(invalidField(path, mode, 'must be a number between 0 and 0777 (octal), both inclusive'));
}
