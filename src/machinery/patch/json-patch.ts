import { badRequest, failure, tooLarge } from '#machinery/status';
import type { StatusError } from '#machinery/status';
import { parseJson } from '#machinery/json';
import { isObject, kindOf, setField } from './json.ts';
import type { Json, JsonObject } from './json.ts';

/** RFC 6902, as the library upstream uses reads it. upstream: gopkg.in/evanphx/json-patch.v4. */

export const maxJsonPatchOperations = 10_000;
/** Bytes that copy operations may add together. upstream: apiserver/pkg/server/config.go JSONPatchMaxCopyBytes. */
const copyLimit = 3 * 1024 * 1024;

class PatchFailure extends Error {}

type Container = JsonObject | Json[];

/** The document with the operations done. Throws a StatusError: 400 for what is no patch, 413 for too much of it, 422 where it does not apply. */
export function jsonPatch<T = Json>(document: T, patch: Json): T {
  if (!Array.isArray(patch)) throw undecodable(patch, 'jsonpatch.Patch');
  const operations = patch.map((operation: Json): JsonObject => {
    if (operation === null) return {};
    if (!isObject(operation)) throw undecodable(operation, 'jsonpatch.Operation');
    return operation;
  });
  if (operations.length > maxJsonPatchOperations)
    throw tooLarge(`The allowed maximum operations in a JSON patch is ${maxJsonPatchOperations}, got ${operations.length}`);
  try {
    return new Editor(document).apply(operations) as T;
  } catch (error) {
    if (error instanceof PatchFailure) throw notApplicable(error);
    throw error;
  }
}

/** Upstream hides the reason from the client; it stays as the cause. */
const notApplicable = (cause: Error): StatusError =>
  failure(422, 'Invalid', 'the server rejected our request due to an error in our request', {}, cause);

const jsonNames = { nil: 'null', map: 'object', slice: 'array', string: 'string', bool: 'bool', number: 'number' };

export const undecodable = (value: Json, wanted: string): StatusError =>
  badRequest(`json: cannot unmarshal ${jsonNames[kindOf(value)]} into Go value of type ${wanted}`);

const operationFields = new Set(['op', 'path', 'from', 'value']);

/** What strict field validation says about a JSON patch; empty when nothing. */
export function jsonPatchUnknownFields(patch: Json): string[] {
  if (!Array.isArray(patch)) return [];
  return patch.flatMap((operation: Json, index) =>
    isObject(operation)
      ? Object.keys(operation)
          .filter((field) => !operationFields.has(field))
          .map((field) => `json patch unknown field "[${index}].${field}"`)
      : [],
  );
}

/** Copies what it changes, once, and nothing else. */
class Editor {
  #root: Json;
  readonly #owned = new Set<object>();
  #copied = 0;

  constructor(document: Json) {
    this.#root = document;
  }

  apply(operations: readonly JsonObject[]): Json {
    for (const operation of operations) this.#run(operation);
    return this.#root;
  }

