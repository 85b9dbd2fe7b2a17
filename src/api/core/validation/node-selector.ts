/** Terms that choose nodes. upstream: ValidateNodeSelector and what it calls. */
import { isValidLabelValue, nameIsDNSSubdomain, validateLabelName } from '#machinery/names';
import { forbiddenField, invalidField, invalidFor, required } from '../../checks.ts';
import type { Errors } from '../../checks.ts';
import type { NodeSelector, NodeSelectorRequirement, NodeSelectorTerm } from '../../facts/types.ts';

function checkRequirement(
  errors: Errors,
  path: string,
  { key, operator, values = [] }: NodeSelectorRequirement,
  checkValues: boolean,
): void {
  if (operator === 'In' || operator === 'NotIn') {
    if (!values.length) errors.push(required(`${path}.values`, "must be specified when `operator` is 'In' or 'NotIn'"));
  } else if (operator === 'Exists' || operator === 'DoesNotExist') {
    if (values.length) errors.push(forbiddenField(`${path}.values`, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"));
  } else if (operator === 'Gt' || operator === 'Lt') {
    if (values.length !== 1) errors.push(required(`${path}.values`, "must be specified single value when `operator` is 'Lt' or 'Gt'"));
  } else errors.push(invalidField(`${path}.operator`, operator ?? '', 'not a valid selector operator'));
  errors.push(...validateLabelName(key ?? '', `${path}.key`));
  if (checkValues)
    for (const [index, value] of values.entries()) invalidFor(errors, `${path}.values[${index}]`, value, isValidLabelValue(value));
}

function checkFieldRequirement(errors: Errors, path: string, { key, operator, values = [] }: NodeSelectorRequirement): void {
  if (operator === 'In' || operator === 'NotIn') {
    if (values.length !== 1)
      errors.push(required(`${path}.values`, "must be only one value when `operator` is 'In' or 'NotIn' for node field selector"));
  } else errors.push(invalidField(`${path}.operator`, operator ?? '', 'not a valid selector operator'));
  if (key !== 'metadata.name') errors.push(invalidField(`${path}.key`, key ?? '', 'not a valid field selector key'));
  else
    for (const [index, value] of values.entries()) invalidFor(errors, `${path}.values[${index}]`, value, nameIsDNSSubdomain(value, false));
}

/** `checkValues`: whether values must be label values (preferences are laxer than requirements). */
export function checkNodeSelectorTerm(errors: Errors, path: string, term: NodeSelectorTerm | undefined, checkValues: boolean): void {
  for (const [index, each] of (term?.matchExpressions ?? []).entries())
    checkRequirement(errors, `${path}.matchExpressions[${index}]`, each, checkValues);
  for (const [index, each] of (term?.matchFields ?? []).entries()) checkFieldRequirement(errors, `${path}.matchFields[${index}]`, each);
}

export function checkNodeSelector(errors: Errors, path: string, selector: NodeSelector, checkValues = true): void {
  if (!selector.nodeSelectorTerms?.length) {
    errors.push(required(`${path}.nodeSelectorTerms`, 'must have at least one node selector term'));
    return;
  }
  for (const [index, term] of selector.nodeSelectorTerms.entries())
    checkNodeSelectorTerm(errors, `${path}.nodeSelectorTerms[${index}]`, term, checkValues);
}

/** Whether the stored object has values that today's rules refuse. */
export const hasInvalidValue = (selector: NodeSelector | undefined): boolean =>
  selector?.nodeSelectorTerms?.some((term) =>
    term.matchExpressions?.some((each) => each.values?.some((value) => isValidLabelValue(value).length > 0)),
  ) ?? false;
