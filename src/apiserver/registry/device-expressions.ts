/** Whether the expressions by which devices are chosen compile when they are written. upstream: dynamic-resource-allocation/cel/compile.go. */
import type { ExpressionCheck } from '#api';
import { baseEnvironment, compile, quantityType, types } from '#machinery/cel';
import type { CelType, Environment, SizeEstimator } from '#machinery/cel';
import { forbiddenField, invalidField } from '#machinery/status';

const { anyType, boolType, dynType, mapOf, stringType, struct } = types;

const deviceType = 'kubernetes.DRADevice';
const fields: Readonly<Record<string, CelType>> = {
  driver: stringType,
  attributes: mapOf(stringType, mapOf(stringType, dynType)),
  capacity: mapOf(stringType, mapOf(stringType, quantityType)),
};

const environment: Environment = baseEnvironment.extend({
  variables: { device: struct(deviceType) },
  types: { fields: (type) => (type === deviceType ? (field) => (Object.hasOwn(fields, field) ? fields[field] : undefined) : undefined) },
  bindings: true,
});

const longest = { driver: 63, domain: 63, id: 32, value: 64 };
const mostAttributes = 32;
const mostExpensive = 1_000_000;

/** The largest that a device can be; `path` begins with the variable. */
const sizes: SizeEstimator = ({ path }) => {
  if (path?.[0] !== 'device') return undefined;
  const [, field, first, second] = path;
  const upTo = (max: number): { min: number; max: number } => ({ min: 0, max });
  if (field === 'driver') return upTo(longest.driver);
  if (field !== 'attributes' && field !== 'capacity') return undefined;
  if (first === undefined) return upTo(mostAttributes);
  if (first === '@keys') return upTo(longest.domain);
  if (second === undefined) return upTo(mostAttributes);
  return upTo(second === '@keys' ? longest.id : field === 'attributes' ? longest.value : 0);
};

export const deviceSelectorErrors: ExpressionCheck = (path, text) => {
  try {
    const program = compile(text, environment);
    if (![boolType, anyType, dynType].some((type) => types.sameType(program.type, type)))
      return [invalidField(path, text, `must evaluate to bool or the unknown type, not ${types.formatType(program.type)}`)];
    return Number(program.estimateCost(sizes).max) > mostExpensive ? [forbiddenField(path, 'too complex, exceeds cost limit')] : [];
  } catch (error) {
    return [invalidField(path, text, `compilation failed: ${error instanceof Error ? error.message : String(error)}`)];
  }
};
