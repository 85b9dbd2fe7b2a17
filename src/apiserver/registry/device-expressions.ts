/** Whether the expressions by which devices are chosen compile when they are written. upstream: dynamic-resource-allocation/cel/compile.go. */
import type { DeviceClass, ResourceClaimTemplate, ResourceV1ResourceClaim } from '#api';
import { baseEnvironment, compile, quantityType, types } from '#machinery/cel';
import type { CelType, Environment, SizeEstimator } from '#machinery/cel';
import { equal } from '#machinery/meta';
import { forbiddenField, invalidField } from '#machinery/status';
import type { FieldError } from '#machinery/status';
import type { DeviceSelector, ResourceClaimSpec } from '../../api/facts/types.ts';

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

function selectorErrors(selectors: readonly DeviceSelector[] | undefined, path: string): FieldError[] {
  return (selectors ?? []).flatMap(({ cel }, index): FieldError[] => {
    if (!cel) return [];
    const text = cel.expression ?? '';
    const at = `${path}[${index}].cel.expression`;
    try {
      const program = compile(text, environment);
      if (![boolType, anyType, dynType].some((type) => types.sameType(program.type, type)))
        return [invalidField(at, text, `must evaluate to bool or the unknown type, not ${types.formatType(program.type)}`)];
      return Number(program.estimateCost(sizes).max) > mostExpensive ? [forbiddenField(at, 'too complex, exceeds cost limit')] : [];
    } catch (error) {
      return [invalidField(at, text, `compilation failed: ${error instanceof Error ? error.message : String(error)}`)];
    }
  });
}

const specErrors = ({ devices }: ResourceClaimSpec, path: string): FieldError[] =>
  (devices?.requests ?? []).flatMap(({ exactly, firstAvailable = [] }, index) => {
    const at = `${path}.devices.requests[${index}]`;
    return [
      ...selectorErrors(exactly?.selectors, `${at}.exactly.selectors`),
      ...firstAvailable.flatMap(({ selectors }, choice) => selectorErrors(selectors, `${at}.firstAvailable[${choice}].selectors`)),
    ];
  });

/** What is stored already is not looked at again. */
export const claimExpressionErrors = ({ spec }: Partial<ResourceV1ResourceClaim>, old?: Partial<ResourceV1ResourceClaim>): FieldError[] =>
  spec && !(old && equal(spec, old.spec)) ? specErrors(spec, 'spec') : [];

export const templateExpressionErrors = ({ spec }: Partial<ResourceClaimTemplate>, old?: Partial<ResourceClaimTemplate>): FieldError[] =>
  spec?.spec && !(old && equal(spec, old.spec)) ? specErrors(spec.spec, 'spec.spec') : [];

export const classExpressionErrors = ({ spec }: Partial<DeviceClass>, old?: Partial<DeviceClass>): FieldError[] =>
  spec && !(old && equal(spec, old.spec)) ? selectorErrors(spec.selectors, 'spec.selectors') : [];
