import { badRequest, failure } from '#machinery/status';
import type { StatusError } from '#machinery/status';
import { goFormat } from './go-format.ts';
import { isObject, kindOf, setField } from './json.ts';
import type { Json, JsonObject } from './json.ts';
import { interleave, orderedBy, partition } from './order.ts';
import { undecodable } from './json-patch.ts';
import { factSchema } from './schema.ts';
import type { PatchSchema } from './schema.ts';

/**
 * Strategic merge patch: lists of objects merge by their keys, and directives in the patch say what merging cannot.
 * upstream: apimachinery/pkg/util/strategicpatch/patch.go.
 */

const directive = '$patch';
const retainKeys = '$retainKeys';
const deleteFromPrimitiveList = '$deleteFromPrimitiveList';
const setElementOrder = '$setElementOrder';

const badPrimitiveList = (): StatusError => badRequest('invalid patch format of primitive list');
const badRetainKeys = (): StatusError => badRequest('invalid patch format of retainKeys');
const badElementOrder = (): StatusError => badRequest('invalid patch format of setElementOrder list');
const listOfLists = (): StatusError =>
  failure(
    422,
    'Invalid',
    'the server rejected our request due to an error in our request',
    {},
    new Error('lists of lists are not supported'),
  );
/** What upstream has no class for comes to the client as 500. */
const fault = (message: string): StatusError => failure(500, '', message);
const noMergeKey = (item: JsonObject, key: string): StatusError =>
  fault(`map: ${goFormat(item)} does not contain declared merge key: ${key}`);
const badKind = (wanted: string, found: Json): StatusError => fault(`expected a ${wanted}, but received a ${goType(found)}`);
const unknownPatchType = (type: Json, item: JsonObject): StatusError =>
  fault(`unknown patch type: ${goFormat(type)} in map: ${goFormat(item)}`);

function goType(value: Json): string {
  const kind = kindOf(value);
  if (kind === 'map') return 'map[string]interface {}';
  if (kind === 'slice') return '[]interface {}';
  if (kind === 'number') return typeof value === 'bigint' || Number.isInteger(value) ? 'int64' : 'float64';
  return kind;
}

/** Patches an object of a built-in type ("io.k8s.api.core.v1.Pod") or of any schema. Throws a StatusError. */
export function strategicMerge<T = Json>(original: T, patch: Json, type: string | PatchSchema): T {
  if (!isObject(patch)) throw undecodable(patch, 'map[string]interface {}');
  const schema = typeof type === 'string' ? factSchema(type) : type;
  return mergeMap(isObject(original) ? original : {}, patch, schema) as T;
}

function mergeMap(original: JsonObject, patch: JsonObject, schema: PatchSchema): JsonObject {
  if (Object.hasOwn(patch, directive)) {
    const kind = patch[directive];
    if (kind === 'delete') return {};
    if (kind !== 'replace') throw unknownPatchType(kind, patch);
    const { [directive]: _, ...rest } = patch;
    return rest;
  }
  const result = retained(original, patch);
  const done = new Set<string>([retainKeys]);
  for (const key of Object.keys(patch)) if (key.startsWith(setElementOrder)) mergeOrdered(result, patch, key, schema, done);
  for (const key of Object.keys(patch)) if (!done.has(key)) mergeField(result, key, patch[key], schema);
  return result;
}

/** A copy of the original with the keys that $retainKeys leaves. */
function retained(original: JsonObject, patch: JsonObject): JsonObject {
  if (!Object.hasOwn(patch, retainKeys)) return { ...original };
  const list = patch[retainKeys];
  if (!Array.isArray(list)) throw badRetainKeys();
  const keep = new Set<Json>(list);
  for (const key of Object.keys(patch)) {
    if (key === retainKeys || patch[key] === null || key.startsWith(deleteFromPrimitiveList) || key.startsWith(setElementOrder)) continue;
    if (!keep.has(key)) throw badRetainKeys();
  }
  return Object.fromEntries(Object.entries(original).filter(([key]) => keep.has(key)));
}

function mergeField(result: JsonObject, name: string, value: Json, schema: PatchSchema): void {
  const deletesItems = name.startsWith(deleteFromPrimitiveList);
  const key = deletesItems ? targetOf(name, deleteFromPrimitiveList, badPrimitiveList) : name;
  if (value === null || value === undefined) {
    delete result[key];
    return;
  }
  const current = Object.hasOwn(result, key) ? result[key] : undefined;
  const kind = kindOf(value);
  if (current === undefined || kindOf(current) !== kind) {
    if (!deletesItems) put(result, key, cleaned(value));
    return;
  }
  if (kind === 'map') {
    const field = lookup(schema, key);
    const replaced = strategyOf(field.strategies) === 'replace';
    setField(result, key, replaced ? value : mergeMap(current as JsonObject, value as JsonObject, field.schema));
  } else if (kind === 'slice') {
    const field = lookup(schema, key);
    setField(result, key, mergeList(current as Json[], value as Json[], field, deletesItems));
  } else put(result, key, cleaned(value));
}

