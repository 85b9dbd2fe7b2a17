import {
  boolType,
  bytesType,
  doubleType,
  durationType,
  intType,
  listType,
  mapType,
  nullType,
  stringType,
  timestampType,
  typeOfType,
  typeType,
  uintType,
} from '../types.ts';
import type { CelType } from '../types.ts';
import type { FunctionDeclaration, Library, Overload } from './declarations.ts';

/** What an expression may name: variables, functions, and types with fields. Immutable; `extend` makes a larger one. */
export interface EnvironmentParts {
  variables?: Readonly<Record<string, CelType>> | undefined;
  libraries?: readonly Library[] | undefined;
  types?: TypeProvider | undefined;
  /** Whether cel.bind(name, value, expression) names a value. */
  bindings?: boolean | undefined;
}

/** Types with named fields. */
export interface TypeProvider {
  /** The fields of a type; undefined where there is no such type. */
  fields(type: string): ((field: string) => CelType | undefined) | undefined;
}

const typeNames: Readonly<Record<string, CelType>> = {
  bool: boolType,
  bytes: bytesType,
  double: doubleType,
  'google.protobuf.Duration': durationType,
  'google.protobuf.Timestamp': timestampType,
  int: intType,
  list: listType,
  map: mapType,
  null_type: nullType,
  string: stringType,
  type: typeType,
  uint: uintType,
};

export class Environment {
  readonly #variables: ReadonlyMap<string, CelType>;
  readonly #functions: ReadonlyMap<string, FunctionDeclaration>;
  readonly #types: readonly TypeProvider[];
  readonly bindings: boolean;

  constructor(
    variables: ReadonlyMap<string, CelType> = new Map(),
    functions: ReadonlyMap<string, FunctionDeclaration> = new Map(),
    types: readonly TypeProvider[] = [],
    bindings = false,
  ) {
    this.#variables = variables;
    this.#functions = functions;
    this.#types = types;
    this.bindings = bindings;
  }

  extend({ variables, libraries, types, bindings }: EnvironmentParts): Environment {
    let functions = this.#functions;
    if (libraries?.length) {
      const more = new Map<string, FunctionDeclaration>(functions);
      for (const { name, overloads } of libraries.flatMap((each) => each.functions)) {
        const known = more.get(name);
        more.set(name, known ? { name, overloads: merged(known.overloads, overloads) } : { name, overloads });
      }
      functions = more;
    }
    return new Environment(
      variables ? new Map([...this.#variables, ...Object.entries(variables)]) : this.#variables,
      functions,
      types ? [...this.#types, types] : this.#types,
      bindings ?? this.bindings,
    );
  }

  variable(name: string): CelType | undefined {
    return this.#variables.get(name);
  }

  /** The type that a name denotes as a value: int, list, google.protobuf.Timestamp. */
  typeNamed(name: string): CelType | undefined {
    if (Object.hasOwn(typeNames, name)) return typeNames[name];
    return undefined;
  }

  /** Of a name used as a value: the variable's type, or type(T) for the name of a type. */
  identType(name: string): CelType | undefined {
    const variable = this.variable(name);
    if (variable) return variable;
    const type = this.typeNamed(name);
    return type && typeOfType(type);
  }

  function(name: string): FunctionDeclaration | undefined {
    return this.#functions.get(name);
  }

  /** Undefined where there is no such type. */
  fields(type: string): ((field: string) => CelType | undefined) | undefined {
    for (const provider of this.#types) {
      const found = provider.fields(type);
      if (found) return found;
    }
    return undefined;
  }
}

const merged = (a: readonly Overload[], b: readonly Overload[]): Overload[] => [
  ...a.filter(({ id }) => !b.some((other) => other.id === id)),
  ...b,
];
