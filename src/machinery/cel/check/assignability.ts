import { dynType, listOf, mapOf, opaque, sameType, typeOfType, typeParam } from '../types.ts';
import type { CelType } from '../types.ts';

/**
 * Which types fit where, with type parameters found on the way. upstream: cel-go checker/types.go, mapping.go.
 * A mapping is never changed once others may have seen it: attempts are made on copies.
 */
export class Mapping {
  readonly #types: Map<string, CelType>;

  constructor(types = new Map<string, CelType>()) {
    this.#types = types;
  }

  find(param: CelType): CelType | undefined {
    return param.kind === 'param' ? this.#types.get(param.name) : undefined;
  }

  set(param: CelType, type: CelType): void {
    this.#types.set(param.name, type);
  }

  copy(): Mapping {
    return new Mapping(new Map(this.#types));
  }
}

const isDyn = (type: CelType): boolean => type.kind === 'dyn' || type.kind === 'any';
const isDynOrError = (type: CelType): boolean => isDyn(type) || type.kind === 'error';

/** The mapping under which values of `value` fit `target`; undefined where they do not. */
export function assignable(mapping: Mapping, target: CelType, value: CelType): Mapping | undefined {
  const attempt = mapping.copy();
  return fits(attempt, target, value) ? attempt : undefined;
}

export function allAssignable(mapping: Mapping, targets: readonly CelType[], values: readonly CelType[]): Mapping | undefined {
  const attempt = mapping.copy();
  return allFit(attempt, targets, values) ? attempt : undefined;
}

function allFit(mapping: Mapping, targets: readonly CelType[], values: readonly CelType[]): boolean {
  return targets.length === values.length && targets.every((target, index) => fits(mapping, target, values[index]!));
}

function fits(mapping: Mapping, a: CelType, b: CelType): boolean {
  if (b.kind === 'param') {
    const { valid, known } = substitution(mapping, a, b);
    if (valid) return true;
    if (known) return false;
  }
  if (a.kind === 'param') return substitution(mapping, b, a).valid;
  if (isDynOrError(a) || isDynOrError(b)) return true;
  if (a.kind === 'null') return takesNull(b);
  if (b.kind === 'null') return takesNull(a);
  if (a.kind === 'type') return b.kind === 'type';
  if (a.kind !== b.kind || a.name !== b.name) return false;
  if (a.kind === 'opaque' || a.kind === 'list' || a.kind === 'map') return allFit(mapping, a.params, b.params);
  return true;
}

const takesNull = (type: CelType): boolean => ['null', 'opaque', 'struct', 'duration', 'timestamp'].includes(type.kind);

/** Tries to let `param` stand for `type`. */
function substitution(mapping: Mapping, type: CelType, param: CelType): { valid: boolean; known: boolean } {
  if (sameType(type, param)) return { valid: true, known: true };
  const current = mapping.find(param);
  if (current) {
    if (sameType(type, current)) return { valid: true, known: true };
    if (!fits(mapping, type, current)) return { valid: false, known: true };
    const wider = mostGeneral(type, current);
    if (notWithin(mapping, param, wider)) mapping.set(param, wider);
    return { valid: true, known: true };
  }
  if (!notWithin(mapping, param, type)) return { valid: false, known: false };
  mapping.set(param, type);
  return { valid: true, known: false };
}

function notWithin(mapping: Mapping, param: CelType, type: CelType): boolean {
  if (sameType(param, type)) return false;
  if (type.kind === 'param') {
    const known = mapping.find(type);
    return known === undefined || notWithin(mapping, param, known);
  }
  return type.params.every((inner) => notWithin(mapping, param, inner));
}

export const mostGeneral = (a: CelType, b: CelType): CelType => (atMostAsSpecific(a, b) ? a : b);

function atMostAsSpecific(a: CelType, b: CelType): boolean {
  if (isDyn(a) || a.kind === 'param') return true;
  if (isDyn(b) || b.kind === 'param' || a.kind !== b.kind) return false;
  if (a.kind === 'type') return true;
  if (a.kind === 'opaque' || a.kind === 'list' || a.kind === 'map')
    return (
      a.name === b.name &&
      a.params.length === b.params.length &&
      a.params.every((param, index) => atMostAsSpecific(param, b.params[index]!))
    );
  return sameType(a, b);
}

/** The type with what is known of its parameters; the rest stays, or becomes dyn. */
export function substitute(mapping: Mapping, type: CelType, toDyn: boolean): CelType {
  const known = mapping.find(type);
  if (known) return substitute(mapping, known, toDyn);
  if (type.kind === 'param') return toDyn ? dynType : type;
  if (type.params.length === 0) return type;
  const params = type.params.map((param) => substitute(mapping, param, toDyn));
  if (params.every((param, index) => param === type.params[index])) return type;
  return withParams(type, params);
}

function withParams(type: CelType, params: readonly CelType[]): CelType {
  switch (type.kind) {
    case 'list':
      return listOf(params[0]!);
    case 'map':
      return mapOf(params[0]!, params[1]!);
    case 'type':
      return typeOfType(params[0]!);
    default:
      return opaque(type.name, ...params);
  }
}

/** Puts fresh parameters in the place of an overload's own. */
export function instantiate(types: readonly CelType[], params: readonly string[], fresh: () => CelType): CelType[] {
  const mapping = new Mapping();
  for (const name of params) mapping.set(typeParam(name), fresh());
  return types.map((type) => substitute(mapping, type, false));
}
