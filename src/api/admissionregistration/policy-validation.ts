/** upstream: ValidateValidatingAdmissionPolicy, -Binding in pkg/apis/admissionregistration/validation. */
import { nameIsDNSSubdomain, nameIsPathSegment, validateConditions } from '#machinery/names';
import {
  checkName,
  checkQualifiedName,
  checkSelector,
  duplicate,
  forbiddenField,
  invalidField,
  invalidFor,
  required,
  unsupported,
} from '../checks.ts';
import type { Errors } from '../checks.ts';
import type { ExpressionChecks, PolicyExpressionChecks } from '../contract.ts';
import type { ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding } from '../facts/kinds.ts';
import type { AuditAnnotation, ParamRef, Validation, Variable } from '../facts/types.ts';
import { same } from '../same.ts';
import { checkMatchConditions, checkMatchResources, checkOptional, checkParamKind, failurePolicies } from './match-validation.ts';

const mostAnnotations = 20;
const longestValueExpression = 5 * 1024;
const reasons = ['Forbidden', 'Invalid', 'RequestEntityTooLarge'];
const actions = ['Audit', 'Deny', 'Warn'];
const reserved = new Set(
  'true false null in as break const continue else for function if import let loop package namespace return var void while'.split(' '),
);

type Expressions = PolicyExpressionChecks | undefined;

function checkVariable(errors: Errors, path: string, { name = '', expression }: Partial<Variable>, expressions: Expressions): void {
  if (!name.trim()) errors.push(required(`${path}.name`, 'name is not specified'));
  else if (!/^[_a-zA-Z][_a-zA-Z0-9]*$/.test(name) || reserved.has(name))
    errors.push(invalidField(`${path}.name`, name, 'must be a valid CEL identifier'));
  if (!expression?.trim()) errors.push(required(`${path}.expression`, 'expression is not specified'));
  else if (expressions) errors.push(...expressions.variable(`${path}.expression`, name, expression));
}

function checkValidation(errors: Errors, path: string, validation: Partial<Validation>, expressions: Expressions): void {
  const { expression, message = '', messageExpression = '', reason } = validation;
  if (!expression?.trim()) errors.push(required(`${path}.expression`, 'expression is not specified'));
  else if (expressions) errors.push(...expressions.validation(`${path}.expression`, expression));
  if (messageExpression && !messageExpression.trim())
    errors.push(invalidField(`${path}.messageExpression`, messageExpression, 'must be non-empty if specified'));
  else if (messageExpression && expressions) errors.push(...expressions.message(`${path}.messageExpression`, messageExpression));
  if (message && !message.trim()) errors.push(invalidField(`${path}.message`, message, 'must be non-empty if specified'));
  else if (/[\n\r]/.test(message.trim())) errors.push(invalidField(`${path}.message`, message, 'must not contain line breaks'));
  checkOptional(errors, `${path}.reason`, reason, reasons);
}

function checkAnnotations(
  errors: Errors,
  path: string,
  name: string,
  annotations: readonly AuditAnnotation[],
  expressions: Expressions,
): void {
  if (annotations.length > mostAnnotations)
    errors.push(invalidField(path, annotations, `must not have more than ${mostAnnotations} auditAnnotations`));
  const keys = new Set<string>();
  for (const [index, { key = '', valueExpression = '' }] of (annotations as Partial<AuditAnnotation>[]).entries()) {
    const at = `${path}[${index}]`;
    if (name) checkQualifiedName(errors, `${at}.key`, `${name}/${key}`);
    else errors.push(invalidField(`${at}.key`, key, 'requires metadata.name be non-empty'));
    const length = Buffer.byteLength(valueExpression.trim());
    if (length === 0) errors.push(required(`${at}.valueExpression`, 'valueExpression is not specified'));
    else if (length > longestValueExpression)
      errors.push(required(`${at}.valueExpression`, `must not exceed ${longestValueExpression} bytes in length`));
    else if (expressions) errors.push(...expressions.annotation(`${at}.valueExpression`, valueExpression));
    if (keys.has(key)) errors.push(duplicate(`${at}.key`, key));
    keys.add(key);
  }
}

/** Stored conditions are not looked at again. */
const keepsConditions = (policy: ValidatingAdmissionPolicy, old: ValidatingAdmissionPolicy | undefined): boolean =>
  old !== undefined && same(policy.spec?.paramKind, old.spec?.paramKind) && same(policy.spec?.matchConditions, old.spec?.matchConditions);

