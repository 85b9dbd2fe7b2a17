/**
 * Rules about values in CEL, wherever the schema has them (x-kubernetes-validations).
 * upstream: apiextensions-apiserver/pkg/apiserver/schema/cel/{compilation,validation}.go.
 */
import type { ValidationRule } from '#api';
import type { Activation, Declaration, Program, Value } from '#machinery/cel';
import { equal } from '#machinery/meta';
import type { FieldError } from '#machinery/status';
import { additionalOf, childPath, isObject, itemsOf, keyPath } from './schema.ts';
import type { Schema } from './schema.ts';
import { beforeItem } from './validation.ts';

export interface ExpressionRules {
  /** `path`: where `value` sits, "" for a whole object. */
  check(value: unknown, old?: unknown, path?: string): FieldError[];
}

/** One rule, compiled. */
export interface CompiledRule {
  rule: ValidationRule;
  program?: Program;
  /** Why there is no program. */
  error?: string;
  usesOldSelf: boolean;
  message?: Program;
  messageError?: string;
}

interface Node {
  schema: Schema;
  isRoot: boolean;
  rules: CompiledRule[];
  /** Why none of the rules can run. */
  error?: string;
  items?: Node;
  additional?: Node;
  properties?: Map<string, Node>;
}

const hasRules = (schema: Schema | undefined): boolean =>
  schema !== undefined &&
  (Boolean(schema['x-kubernetes-validations']?.length) ||
    hasRules(itemsOf(schema)) ||
    hasRules(additionalOf(schema)) ||
    Object.values(schema.properties ?? {}).some(hasRules));

const typeName = 'selfType';
const maxMessage = 5 * 1024;

type Cel = typeof import('#machinery/cel');

