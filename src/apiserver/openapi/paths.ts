/** Operations on resources, as OpenAPI. upstream: apiserver/pkg/endpoints/installer.go (names and parameters). */
import type { ResourceFact, SubresourceFact } from '#api/facts';
import { refOf } from './schemas.ts';
import type { Dialect, JsonSchema } from './schemas.ts';

export interface ResourceModel {
  fact: ResourceFact;
  /** Names of schemas. */
  type: string;
  listType: string;
  /** The schema of a subresource's own kind. */
  subresourceType(subresource: SubresourceFact): string | undefined;
  /** Built-in types only. */
  strategicMerge: boolean;
}

const meta = 'io.k8s.apimachinery.pkg.apis.meta.v1.';

interface Parameter {
  name: string;
  in: 'query' | 'path';
  description: string;
  type: 'string' | 'integer' | 'boolean';
}

const query = (name: string, description: string, type: Parameter['type'] = 'string'): Parameter => ({
  name,
  in: 'query',
  description,
  type,
});
const dryRun = query('dryRun', 'All: go through every step but do not store the result.');
const fieldManager = query('fieldManager', 'Who makes the change; at most 128 printable characters.');
const fieldValidation = query('fieldValidation', 'What to do about unknown and duplicate fields: Ignore, Warn or Strict.');
const force = query('force', 'For apply: take over fields that others manage.', 'boolean');
const selection = [
  query('continue', 'The token that a limited list answered, to get its next page.'),
  query('fieldSelector', 'Only objects whose fields match.'),
  query('labelSelector', 'Only objects whose labels match.'),
  query('limit', 'At most so many objects.', 'integer'),
  query('resourceVersion', 'How fresh the answer must be.'),
  query('resourceVersionMatch', 'How resourceVersion is meant: Exact or NotOlderThan.'),
  query('sendInitialEvents', 'Begin a watch with what exists, marked by a bookmark.', 'boolean'),
  query('timeoutSeconds', 'How long a list or watch may take.', 'integer'),
];
const watching = [
  query('allowWatchBookmarks', 'Send events that only tell the revision.', 'boolean'),
  query('watch', 'Stream changes.', 'boolean'),
];
const deletion = [
  query('gracePeriodSeconds', 'Seconds the object has to end; 0 removes it at once.', 'integer'),
  query('ignoreStoreReadErrorWithClusterBreakingPotential', 'Delete what cannot be read.', 'boolean'),
  query('orphanDependents', 'Deprecated: use propagationPolicy.', 'boolean'),
  query('propagationPolicy', 'What becomes of dependents: Orphan, Background or Foreground.'),
];
const pretty = query('pretty', 'Indent the answer.');

const mediaTypes = ['application/json', 'application/vnd.kubernetes.protobuf', 'application/yaml'];
const streams = ['application/json;stream=watch', 'application/vnd.kubernetes.protobuf;stream=watch'];

const capital = (word: string): string => word.charAt(0).toUpperCase() + word.slice(1);
/** "apps" + "v1" → AppsV1; "rbac.authorization.k8s.io" → RbacAuthorizationV1. */
const operationGroup = (group: string, version: string): string =>
  (group
    ? group
        .replace(/\.k8s\.io$/, '')
        .split(/[.-]/)
        .map(capital)
        .join('')
    : 'Core') + capital(version);
const tagOf = (group: string, version: string): string =>
  `${
    group
      ? group
          .replace(/\.k8s\.io$/, '')
          .split('.')
          .join('_')
          .replaceAll('-', '_')
      : 'core'
  }_${version}`.replace(/^(\w)/, (first) => first);

export class PathBuilder {
  readonly #dialect: Dialect;
  readonly paths: Record<string, JsonSchema> = {};
  /** Custom resources have no protobuf. */
  #custom = false;

  constructor(dialect: Dialect) {
    this.#dialect = dialect;
  }

