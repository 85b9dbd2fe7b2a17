import type { ValidatingAdmissionPolicy } from '#api';
import { kindFact, resourceFact } from '#api/facts';
import type { ResourceFact } from '#api/facts';
import {
  authorizerType,
  baseEnvironment,
  CelCompileError,
  compile,
  factCelType,
  factTypes,
  resourceCheckType,
  types,
} from '#machinery/cel';
import type { CelType, Environment } from '#machinery/cel';

type Warning = NonNullable<NonNullable<NonNullable<ValidatingAdmissionPolicy['status']>['typeChecking']>['expressionWarnings']>[number];

/** A policy is checked against so many types at most. upstream: maxTypesToCheck. */
const mostTypes = 10;
const variablesType = 'kubernetes.variables';

/** The built-in types that a policy names outright; with wildcards nothing can be said beforehand. */
function typesOf({ spec }: ValidatingAdmissionPolicy): ResourceFact[] {
  const found = new Map<string, ResourceFact>();
  for (const { apiGroups = [], apiVersions = [], resources = [] } of spec?.matchConstraints?.resourceRules ?? []) {
    if ([...apiGroups, ...apiVersions].includes('*')) continue;
    for (const resource of resources) {
      if (resource.includes('*') || resource.includes('/')) continue;
      for (const group of apiGroups)
        for (const version of apiVersions) {
          const fact = resourceFact(group, version, resource);
          if (fact && found.size < mostTypes) found.set(`${group}/${version}/${fact.kind}`, fact);
        }
    }
  }
  return [...found.values()].toSorted((a, b) => (`${a.group}/${a.version}/${a.kind}` < `${b.group}/${b.version}/${b.kind}` ? -1 : 1));
}

function paramsType({ spec }: ValidatingAdmissionPolicy): CelType | undefined {
  if (!spec?.paramKind) return undefined;
  const { apiVersion = '', kind = '' } = spec.paramKind;
  const [group, version] = apiVersion.includes('/') ? (apiVersion.split('/') as [string, string]) : ['', apiVersion];
  const fact = kindFact(group, version, kind);
  return fact ? factCelType(fact.type) : types.dynType;
}

/** What expressions of a policy may name when it is about objects of one type; its own variables in order, each seeing those before it. */
function environmentFor(policy: ValidatingAdmissionPolicy, fact: ResourceFact): Environment {
  const object = factCelType(fact.type);
  const params = paramsType(policy);
  const variables = new Map<string, CelType>();
  const environment = baseEnvironment.extend({ types: factTypes }).extend({
    types: { fields: (type) => (type === variablesType ? (name) => variables.get(name) : undefined) },
    variables: {
      object,
      oldObject: object,
      ...(params && { params }),
      request: types.dynType,
      namespaceObject: types.dynType,
      authorizer: authorizerType,
      'authorizer.requestResource': resourceCheckType,
      variables: types.struct(variablesType),
    },
  });
  for (const { name, expression } of policy.spec?.variables ?? [])
    try {
      variables.set(name, compile(expression, environment).type);
    } catch (error) {
      if (!(error instanceof CelCompileError)) throw error;
      // A variable that does not compile is reported where it is used.
      variables.set(name, types.dynType);
    }
  return environment;
}

/** What is wrong with a policy's expressions, seen from the types it selects. upstream: apiserver/pkg/admission/plugin/policy/validating/typechecking.go. */
export function checkTypes(policy: ValidatingAdmissionPolicy): Warning[] {
  const targets = typesOf(policy).map((fact) => ({ fact, environment: environmentFor(policy, fact) }));
  const warnings: Warning[] = [];
  const check = (fieldRef: string, expression: string | undefined): void => {
    if (!expression) return;
    const messages: string[] = [];
    for (const { fact, environment } of targets)
      try {
        compile(expression, environment);
      } catch (error) {
        if (!(error instanceof CelCompileError)) throw error;
        const apiVersion = fact.group ? `${fact.group}/${fact.version}` : `/${fact.version}`;
        messages.push(`${apiVersion}, Kind=${fact.kind}: compilation failed: ${error.message}\n`);
      }
    if (messages.length) warnings.push({ fieldRef, warning: messages.join('\n') });
  };
  for (const [index, { expression, messageExpression }] of (policy.spec?.validations ?? []).entries()) {
    check(`spec.validations[${index}].expression`, expression);
    check(`spec.validations[${index}].messageExpression`, messageExpression);
  }
  return warnings;
}