/** Compiles the rules that stand at one place of a schema. */
export function compileRules(cel: Cel, schema: Schema, declaration: Declaration): CompiledRule[] {
  const { root, types } = declaration;
  const extended = (oldSelf: typeof root.type) => cel.baseEnvironment.extend({ types, variables: { self: root.type, oldSelf } });
  const plain = extended(root.type);
  const compile = (text: string, optional: boolean): Program =>
    cel.compile(text, optional ? extended(cel.types.optionalOf(root.type)) : plain);
  return (schema['x-kubernetes-validations'] ?? []).map((rule): CompiledRule => {
    if (!rule.rule?.trim()) return { rule, usesOldSelf: false };
    const optional = rule.optionalOldSelf === true;
    let program: Program;
    try {
      program = compile(rule.rule, optional);
    } catch (error) {
      return { rule, usesOldSelf: false, error: `compilation failed: ${messageOf(error)}` };
    }
    if (!cel.types.sameType(program.type, cel.types.boolType))
      return { rule, usesOldSelf: false, error: 'cel expression must evaluate to a bool' };
    const compiled: CompiledRule = { rule, program, usesOldSelf: program.uses('oldSelf') };
    if (!rule.messageExpression) return compiled;
    try {
      const message = compile(rule.messageExpression, optional);
      if (cel.types.sameType(message.type, cel.types.stringType)) compiled.message = message;
      else compiled.messageError = 'messageExpression must evaluate to a string';
    } catch (error) {
      compiled.messageError = `messageExpression compilation failed: ${messageOf(error)}`;
    }
    return compiled;
  });
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

function nodeOf(cel: Cel, schema: Schema, isRoot: boolean, visible: boolean): Node | undefined {
  if (!visible || !hasRules(schema)) return undefined;
  const node: Node = { schema, isRoot, rules: [] };
  const declaration = cel.declareSchema(schema as never, isRoot, typeName);
  if (schema['x-kubernetes-validations']?.length) {
    if (declaration) node.rules = compileRules(cel, schema, declaration);
    else node.error = 'failed to convert to declType for CEL validation rules';
  }
  const child = (inner: Schema | undefined): Node | undefined =>
    inner && nodeOf(cel, inner, inner['x-kubernetes-embedded-resource'] === true, declaration !== undefined);
  const items = child(itemsOf(schema));
  if (items) node.items = items;
  const additional = child(additionalOf(schema));
  if (additional) node.additional = additional;
  for (const [name, property] of Object.entries(schema.properties ?? {})) {
    const made = child(property);
    if (made) (node.properties ??= new Map()).set(name, made);
  }
  return node;
}

/** Undefined where the schema has no rules; CEL is then not loaded. */
export async function expressionRules(schema: Schema, isRoot = true): Promise<ExpressionRules | undefined> {
  if (!hasRules(schema)) return undefined;
  const cel = await import('#machinery/cel');
  const node = nodeOf(cel, schema, isRoot, true);
  return (
    node && {
      check(value, old, path = '') {
        const run = new Run(cel);
        run.walk(node, value, old, path, old === undefined ? undefined : { value, old }, undefined);
        return run.errors;
      },
    }
  );
}

/** A value and the one that was in its place. */
interface Pair {
  value: unknown;
  old: unknown;
}

const outOfBudget = 'validation failed due to running out of cost budget, no further validation rules will be run';

/** One object on its way through the rules: what they may cost is counted over all of it. */
class Run {
  readonly errors: FieldError[] = [];
  readonly #cel: Cel;
  #budget: number;
  #over = false;

  constructor(cel: Cel) {
    this.#cel = cel;
    this.#budget = cel.runtimeCostBudget;
  }

  /** `pair`: the value with its old one where they belong together; `above`: the nearest such pair around it. */
  walk(node: Node, value: unknown, old: unknown, path: string, pair: Pair | undefined, above: Pair | undefined): void {
    if (value === null || value === undefined || this.#over) return;
    this.#checkRules(node, value, old ?? undefined, path, pair ?? above);
    if (this.#over) return;
    if (Array.isArray(value)) {
      if (!node.items) return;
      for (const [index, item] of value.entries()) {
        const before = Array.isArray(old) ? beforeItem(item, node.schema, { value: old }) : undefined;
        const next = pair && before ? { value: item, old: before.value } : undefined;
        this.walk(node.items, item, before?.value, `${path}[${index}]`, next, pair ?? above);
      }
      return;
    }
    if (!isObject(value)) return;
    const before = isObject(old) ? old : undefined;
    for (const [name, item] of Object.entries(value)) {
      const property = node.properties?.get(name);
      const inner = property ?? (node.schema.properties?.[name] ? undefined : node.additional);
      if (!inner) continue;
      const had = before && Object.hasOwn(before, name);
      const typeMeta = above === undefined && (name === 'apiVersion' || name === 'kind');
      const next = pair && had && !typeMeta ? { value: item, old: before[name] } : undefined;
      this.walk(
        inner,
        item,
        had ? before[name] : undefined,
        property ? childPath(path, name) : keyPath(path, name),
        next,
        typeMeta ? undefined : (pair ?? above),
      );
    }
  }

  #checkRules(node: Node, value: unknown, old: unknown, path: string, pair: Pair | undefined): void {
    const { schema, isRoot, rules, error } = node;
    const type = schema.type ?? '';
    const at = path || '<nil>';
    const fail = (detail: string): number =>
      this.errors.push({ type: 'FieldValueInvalid', field: at, message: `Invalid value: ${JSON.stringify(type)}: ${detail}` });
    if (error) return void fail(`rule compiler initialization error: ${error}`);
    if (rules.length === 0) return;
    if (this.#budget <= 0) return this.#stop(() => fail(outOfBudget));
    const cel = this.#cel;
    const whole = isRoot ? cel.withObjectMeta(schema as never) : (schema as never);
    const self = cel.schemaValue(value, whole);
    const oldSelf = old === undefined ? undefined : cel.schemaValue(old, whole);
    for (const compiled of rules) {
      const { rule, program, usesOldSelf } = compiled;
      if (compiled.error) {
        fail(`rule compile error: ${compiled.error}`);
        continue;
      }
      if (!program || (usesOldSelf && oldSelf === undefined && !rule.optionalOldSelf)) continue;
      const activation: Activation = (name) =>
        name === 'self' ? self : name !== 'oldSelf' ? undefined : rule.optionalOldSelf ? new cel.Optional(oldSelf) : oldSelf;
      const text = (rule.message ?? rule.rule).trim() || rule.rule.trim();
      const result = this.#evaluate(program, activation);
      if (result === 'limit')
        return this.#stop(() =>
          fail(
            `'operation cancelled: actual cost limit exceeded': no further validation rules will be run due to call cost exceeds limit for rule: ${text}`,
          ),
        );
      if (result === 'budget') return this.#stop(() => fail(outOfBudget));
      if (cel.isError(result)) {
        fail(
          result.message.startsWith('no such overload')
            ? `'${result.message}': call arguments did not match a supported operator, function or macro signature for rule: ${text}`
            : `${result.message} evaluating rule: ${text}`,
        );
        continue;
      }
      if (result === true) continue;
      // What was wrong before and was not touched may stay.
      if (!usesOldSelf && pair && equal(pair.value, pair.old)) continue;
      this.#failed(compiled, activation, value, schema, path, text);
      if (this.#over) return;
    }
  }

  #stop(tell: () => unknown): void {
    tell();
    this.#over = true;
  }

  #evaluate(program: Program, activation: Activation): Value | 'limit' | 'budget' {
    try {
      const { value, cost } = program.run(activation);
      if (cost > this.#budget) return 'budget';
      this.#budget -= cost;
      return value;
    } catch (error) {
      if (error instanceof this.#cel.CostLimitExceeded) return 'limit';
      throw error;
    }
  }

  #failed(compiled: CompiledRule, activation: Activation, value: unknown, schema: Schema, path: string, text: string): void {
    const { rule, message } = compiled;
    const at = (path ? path + fieldPathOf(rule, schema) : fieldPathOf(rule, schema).replace(/^\./, '')) || '<nil>';
    let detail = rule.message ? rule.message.trim() : `failed rule: ${text}`;
    if (message) {
      const made = this.#evaluate(message, activation);
      const invalid = (why: string): void =>
        this.#stop(() =>
          this.errors.push({
            type: 'FieldValueInvalid',
            field: at,
            message: `Invalid value: ${JSON.stringify(schema.type ?? '')}: ${why}`,
          }),
        );
      if (made === 'budget')
        return invalid('messageExpression evaluation failed due to running out of cost budget, no further validation rules will be run');
      if (made === 'limit')
        return invalid(
          `no further validation rules will be run due to call cost exceeds limit for messageExpression: ${JSON.stringify(rule.messageExpression)}`,
        );
      const said = typeof made === 'string' ? made.trim() : '';
      if (said && !said.includes('\n') && Buffer.byteLength(said) <= maxMessage) detail = said;
    }
    this.errors.push(errorFor(rule.reason, at, schema, value, detail));
  }
}

/** Objects and lists are not shown. */
function errorFor(reason: string | undefined, field: string, schema: Schema, value: unknown, detail: string): FieldError {
  const shown = schema.type === 'object' || schema.type === 'array' ? undefined : JSON.stringify(value);
  switch (reason) {
    case 'FieldValueForbidden':
      return { type: reason, field, message: `Forbidden: ${detail}` };
    case 'FieldValueRequired':
      return { type: reason, field, message: `Required value: ${detail}` };
    case 'FieldValueDuplicate':
      return { type: reason, field, message: shown === undefined ? 'Duplicate value' : `Duplicate value: ${shown}` };
    default:
      return {
        type: 'FieldValueInvalid',
        field,
        message: shown === undefined ? `Invalid value: ${detail}` : `Invalid value: ${shown}: ${detail}`,
      };
  }
}

const steps = /\.([^.[\]']+)|\['((?:\\.|[^'\\])*)'\]/g;

/** The rule's own path below the place it stands at, as error paths are written. */
function fieldPathOf(rule: ValidationRule, schema: Schema): string {
  let path = '';
  let at: Schema | undefined = schema;
  for (const [, name, quoted] of (rule.fieldPath ?? '').matchAll(steps)) {
    const field = name ?? quoted!.replace(/\\(.)/g, '$1');
    if (at?.properties) {
      path += `.${field}`;
      at = at.properties[field];
    } else {
      path += `[${field}]`;
      at = additionalOf(at);
    }
  }
  return path;
}