  /** Adds the paths of a resource and its subresources. */
  add(model: ResourceModel): void {
    const { fact } = model;
    this.#custom = !model.strategicMerge;
    const root = fact.group ? `/apis/${fact.group}/${fact.version}` : `/api/${fact.version}`;
    const collection = fact.namespaced ? `${root}/namespaces/{namespace}/${fact.resource}` : `${root}/${fact.resource}`;
    const can = (verb: string): boolean => fact.verbs.includes(verb);
    const scope = fact.namespaced ? 'Namespaced' : '';
    const gvk = { group: fact.group, version: fact.version, kind: fact.kind };
    const name = (verb: string, infix = scope, suffix = ''): string =>
      `${verb}${operationGroup(fact.group, fact.version)}${infix}${fact.kind}${suffix}`;
    const operation = (action: string, id: string, parts: Omit<OperationParts, 'action' | 'id' | 'tag' | 'gvk'>): JsonSchema =>
      this.#operation({ action, id, tag: tagOf(fact.group, fact.version), gvk, ...parts });

    const onCollection: JsonSchema = {};
    const list = { parameters: [...watching, ...selection], answer: model.listType, codes: [200], streamed: can('watch') };
    if (can('list')) onCollection['get'] = operation('list', name('list'), list);
    if (can('create'))
      onCollection['post'] = operation('post', name('create'), {
        parameters: [dryRun, fieldManager, fieldValidation],
        body: model.type,
        answer: model.type,
        codes: [200, 201, 202],
      });
    if (can('deletecollection'))
      onCollection['delete'] = operation('deletecollection', name('delete', `Collection${scope}`), {
        parameters: [dryRun, ...deletion, ...selection],
        body: `${meta}DeleteOptions`,
        optionalBody: true,
        answer: `${meta}Status`,
        codes: [200],
      });
    this.#path(collection, onCollection, fact.namespaced, false, fact.kind);
    if (fact.namespaced && can('list'))
      this.#path(
        `${root}/${fact.resource}`,
        { get: operation('list', name('list', '', 'ForAllNamespaces'), list) },
        false,
        false,
        fact.kind,
      );

    const onObject: JsonSchema = {};
    if (can('get')) onObject['get'] = operation('get', name('read'), { parameters: [], answer: model.type, codes: [200] });
    if (can('update'))
      onObject['put'] = operation('put', name('replace'), {
        parameters: [dryRun, fieldManager, fieldValidation],
        body: model.type,
        answer: model.type,
        codes: [200, 201],
      });
    if (can('patch')) onObject['patch'] = operation('patch', name('patch'), this.#patch(model.type, model.strategicMerge));
    if (can('delete'))
      onObject['delete'] = operation('delete', name('delete'), {
        parameters: [dryRun, ...deletion],
        body: `${meta}DeleteOptions`,
        optionalBody: true,
        answer: `${meta}Status`,
        codes: [200, 202],
      });
    this.#path(`${collection}/{name}`, onObject, fact.namespaced, true, fact.kind);
    for (const sub of fact.subresources) this.#subresource(model, sub, `${collection}/{name}/${sub.name}`);
  }