export function validatePolicy(policy: ValidatingAdmissionPolicy, old?: ValidatingAdmissionPolicy, checks?: ExpressionChecks): Errors {
  const errors: Errors = [];
  const spec = policy.spec ?? {};
  const { failurePolicy, paramKind, matchConstraints: match, variables = [], validations = [], auditAnnotations = [] } = spec;
  const expressions = checks?.policy({ params: paramKind !== undefined, variables: variables.length > 0 });
  if (failurePolicy === undefined) errors.push(required('spec.failurePolicy'));
  checkOptional(errors, 'spec.failurePolicy', failurePolicy, failurePolicies);
  if (paramKind) checkParamKind(errors, 'spec.paramKind', paramKind);
  if (match) {
    checkMatchResources(errors, 'spec.matchConstraints', match);
    if (!match.resourceRules?.length) errors.push(required('spec.matchConstraints.resourceRules'));
  } else errors.push(required('spec.matchConstraints'));
  if (!keepsConditions(policy, old))
    checkMatchConditions(errors, 'spec.matchConditions', spec.matchConditions ?? [], expressions?.condition);
  for (const [index, variable] of variables.entries()) checkVariable(errors, `spec.variables[${index}]`, variable, expressions);
  if (!validations.length && !auditAnnotations.length) {
    const detail = 'validations or auditAnnotations must contain at least one item';
    errors.push(required('spec.validations', detail), required('spec.auditAnnotations', detail));
  }
  for (const [index, validation] of validations.entries()) checkValidation(errors, `spec.validations[${index}]`, validation, expressions);
  checkAnnotations(errors, 'spec.auditAnnotations', policy.metadata?.name ?? '', auditAnnotations, expressions);
  return errors;
}

export function validatePolicyStatus({ status }: ValidatingAdmissionPolicy): Errors {
  const errors: Errors = [];
  for (const [index, { warning, fieldRef }] of (status?.typeChecking?.expressionWarnings ?? []).entries()) {
    const path = `status.typeChecking.expressionWarnings[${index}]`;
    if (!warning) errors.push(required(`${path}.warning`));
    if (!fieldRef?.trim()) errors.push(required(`${path}.fieldRef`));
  }
  return [...errors, ...validateConditions(status?.conditions, 'status.conditions')];
}

function checkParamRef(errors: Errors, path: string, reference: ParamRef | undefined): void {
  if (!reference) return;
  const { name, selector, parameterNotFoundAction: action } = reference;
  const exclusive = 'name and selector are mutually exclusive';
  if (name) {
    invalidFor(errors, `${path}.name`, name, nameIsPathSegment(name, false));
    if (selector) errors.push(forbiddenField(`${path}.name`, exclusive));
  }
  if (selector) {
    checkSelector(errors, `${path}.selector`, selector);
    if (name) errors.push(forbiddenField(`${path}.selector`, exclusive));
  }
  if (!name && !selector) errors.push(required(path, 'one of name or selector must be specified'));
  if (!action) errors.push(required(`${path}.parameterNotFoundAction`));
  else checkOptional(errors, `${path}.parameterNotFoundAction`, action, ['Deny', 'Allow']);
}

function checkActions(errors: Errors, path: string, list: readonly string[]): void {
  for (const [index, action] of list.entries()) {
    if (!actions.includes(action)) errors.push(unsupported(`${path}[${index}]`, action, actions));
    if (list.indexOf(action) < index) errors.push(duplicate(`${path}[${index}]`, action));
  }
  if (list.includes('Deny') && list.includes('Warn'))
    errors.push(
      invalidField(
        path,
        list,
        'must not contain both Deny and Warn (repeating the same validation failure information in the API response and headers serves no purpose)',
      ),
    );
  if (list.length === 0) errors.push(required(path, 'at least one validation action is required'));
}

export function validatePolicyBinding({ spec = {} }: ValidatingAdmissionPolicyBinding): Errors {
  const errors: Errors = [];
  checkName(errors, 'spec.policyName', spec.policyName, nameIsDNSSubdomain);
  checkParamRef(errors, 'spec.paramRef', spec.paramRef);
  checkMatchResources(errors, 'spec.matchResources', spec.matchResources);
  checkActions(errors, 'spec.validationActions', spec.validationActions ?? []);
  return errors;
}
