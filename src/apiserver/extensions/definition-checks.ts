/**
 * What is checked of a definition's schemas once they have a valid structure: rules compile and cannot cost too much, defaults are valid.
 * upstream: apiextensions-apiserver/pkg/apis/apiextensions/validation, pkg/apiserver/schema/defaulting/validation.go.
 */
import type { CustomResourceDefinition, ValidationRule } from '#api';
import { draft, equal } from '#machinery/meta';
import { forbiddenField, internalField, invalidField } from '#machinery/status';
import type { FieldError } from '#machinery/status';
import { checkEmbedded } from './embedded.ts';
import { compileRules, expressionRules } from './expression-rules.ts';
import { checkListTypes } from './list-types.ts';
import { additionalOf, isObject, itemsOf } from './schema.ts';
import type { Schema } from './schema.ts';
import { prune } from './structure.ts';
import { patternProblem, validateSchema } from './validation.ts';

type Cel = typeof import('#machinery/cel');

const expressionLimit = 10_000_000;
const definitionLimit = 100_000_000;
const mostExpensive = 4;

/** Schemas that an update leaves alone are not looked at again. */
export async function checkDefinition(definition: CustomResourceDefinition, old?: CustomResourceDefinition): Promise<FieldError[]> {
  const { versions } = definition.spec;
  const errors: FieldError[] = [];
  const [first] = versions;
  const same = versions.every(({ schema }) => equal(schema, first?.schema));
  for (const [index, { name, schema }] of versions.entries()) {
    if (same && index > 0) break;
    const own = schema?.openAPIV3Schema;
    const before = old?.spec.versions.find((version) => version.name === name)?.schema?.openAPIV3Schema;
    if (!own || equal(own, before)) continue;
    const at = same ? 'spec.validation.openAPIV3Schema' : `spec.versions[${index}].schema.openAPIV3Schema`;
    const found = await checkExpressions(own, at);
    errors.push(...found);
    if (found.length === 0) await checkDefaults(errors, own, at, { isRoot: true });
  }
  return errors;
}

interface Costs {
  total: number;
  expensive: { path: string; cost: number }[];
}

/** What holds around a part of the schema. */
interface Place {
  /** How many values one object can have here; Infinity where nothing says so. */
  cardinality: number;
  isRoot: boolean;
  /** The place below which old and new values cannot be matched. */
  unmatched?: string;
}

async function checkExpressions(schema: Schema, path: string): Promise<FieldError[]> {
  const errors: FieldError[] = [];
  const costs: Costs = { total: 0, expensive: [] };
  let cel: Cel | undefined;
  const walk = async (at: Schema, here: string, place: Place): Promise<void> => {
    const wrong = at.pattern && patternProblem(at.pattern);
    if (wrong) errors.push(invalidField(`${here}.pattern`, at.pattern, `must be a valid regular expression, but isn't: ${wrong}`));
    if (at['x-kubernetes-validations']?.length) checkRules(errors, costs, (cel ??= await import('#machinery/cel')), at, here, place);
    const cardinality = place.cardinality * multiplier(at);
    const below = { cardinality, ...(place.unmatched && { unmatched: place.unmatched }) };
    const inner = async (child: Schema, name: string, extra: Partial<Place> = {}): Promise<void> =>
      walk(child, `${here}.${name}`, { ...below, isRoot: child['x-kubernetes-embedded-resource'] === true, ...extra });
    const additional = additionalOf(at);
    if (additional) await inner(additional, 'additionalProperties');
    for (const [name, property] of Object.entries(at.properties ?? {})) await inner(property, `properties[${name}]`);
    const items = itemsOf(at);
    if (items) await inner(items, 'items', at['x-kubernetes-list-type'] === 'map' || place.unmatched ? {} : { unmatched: `${here}.items` });
  };
  await walk(schema, path, { cardinality: 1, isRoot: true });
  if (costs.total > definitionLimit) {
    for (const { path: at } of costs.expensive)
      errors.push(forbiddenField(at, 'contributed to estimated rule cost total exceeding cost limit for entire OpenAPIv3 schema'));
    errors.push(
      forbiddenField(
        path,
        tooExpensive('x-kubernetes-validations estimated rule cost total for entire OpenAPIv3 schema', costs.total, definitionLimit),
      ),
    );
  }
  return errors;
}

/** How many values stand below one value. */
function multiplier(schema: Schema): number {
  if (schema.type === 'array') return schema.maxItems === undefined ? Infinity : Math.max(0, schema.maxItems);
  if (schema.type === 'object' && schema.additionalProperties !== undefined)
    return schema.maxProperties === undefined ? Infinity : Math.max(0, schema.maxProperties);
  return 1;
}