  #subresource(model: ResourceModel, sub: SubresourceFact, path: string): void {
    const { fact } = model;
    const scope = fact.namespaced ? 'Namespaced' : '';
    const gvk = { group: sub.group ?? fact.group, version: sub.version ?? fact.version, kind: sub.kind };
    const type = model.subresourceType(sub);
    const item: JsonSchema = {};
    const tag = tagOf(fact.group, fact.version);
    const name = (verb: string): string => `${verb}${operationGroup(fact.group, fact.version)}${scope}${fact.kind}${capital(sub.name)}`;
    const streaming = type === undefined;
    for (const verb of sub.verbs) {
      const method = { get: 'get', create: 'post', update: 'put', patch: 'patch', delete: 'delete' }[verb];
      if (!method) continue;
      if (streaming) {
        const id = `connect${operationGroup(fact.group, fact.version)}${capital(method)}${scope}${fact.kind}${capital(sub.name)}`;
        item[method] = this.#operation({ action: 'connect', id, tag, gvk, parameters: [], codes: [200], anything: true });
        continue;
      }
      const parts: Omit<OperationParts, 'action' | 'id' | 'tag' | 'gvk'> =
        verb === 'patch'
          ? this.#patch(type, model.strategicMerge)
          : verb === 'get'
            ? { parameters: [], answer: type, codes: [200] }
            : {
                parameters: [dryRun, fieldManager, fieldValidation],
                body: type,
                answer: type,
                codes: verb === 'create' ? [200, 201, 202] : [200, 201],
              };
      const words: Record<string, string> = { get: 'read', create: 'create', update: 'replace', patch: 'patch' };
      item[method] = this.#operation({ action: method, id: name(words[verb] ?? verb), tag, gvk, ...parts });
    }
    this.#path(path, item, fact.namespaced, true, sub.kind);
  }

  #patch(type: string, strategic: boolean): Omit<OperationParts, 'action' | 'id' | 'tag' | 'gvk'> {
    return {
      parameters: [dryRun, fieldManager, fieldValidation, force],
      body: `${meta}Patch`,
      bodyTypes: [
        'application/apply-patch+yaml',
        'application/json-patch+json',
        'application/merge-patch+json',
        ...(strategic ? ['application/strategic-merge-patch+json'] : []),
      ],
      answer: type,
      codes: [200, 201],
    };
  }

  #path(path: string, operations: JsonSchema, namespaced: boolean, named: boolean, kind: string): void {
    if (Object.keys(operations).length === 0) return;
    const parameters: Parameter[] = [];
    if (named) parameters.push({ name: 'name', in: 'path', description: `name of the ${kind}`, type: 'string' });
    if (namespaced) parameters.push({ name: 'namespace', in: 'path', description: 'the namespace', type: 'string' });
    parameters.push(pretty);
    this.paths[path] = { ...operations, parameters: parameters.map((parameter) => this.#parameter(parameter)) };
  }

  #parameter({ name, in: place, description, type }: Parameter): JsonSchema {
    const shape = { type, uniqueItems: true };
    return {
      name,
      in: place,
      description,
      ...(place === 'path' && { required: true }),
      ...(this.#dialect === 'v3' ? { schema: shape } : shape),
    };
  }

  #operation(parts: OperationParts): JsonSchema {
    const { action, id, tag, gvk, codes, answer } = parts;
    const description = `${action} ${gvk.kind}`;
    const common = {
      description,
      operationId: id,
      tags: [tag],
      'x-kubernetes-action': action,
      'x-kubernetes-group-version-kind': gvk,
    };
    const offered = [...mediaTypes, ...(parts.streamed ? streams : [])];
    const produces = parts.anything ? ['*/*'] : this.#custom ? offered.filter((type) => !type.includes('protobuf')) : offered;
    const parameters = parts.parameters.map((parameter) => this.#parameter(parameter));
    const texts: Record<number, string> = { 200: 'OK', 201: 'Created', 202: 'Accepted' };
    const shape = parts.anything ? { type: 'string' } : { $ref: refOf(answer!, this.#dialect) };
    const responses: JsonSchema = {};
    for (const code of codes)
      responses[code] =
        this.#dialect === 'v3'
          ? { description: texts[code], content: Object.fromEntries(produces.map((type) => [type, { schema: shape }])) }
          : { description: texts[code], schema: shape };
    responses['401'] = { description: 'Unauthorized' };
    if (this.#dialect === 'v2') {
      const body = parts.body && {
        name: 'body',
        in: 'body',
        ...(!parts.optionalBody && { required: true }),
        schema: { $ref: refOf(parts.body, 'v2') },
      };
      return {
        ...common,
        consumes: parts.bodyTypes ?? ['*/*'],
        produces,
        schemes: ['https'],
        parameters: body ? [body, ...parameters] : parameters,
        responses,
      };
    }
    const bodySchema = parts.body && { schema: { $ref: refOf(parts.body, 'v3') } };
    return {
      ...common,
      ...(parameters.length > 0 && { parameters }),
      ...(bodySchema && {
        requestBody: {
          content: Object.fromEntries((parts.bodyTypes ?? ['*/*']).map((type) => [type, bodySchema])),
          ...(!parts.optionalBody && { required: true }),
        },
      }),
      responses,
    };
  }
}

interface OperationParts {
  action: string;
  id: string;
  tag: string;
  gvk: { group: string; version: string; kind: string };
  parameters: Parameter[];
  body?: string;
  optionalBody?: boolean;
  bodyTypes?: string[];
  answer?: string;
  codes: number[];
  streamed?: boolean;
  anything?: boolean;
}