function put(result: JsonObject, key: string, value: Json): void {
  if (value === undefined) delete result[key];
  else setField(result, key, value);
}

type Field = NonNullable<ReturnType<PatchSchema['field']>>;

function lookup(schema: PatchSchema, key: string): Field {
  const field = schema.field(key);
  if (!field) throw fault(`unable to find api field in struct ${schema.name} for the json field ${JSON.stringify(key)}`);
  return field;
}

function strategyOf(strategies: readonly string[]): string {
  const others = strategies.filter((strategy) => strategy !== 'retainKeys');
  if (others.length > 1) throw fault(`unexpected patch strategy: ${goFormat(others)}`);
  return others[0] ?? '';
}

function targetOf(name: string, prefix: string, complaint: () => StatusError): string {
  const slash = name.indexOf('/');
  if (slash < 0 || name.slice(0, slash) !== prefix) throw complaint();
  return name.slice(slash + 1);
}

/** What a patch puts where nothing was: without nulls and without items and objects that carry directives (undefined: nothing is left). */
function cleaned(value: Json): Json {
  if (Array.isArray(value)) return value.map(cleaned).filter((item) => item !== undefined);
  if (!isObject(value)) return value;
  if (Object.hasOwn(value, directive)) return undefined;
  const result: JsonObject = {};
  for (const key of Object.keys(value)) {
    if (key === retainKeys || key.startsWith(`${setElementOrder}/`) || key.startsWith(`${deleteFromPrimitiveList}/`)) continue;
    const item = value[key] === null ? undefined : cleaned(value[key]);
    if (item !== undefined) setField(result, key, item);
  }
  return result;
}

/** A list whose order the patch gives by $setElementOrder/<field>. */
function mergeOrdered(result: JsonObject, patch: JsonObject, name: string, schema: PatchSchema, done: Set<string>): void {
  done.add(name);
  const order = patch[name];
  if (!Array.isArray(order)) throw badKind('[]interface {}', order);
  const key = targetOf(name, setElementOrder, badElementOrder);
  const current = listOf(result, key);
  const changes = listOf(patch, key);
  const field = lookup(schema, key);
  checkOrder(changes ?? [], order, field.mergeKey);
  let merged: Json[];
  if (current && changes) merged = mergeList(current, changes, field, false);
  else if (changes) merged = cleaned(changes) as Json[];
  else if (current) merged = current;
  else return;
  const [mine, theirs] = partition(merged, order, field.mergeKey, noMergeKey, badKind);
  elementKind(current ?? [], changes ?? []);
  const server = serverOrder(current ?? [], changes ?? [], field.mergeKey);
  setField(
    result,
    key,
    interleave(orderedBy(theirs, server, field.mergeKey), orderedBy(mine, order, field.mergeKey), server, field.mergeKey),
  );
  done.add(key);
}

/**
 * The server's order, by which the result is put together. Upstream takes deleted items out of the very array that it goes on to read as
 * the server's list, at its old length: what the patch adds stands in their places. (`Result` of its test "add map and delete map from
 * merging list".)
 */
function serverOrder(current: readonly Json[], changes: readonly Json[], mergeKey: string): readonly Json[] {
  const deleted = new Set<Json>();
  const added: Json[] = [];
  for (const item of changes) {
    if (!isObject(item)) return current;
    if (item[directive] === 'delete') deleted.add(item[mergeKey]);
    else if (item[directive] !== undefined) return current;
    else added.push(item);
  }
  if (deleted.size === 0) return current;
  const keyOf = (item: Json): Json => (isObject(item) ? item[mergeKey] : undefined);
  const left = current.filter((item) => !deleted.has(keyOf(item)));
  const known = new Set(left.map(keyOf));
  return [...left, ...added.filter((item) => !known.has(keyOf(item)))].slice(0, current.length);
}

function listOf(object: JsonObject, key: string): Json[] | undefined {
  if (!Object.hasOwn(object, key)) return undefined;
  const value = object[key];
  if (!Array.isArray(value)) throw badKind('[]interface {}', value);
  return value;
}