/** As upstream prints a rule that it refuses: its internal type, whose fields have no names in JSON. upstream: apiextensions.ValidationRule. */
const internalRule = (rule: ValidationRule): Record<string, unknown> => ({
  Rule: rule.rule,
  Message: rule.message ?? '',
  MessageExpression: rule.messageExpression ?? '',
  Reason: rule.reason ?? null,
  FieldPath: rule.fieldPath ?? '',
  OptionalOldSelf: rule.optionalOldSelf ?? null,
});

function checkRules(errors: FieldError[], costs: Costs, cel: Cel, schema: Schema, path: string, place: Place): void {
  const here = `${path}.x-kubernetes-validations`;
  const declaration = cel.declareSchema(schema as never, place.isRoot, 'selfType');
  if (!declaration) {
    errors.push(
      internalField(
        here,
        'internal error: failed to construct type information for x-kubernetes-validations rules: unable to convert structural schema to CEL declarations',
      ),
    );
    return;
  }
  const cardinality = place.cardinality === Infinity ? declaration.maxCardinality : place.cardinality;
  const spend = (at: string, cost: number): void => {
    costs.total += cost;
    if (cost < definitionLimit / 100) return;
    costs.expensive.push({ path: at, cost });
    costs.expensive.sort((a, b) => b.cost - a.cost).splice(mostExpensive);
  };
  for (const [index, compiled] of compileRules(cel, schema, declaration).entries()) {
    const { rule, program, error, message, messageError, usesOldSelf } = compiled;
    const at = `${here}[${index}]`;
    if (program) {
      const cost = Number(program.estimateCost(declaration.sizes).max) * cardinality;
      if (cost > expressionLimit) errors.push(forbiddenField(`${at}.rule`, tooExpensive('estimated rule cost', cost, expressionLimit)));
      spend(`${at}.rule`, cost);
    }
    if (error) errors.push(invalidField(`${at}.rule`, internalRule(rule), error));
    if (messageError) errors.push(invalidField(`${at}.messageExpression`, internalRule(rule), messageError));
    else if (message) {
      const cost = Number(message.estimateCost(declaration.sizes).max);
      if (cost > expressionLimit)
        errors.push(forbiddenField(`${at}.messageExpression`, tooExpensive('estimated messageExpression cost', cost, expressionLimit)));
      spend(`${at}.messageExpression`, cost);
    }
    if (usesOldSelf && place.unmatched)
      errors.push(
        invalidField(
          `${at}.rule`,
          rule.rule,
          `oldSelf cannot be used on the uncorrelatable portion of the schema within ${place.unmatched}`,
        ),
      );
    else if (!usesOldSelf && rule.optionalOldSelf !== undefined)
      errors.push(invalidField(`${at}.optionalOldSelf`, rule.optionalOldSelf, 'may not be set if oldSelf is not used in rule'));
  }
}

function tooExpensive(name: string, cost: number, limit: number): string {
  const exceeds = cost / limit;
  const factor = exceeds > 100 ? 'more than 100x' : exceeds < 1.5 ? `${exceeds.toFixed(6)}x` : `${exceeds.toFixed(1)}x`;
  return `${name} exceeds budget by factor of ${factor} (try simplifying the rule, or adding maxItems, maxProperties, and maxLength where arrays, maps, and strings are declared)`;
}

/** Every default fits its own schema, with nothing in it that pruning would take away. */
async function checkDefaults(errors: FieldError[], schema: Schema, path: string, { isRoot }: { isRoot: boolean }): Promise<void> {
  const value = schema.default;
  const at = `${path}.default`;
  if (value !== undefined && value !== null) {
    const pruned: unknown = draft(value);
    // As a field of something else, so that it is not taken for an object of the API itself.
    prune({ value: pruned }, { type: 'object', properties: { value: schema } });
    if (!equal(pruned, value)) errors.push(invalidField(at, value, 'must not have unknown fields'));
    else {
      const found = [...validateSchema(value, schema, at), ...checkEmbedded(value, schema, at), ...checkListTypes(value, schema, at)];
      if (found.length === 0) {
        const rules = await expressionRules(schema, isRoot || schema['x-kubernetes-embedded-resource'] === true);
        if (rules) found.push(...rules.check(value, value, at), ...rules.check(value, undefined, at));
      }
      errors.push(...found);
    }
  }
  // There are none below additionalProperties.
  const items = itemsOf(schema);
  if (items) await checkDefaults(errors, items, `${path}.items`, { isRoot: false });
  for (const [name, property] of Object.entries(schema.properties ?? {}))
    if (isObject(property)) await checkDefaults(errors, property as Schema, `${path}.properties[${name}]`, { isRoot: false });
}
