/** One operation on one path, in either version of OpenAPI. upstream: kube-openapi/pkg/builder, builder3. */
import { parameterSchemas } from './parameters.ts';
import type { Parameter } from './parameters.ts';
import { refOf } from './schemas.ts';
import type { Dialect, JsonSchema } from './schemas.ts';

export interface Operation {
  description: string;
  id: string;
  tag: string;
  action?: string;
  gvk?: { group: string; version: string; kind: string };
  parameters?: Parameter[];
  /** A schema's name. */
  body?: string;
  optionalBody?: boolean;
  bodyTypes?: string[];
  /** A schema's name; without one the answer is text. */
  answer?: string;
  codes?: number[];
  produces: string[];
}

export const mediaTypes = ['application/json', 'application/yaml', 'application/vnd.kubernetes.protobuf'];
export const streams = ['application/json;stream=watch', 'application/vnd.kubernetes.protobuf;stream=watch'];

const texts: Record<number, string> = { 200: 'OK', 201: 'Created', 202: 'Accepted' };

const capital = (word: string): string => word.charAt(0).toUpperCase() + word.slice(1);
const words = (group: string): string[] => group.replace(/\.k8s\.io$/, '').split(/[.-]/);

/** "apps" + "v1" → AppsV1; "rbac.authorization.k8s.io" → RbacAuthorizationV1. */
export const operationGroup = (group: string, version: string): string =>
  (group ? words(group).map(capital).join('') : 'Core') + capital(version);

/** "flowcontrol.apiserver.k8s.io" → flowcontrolApiserver; with a version, flowcontrolApiserver_v1. */
export const tagOf = (group: string, version?: string): string => {
  const [first = '', ...rest] = group ? words(group) : ['core'];
  return `${first}${rest.map(capital).join('')}${version ? `_${version}` : ''}`;
};

export function operationSchema(operation: Operation, dialect: Dialect): JsonSchema {
  const { description, id, tag, action, gvk, answer, produces, codes = [200] } = operation;
  const common = {
    description,
    operationId: id,
    tags: [tag],
    ...(action && { 'x-kubernetes-action': action }),
    ...(gvk && { 'x-kubernetes-group-version-kind': gvk }),
  };
  const parameters = parameterSchemas(operation.parameters ?? [], dialect);
  const shape = answer === undefined ? { type: 'string' } : { $ref: refOf(answer, dialect) };
  const responses: JsonSchema = {};
  for (const code of codes)
    responses[code] =
      dialect === 'v3'
        ? { description: texts[code], content: Object.fromEntries(produces.map((type) => [type, { schema: shape }])) }
        : { description: texts[code], schema: shape };
  responses['401'] = { description: 'Unauthorized' };
  const { body, bodyTypes = ['*/*'], optionalBody } = operation;
  const required = !optionalBody && { required: true };
  const schema = body && { $ref: refOf(body, dialect) };
  if (dialect === 'v2')
    return {
      ...common,
      consumes: bodyTypes,
      produces,
      schemes: ['https'],
      ...((schema || operation.parameters) && {
        parameters: [...(schema ? [{ name: 'body', in: 'body', ...required, schema }] : []), ...parameters],
      }),
      responses,
    };
  return {
    ...common,
    ...(parameters.length > 0 && { parameters }),
    ...(schema && { requestBody: { content: Object.fromEntries(bodyTypes.map((type) => [type, { schema }])), ...required } }),
    responses,
  };
}