  #run(operation: JsonObject): void {
    const kind = typeof operation['op'] === 'string' ? operation['op'] : 'unknown';
    switch (kind) {
      case 'add':
        return this.#add(operation);
      case 'remove':
        return this.#remove(operation);
      case 'replace':
        return this.#replace(operation);
      case 'move':
        return this.#move(operation);
      case 'test':
        return this.#test(operation);
      case 'copy':
        return this.#copy(operation);
      default:
        throw new PatchFailure(`Unexpected kind: ${kind}`);
    }
  }

  #add(operation: JsonObject): void {
    const path = text(operation, 'path', 'add operation failed to decode path');
    const [container, key] = this.#find(path, true) ?? missing(`add operation does not apply: doc is missing path: "${path}"`);
    within(`error in add for path: '${path}'`, () => insert(container, key, operation['value'] ?? null));
  }

  #remove(operation: JsonObject): void {
    const path = text(operation, 'path', 'remove operation failed to decode path');
    const [container, key] = this.#find(path, true) ?? missing(`remove operation does not apply: doc is missing path: "${path}"`);
    within(`error in remove for path: '${path}'`, () => remove(container, key));
  }

  #replace(operation: JsonObject): void {
    const path = text(operation, 'path', 'replace operation failed to decode path: operation missing path field');
    const value = operation['value'] ?? null;
    if (path === '') {
      if (typeof value !== 'object' || value === null) throw new PatchFailure('replace operation value must be object or array');
      this.#root = value;
      return;
    }
    const [container, key] = this.#find(path, true) ?? missing(`replace operation does not apply: doc is missing path: ${path}`);
    try {
      read(container, key);
    } catch {
      missing(`replace operation does not apply: doc is missing key: ${path}`);
    }
    if (Array.isArray(container)) container[position(key, container.length)] = value;
    else setField(container, key, value);
  }

  #move(operation: JsonObject): void {
    const from = text(operation, 'from', 'move operation failed to decode from: operation, missing from field');
    const [source, name] = this.#find(from, true) ?? missing(`move operation does not apply: doc is missing from path: ${from}`);
    const value = within(`error in move for path: '${name}'`, () => {
      const found = read(source, name);
      remove(source, name);
      return found;
    });
    const path = text(operation, 'path', 'move operation failed to decode path: operation missing path field');
    const [container, key] = this.#find(path, true) ?? missing(`move operation does not apply: doc is missing destination path: ${path}`);
    within(`error in move for path: '${path}'`, () => insert(container, key, value ?? null));
  }

  #test(operation: JsonObject): void {
    const path = text(operation, 'path', 'test operation failed to decode path: operation missing path field');
    const wanted = operation['value'];
    let found: Json;
    if (path === '') found = this.#root;
    else {
      const [container, key] = this.#find(path, false) ?? missing(`test operation does not apply: is missing path: ${path}`);
      found = within(`error in test for path: '${path}'`, () => read(container, key));
    }
    if (!same(found ?? null, wanted ?? null)) throw new PatchFailure(`testing value ${path} failed: test failed`);
  }

  #copy(operation: JsonObject): void {
    const from = text(operation, 'from', 'copy operation failed to decode from: operation, missing from field');
    const [source, name] = this.#find(from, false) ?? missing(`copy operation does not apply: doc is missing from path: ${from}`);
    const value = within(`error in copy for from: '${from}'`, () => read(source, name)) ?? null;
    const path = text(operation, 'path', 'copy operation failed to decode path');
    const [container, key] = this.#find(path, true) ?? missing(`copy operation does not apply: doc is missing destination path: ${path}`);
    const encoded = JSON.stringify(value);
    this.#copied += Buffer.byteLength(encoded);
    if (this.#copied > copyLimit)
      throw new PatchFailure(
        `Unable to complete the copy, the accumulated size increase of copy is ${this.#copied}, exceeding the limit ${copyLimit}`,
      );
    // A copy of its own: it may lie inside of what was copied.
    within('error while adding value during copy', () => insert(container, key, parseJson(encoded) as Json));
  }

  /** The container that the last part of a path lies in, and that part. With `change`, every container on the way is ours to change. */
  #find(path: string, change: boolean): [Container, string] | undefined {
    const parts = path.split('/').map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
    if (parts.length < 2 || typeof this.#root !== 'object' || this.#root === null) return undefined;
    let container: Container = change ? (this.#root = this.#own(this.#root as Container)) : (this.#root as Container);
    for (const part of parts.slice(1, -1)) {
      let next: Json;
      try {
        next = read(container, part);
      } catch {
        return undefined;
      }
      if (typeof next !== 'object' || next === null) return undefined;
      if (change) {
        next = this.#own(next as Container);
        if (Array.isArray(container)) container[position(part, container.length)] = next;
        else setField(container, part, next);
      }
      container = next as Container;
    }
    return [container, parts.at(-1)!];
  }

  #own(container: Container): Container {
    if (this.#owned.has(container)) return container;
    const copy = Array.isArray(container) ? [...container] : { ...container };
    this.#owned.add(copy);
    return copy;
  }
}

function text(operation: JsonObject, field: string, complaint: string): string {
  const value = operation[field];
  if (typeof value !== 'string') throw new PatchFailure(`${complaint}: missing value`);
  return value;
}

function missing(complaint: string): never {
  throw new PatchFailure(`${complaint}: missing value`);
}

function within<T>(context: string, run: () => T): T {
  try {
    return run();
  } catch (error) {
    if (error instanceof PatchFailure) throw new PatchFailure(`${context}: ${error.message}`);
    throw error;
  }
}

/** An index counted from the end where it is negative; `length` bounds it. */
function position(key: string, length: number, limit = length): number {
  if (!/^[+-]?[0-9]+$/.test(key)) throw new PatchFailure(`strconv.Atoi: parsing ${JSON.stringify(key)}: invalid syntax`);
  const index = Number(key);
  if (index >= limit || index < -limit) throw new PatchFailure(`Unable to access invalid index: ${index}: invalid index referenced`);
  return index < 0 ? index + limit : index;
}

function read(container: Container, key: string): Json {
  if (Array.isArray(container)) return container[position(key, container.length)];
  return Object.hasOwn(container, key) ? container[key] : undefined;
}

function insert(container: Container, key: string, value: Json): void {
  if (!Array.isArray(container)) return setField(container, key, value);
  if (key === '-') container.push(value);
  else container.splice(position(key, container.length, container.length + 1), 0, value);
}

function remove(container: Container, key: string): void {
  if (Array.isArray(container)) {
    container.splice(position(key, container.length), 1);
    return;
  }
  if (!Object.hasOwn(container, key)) throw new PatchFailure(`Unable to remove nonexistent key: ${key}: missing value`);
  delete container[key];
}

/** Deep equality where null and absent differ. */
function same(a: Json, b: Json): boolean {
  if (a === b) return true;
  if (Array.isArray(a)) return Array.isArray(b) && a.length === b.length && a.every((item, index) => same(item, b[index]));
  if (!isObject(a) || !isObject(b)) return false;
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => Object.hasOwn(b, key) && same(a[key], b[key]));
}