/** The patch's items must come in the order that the patch asks for. */
function checkOrder(items: readonly Json[], order: readonly Json[], mergeKey: string): void {
  if (items.length === 0 || order.length === 0) return;
  let at = 0;
  for (const item of items) {
    if (isObject(item) && Object.hasOwn(item, directive)) continue;
    while (at < order.length && !sameItem(item, order[at], mergeKey)) at++;
    if (at++ >= order.length)
      throw fault(`The order in patch list:\n${goFormat(items)}\n doesn't match ${setElementOrder} list:\n${goFormat(order)}\n`);
  }
}

function sameItem(a: Json, b: Json, mergeKey: string): boolean {
  if (!mergeKey) return a === b;
  for (const item of [a, b]) {
    if (!isObject(item)) throw badKind('map[string]interface {}', item);
    if (!Object.hasOwn(item, mergeKey)) throw noMergeKey(item, mergeKey);
  }
  return (a as JsonObject)[mergeKey] === (b as JsonObject)[mergeKey];
}

/** The one kind of all items. */
function elementKind(...lists: readonly (readonly Json[])[]): string {
  let found: string | undefined;
  for (const item of lists.flat()) {
    const kind = goType(item);
    if (found === undefined) {
      if (kind === '[]interface {}') throw listOfLists();
      found = kind;
    } else if (found !== kind) throw fault(`list element types are not identical: ${goFormat(lists)}`);
  }
  if (found === undefined) throw fault('no elements in any of the given slices');
  return found === 'map[string]interface {}' ? 'map' : found;
}

function mergeList(current: Json[], changes: Json[], field: Field, deletesItems: boolean): Json[] {
  if (!deletesItems && strategyOf(field.strategies) !== 'merge') return changes;
  if (current.length === 0 && changes.length === 0) return current;
  const { mergeKey } = field;
  if (elementKind(current, changes) !== 'map') {
    if (deletesItems) return current.filter((item) => !changes.includes(item));
    const both = [...new Set([...current, ...changes])];
    const [mine, theirs] = partition(both, changes, mergeKey, noMergeKey, badKind);
    return interleave(orderedBy(theirs, current, ''), orderedBy(mine, changes, ''), current, '');
  }
  if (!mergeKey) throw fault(`cannot merge lists without merge key for ${field.schema.name}`);
  const [base, items] = applyDirectives(current, changes as JsonObject[], mergeKey);
  const merged = mergeItems(base, items, mergeKey, field.schema);
  const [mine, theirs] = partition(merged, items, mergeKey, noMergeKey, badKind);
  return interleave(orderedBy(theirs, base, mergeKey), orderedBy(mine, items, mergeKey), base, mergeKey);
}

/** What is left of the list after `$patch: delete` and `$patch: replace` items, and the items that are to be merged into it. */
function applyDirectives(current: Json[], changes: readonly JsonObject[], mergeKey: string): [Json[], JsonObject[]] {
  let base = current;
  let replaced = false;
  const items: JsonObject[] = [];
  for (const item of changes) {
    if (!Object.hasOwn(item, directive)) {
      items.push(item);
      continue;
    }
    switch (item[directive]) {
      case 'delete': {
        if (!Object.hasOwn(item, mergeKey)) throw noMergeKey(item, mergeKey);
        base = base.filter((other) => !isObject(other) || other[mergeKey] !== item[mergeKey]);
        break;
      }
      case 'replace':
        replaced = true;
        break;
      case 'merge':
        throw fault('merging lists cannot yet be specified in the patch');
      default:
        throw unknownPatchType(item[directive], item);
    }
  }
  return replaced ? [items, []] : [base, items];
}

function mergeItems(base: readonly Json[], items: readonly JsonObject[], mergeKey: string, schema: PatchSchema): Json[] {
  const merged = [...base];
  const places = new Map<Json, number>();
  for (const [index, item] of merged.entries()) {
    if (!isObject(item)) throw fault(`value for key ${index} is not a map`);
    const value = item[mergeKey];
    if (value !== undefined && !places.has(value)) places.set(value, index);
  }
  for (const item of items) {
    if (!Object.hasOwn(item, mergeKey)) throw noMergeKey(item, mergeKey);
    const place = places.get(item[mergeKey]);
    if (place === undefined) {
      places.set(item[mergeKey], merged.length);
      // Nulls and directives inside of a new item say nothing; its key stays, whatever it is.
      merged.push({ [mergeKey]: item[mergeKey], ...(cleaned(item) as JsonObject) });
    } else merged[place] = mergeMap(merged[place] as JsonObject, item, schema);
  }
  return merged;
}
