/** Operations on resources, as OpenAPI. upstream: apiserver/pkg/endpoints/installer.go (names and parameters). */
import type { ResourceFact, SubresourceFact } from '#api/facts';
import { mediaTypes, operationGroup, operationSchema, streams, tagOf } from './operations.ts';
import type { Operation } from './operations.ts';
import {
  connecting,
  deleting,
  listing,
  namePath,
  namespacePath,
  parameterSchemas,
  patching,
  pretty,
  restOfPath,
  selecting,
  writing,
} from './parameters.ts';
import type { Parameter } from './parameters.ts';
import type { Dialect, JsonSchema } from './schemas.ts';

export interface ResourceModel {
  fact: ResourceFact;
  /** Names of schemas. */
  type: string;
  listType: string;
  /** The schema of a subresource's own kind. */
  subresourceType(subresource: SubresourceFact): string | undefined;
  /** Of a CustomResourceDefinition: no protobuf, no strategic merge, no deprecated paths. */
  custom: boolean;
  /** DELETE answers with the object. */
  answersDeleted: boolean;
}

const meta = 'io.k8s.apimachinery.pkg.apis.meta.v1.';

const capital = (word: string): string => word.charAt(0).toUpperCase() + word.slice(1);

/** What an operation of one resource need not say. */
type Parts = Pick<Operation, 'parameters' | 'body' | 'optionalBody' | 'bodyTypes' | 'answer' | 'codes'> & { streamed?: boolean };

export class PathBuilder {
  readonly #dialect: Dialect;
  readonly paths: Record<string, JsonSchema> = {};
  #custom = false;

  constructor(dialect: Dialect) {
    this.#dialect = dialect;
  }

