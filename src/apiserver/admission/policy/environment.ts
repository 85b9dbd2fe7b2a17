import { authorizerType, baseEnvironment, resourceCheckType, types } from '#machinery/cel';
import type { CelType, Environment, TypeProvider } from '#machinery/cel';

const { boolType, dynType, intType, listOf, mapOf, stringType, struct, timestampType } = types;

type Fields = Readonly<Record<string, CelType>>;

const strings = (...names: string[]): Fields => Object.fromEntries(names.map((name) => [name, stringType]));
const labels = mapOf(stringType, stringType);

/** The types of `request` and `namespaceObject`. upstream: apiserver/pkg/admission/plugin/cel/compile.go. */
const declared: Readonly<Record<string, Fields>> = {
  'kubernetes.GroupVersionKind': strings('group', 'version', 'kind'),
  'kubernetes.GroupVersionResource': strings('group', 'version', 'resource'),
  'kubernetes.UserInfo': {
    ...strings('username', 'uid'),
    groups: listOf(stringType),
    extra: mapOf(stringType, listOf(stringType)),
  },
  'kubernetes.AdmissionRequest': {
    kind: struct('kubernetes.GroupVersionKind'),
    resource: struct('kubernetes.GroupVersionResource'),
    requestKind: struct('kubernetes.GroupVersionKind'),
    requestResource: struct('kubernetes.GroupVersionResource'),
    ...strings('subResource', 'requestSubResource', 'name', 'namespace', 'operation'),
    userInfo: struct('kubernetes.UserInfo'),
    dryRun: boolType,
    options: dynType,
  },
  'kubernetes.NamespaceSpec': { finalizers: listOf(stringType) },
  'kubernetes.NamespaceCondition': { ...strings('status', 'type', 'message', 'reason'), lastTransitionTime: timestampType },
  'kubernetes.NamespaceStatus': { conditions: listOf(struct('kubernetes.NamespaceCondition')), phase: stringType },
  'kubernetes.NamespaceMetadata': {
    ...strings('name', 'generateName', 'namespace', 'UID', 'resourceVersion'),
    labels,
    annotations: labels,
    creationTimestamp: timestampType,
    deletionTimestamp: timestampType,
    deletionGracePeriodSeconds: intType,
    generation: intType,
    finalizers: listOf(stringType),
  },
  'kubernetes.Namespace': {
    metadata: struct('kubernetes.NamespaceMetadata'),
    spec: struct('kubernetes.NamespaceSpec'),
    status: struct('kubernetes.NamespaceStatus'),
  },
};

const variablesType = 'kubernetes.variables';

const provider = (all: Readonly<Record<string, Fields>>): TypeProvider => ({
  fields: (type) => (Object.hasOwn(all, type) ? (field) => (Object.hasOwn(all[type]!, field) ? all[type]![field] : undefined) : undefined),
});

export interface EnvironmentOptions {
  params?: boolean;
  authorizer?: boolean;
  /** The types of the variables that a policy has defined so far. */
  variables?: Fields;
}

/** What an expression of admission may name. */
export const admissionEnvironment = ({ params, authorizer, variables }: EnvironmentOptions): Environment =>
  baseEnvironment.extend({
    variables: {
      object: dynType,
      oldObject: dynType,
      namespaceObject: struct('kubernetes.Namespace'),
      request: struct('kubernetes.AdmissionRequest'),
      ...(params && { params: dynType }),
      ...(authorizer && { authorizer: authorizerType, 'authorizer.requestResource': resourceCheckType }),
      ...(variables && { variables: struct(variablesType) }),
    },
    types: provider(variables ? { ...declared, [variablesType]: variables } : declared),
  });