  /** Adds the paths of a resource and its subresources. */
  add(model: ResourceModel): void {
    const { fact } = model;
    this.#custom = model.custom;
    const root = fact.group ? `/apis/${fact.group}/${fact.version}` : `/api/${fact.version}`;
    const below = fact.namespaced ? `namespaces/{namespace}/${fact.resource}` : fact.resource;
    const collection = `${root}/${below}`;
    const can = (verb: string): boolean => fact.verbs.includes(verb);
    const scope = fact.namespaced ? 'Namespaced' : '';
    const gvk = { group: fact.group, version: fact.version, kind: fact.kind };
    const name = (verb: string, infix = scope, suffix = ''): string =>
      `${verb}${operationGroup(fact.group, fact.version)}${infix}${fact.kind}${suffix}`;
    const operation = (action: string, id: string, parts: Parts): JsonSchema =>
      this.#operation(`${action} ${fact.kind}`, { action, id, tag: tagOf(fact.group, fact.version), gvk }, parts);

    const list = { parameters: listing, answer: model.listType, streamed: !model.custom || can('watch') };
    const onCollection: JsonSchema = {};
    if (can('list')) onCollection['get'] = operation('list', name('list'), list);
    if (can('create'))
      onCollection['post'] = operation('post', name('create'), {
        parameters: writing,
        body: model.type,
        answer: model.type,
        codes: [200, 201, 202],
      });
    if (can('deletecollection'))
      onCollection['delete'] = operation('deletecollection', name('delete', `Collection${scope}`), {
        parameters: [...deleting, ...selecting],
        body: `${meta}DeleteOptions`,
        optionalBody: true,
        answer: `${meta}Status`,
      });
    const inNamespace = fact.namespaced ? [namespacePath] : [];
    const named = [namePath(fact.kind), ...inNamespace];
    this.#path(collection, onCollection, inNamespace);
    if (fact.namespaced && can('list'))
      this.#path(`${root}/${fact.resource}`, { get: operation('list', name('list', '', 'ForAllNamespaces'), list) }, []);

    const onObject: JsonSchema = {};
    if (can('get')) onObject['get'] = operation('get', name('read'), { parameters: [], answer: model.type });
    if (can('update'))
      onObject['put'] = operation('put', name('replace'), { parameters: writing, body: model.type, answer: model.type, codes: [200, 201] });
    if (can('patch')) onObject['patch'] = operation('patch', name('patch'), this.#patch(model.type));
    if (can('delete'))
      onObject['delete'] = operation('delete', name('delete'), {
        parameters: deleting,
        body: `${meta}DeleteOptions`,
        optionalBody: true,
        answer: model.answersDeleted ? model.type : `${meta}Status`,
        codes: [200, 202],
      });
    this.#path(`${collection}/{name}`, onObject, named);
    for (const sub of fact.subresources) this.#subresource(model, sub, `${collection}/{name}/${sub.name}`);
    if (model.custom || !can('watch')) return;

    // Deprecated, and still published.
    const event = { parameters: [], answer: `${meta}WatchEvent`, streamed: true };
    const watch = (path: string, action: string, id: string, parameters: Parameter[]): void =>
      this.#path(`${root}/watch/${path}`, { get: operation(action, id, event) }, [...listing, ...parameters]);
    watch(below, 'watchlist', name('watch', scope, 'List'), inNamespace);
    if (fact.namespaced) watch(fact.resource, 'watchlist', name('watch', '', 'ListForAllNamespaces'), []);
    watch(`${below}/{name}`, 'watch', name('watch'), named);
  }

  #subresource(model: ResourceModel, sub: SubresourceFact, path: string): void {
    const { fact } = model;
    const scope = fact.namespaced ? 'Namespaced' : '';
    const gvk = { group: sub.group ?? fact.group, version: sub.version ?? fact.version, kind: sub.kind };
    const type = model.subresourceType(sub);
    const tag = tagOf(fact.group, fact.version);
    const group = operationGroup(fact.group, fact.version);
    const subject = `${scope}${fact.kind}${capital(sub.name)}`;
    const own = [namePath(sub.kind), ...(fact.namespaced ? [namespacePath] : [])];
    if (sub.name === 'log') {
      const log: Operation = {
        description: 'get log of Pod',
        id: `read${group}${subject}`,
        tag,
        action: 'get',
        gvk,
        parameters: [],
        produces: ['text/plain', ...mediaTypes],
      };
      this.#path(path, { get: operationSchema(log, this.#dialect) }, [...connecting['log']!, ...own]);
      return;
    }
    if (type === undefined) {
      const methods = sub.name === 'proxy' ? ['get', 'put', 'post', 'delete', 'options', 'head', 'patch'] : ['get', 'post'];
      const connect = (suffix: string): JsonSchema =>
        Object.fromEntries(
          methods.map((method) => {
            const id = `connect${group}${capital(method)}${subject}${suffix}`;
            const description = `connect ${method.toUpperCase()} of ${sub.name} of ${fact.kind}`;
            return [
              method,
              operationSchema({ description, id, tag, action: 'connect', gvk, parameters: [], produces: ['*/*'] }, this.#dialect),
            ];
          }),
        );
      const parameters = [...(connecting[sub.kind] ?? []), ...own];
      this.#path(path, connect(''), parameters, false);
      if (sub.name === 'proxy') this.#path(`${path}/{path}`, connect('WithPath'), [...parameters, restOfPath], false);
      return;
    }
    const item: JsonSchema = {};
    const ways: Record<string, [method: string, word: string, parts: Parts]> = {
      get: ['get', 'read', { parameters: [], answer: type }],
      create: ['post', 'create', { parameters: writing, body: type, answer: type, codes: [200, 201, 202] }],
      update: ['put', 'replace', { parameters: writing, body: type, answer: type, codes: [200, 201] }],
      patch: ['patch', 'patch', this.#patch(type)],
    };
    for (const verb of sub.verbs) {
      const [method, word, parts] = ways[verb] ?? [];
      if (method && parts)
        item[method] = this.#operation(
          `${method} ${sub.name} of ${fact.kind}`,
          { action: method, id: `${word}${group}${subject}`, tag, gvk },
          parts,
        );
    }
    this.#path(path, item, own);
  }

  #patch(type: string): Parts {
    return {
      parameters: patching,
      body: `${meta}Patch`,
      bodyTypes: [
        'application/json-patch+json',
        'application/merge-patch+json',
        ...(this.#custom ? [] : ['application/strategic-merge-patch+json']),
        'application/apply-patch+yaml',
      ],
      answer: type,
      codes: [200, 201],
    };
  }

  #path(path: string, operations: JsonSchema, parameters: Parameter[], indented = true): void {
    if (Object.keys(operations).length === 0) return;
    const shared = indented ? [...parameters, pretty] : parameters;
    this.paths[path] = { ...operations, parameters: parameterSchemas(shared, this.#dialect) };
  }

  #operation(description: string, of: Pick<Operation, 'action' | 'id' | 'tag' | 'gvk'>, { streamed, ...parts }: Parts): JsonSchema {
    const offered = [...mediaTypes, ...(streamed ? streams : [])];
    const produces = this.#custom ? offered.filter((type) => !type.includes('protobuf')) : offered;
    return operationSchema({ description, ...of, ...parts, produces }, this.#dialect);
  }
}
