/**
 * The generic storage: what every kind shares. upstream: apiserver/pkg/registry/generic/registry/store.go, registry/rest/{create,update}.go.
 *
 * Order of a create: names and system fields → hooks → strategy → validation → validating admission → one transaction.
 * Order of an update: the caller's change → mutating admission → resourceVersion → hooks → strategy → validation → validating admission →
 * one transaction; all again when another writer was faster.
 */
import type { ExpressionChecks, KindRules } from '#api';
import { kindFact, schema } from '#api/facts';
import { rulesFor } from '#api/rules';
import type { Clock, Random } from '#machinery/clock';
import { timestamp } from '#machinery/clock';
import { equal } from '#machinery/meta';
import type { KubeObject } from '#machinery/meta';
import {
  isValidPathSegmentName,
  nameIsPathSegment,
  validateObjectMeta,
  validateObjectMetaUpdate,
  validateObjectName,
} from '#machinery/names';
import {
  alreadyExists,
  badRequest,
  conflict,
  failure,
  forbidden,
  invalid,
  invalidField,
  isAlreadyExists,
  modified,
  notFound,
} from '#machinery/status';
import type { FieldError } from '#machinery/status';
import { parseJson } from '#machinery/json';
import type { Store } from '#store';
import type { CachedObject, ServedResource, WatchCache } from '../../contract.ts';
import type { DeleteOptions, Finish, RequestContext, ResourceStorage, StorageHooks, StorageOptions } from '../contract.ts';
import type { StorageTraits } from '../served.ts';
import type { AdmissionChain } from './admission-chain.ts';
import { ConvertedObjects } from './conversion.ts';
import type { Converter } from './conversion.ts';
import { checkPreconditions, planDeletion, removedByUpdate } from './deletion.ts';
import { inWireOrder } from './encoding.ts';
import { loadExpressionChecks } from '../expression-checks.ts';
import { fillField } from '../structure.ts';
import { matchNamespace } from './namespace-match.ts';
import { StoredObjects } from './stored-objects.ts';
import type { Stored } from './stored-objects.ts';
import { changesNothing, distinct, restoreAllButStatus, restoreField } from './update-strategy.ts';
import type { TtlLeases } from './ttl-leases.ts';
import { WriteAttributes } from './write-attributes.ts';

/** What a storage is made of. Everything but `served` and `converter` is shared by the versions of a resource. */
export interface StorageParts {
  served: ServedResource;
  store: Store;
  cache: WatchCache;
  clock: Clock;
  random: Random;
  traits: StorageTraits;
  leases: TtlLeases;
  /** Looked up late: plugins and hooks are made after the storages they use. */
  admission(): AdmissionChain;
  hooks(): StorageHooks | undefined;
  converter?: Converter;
}

/** What could lead out of its place in a path. */
const trick = /^\.{1,2}$|[/%]/;
const nameAttempts = 8;
const maxGeneratedName = 63;
const generatedSuffix = 5;

export class GenericStorage implements ResourceStorage {
  readonly served: ServedResource;
  readonly parts: StorageParts;
  readonly #converted: ConvertedObjects | undefined;
  readonly #stored: StoredObjects;
  /** Strategy and validation see objects as these rules know them: as `#inside` makes them, and `#outside` back again. */
  readonly #rules: KindRules;
  readonly #ruled: Converter['ruled'];
  /** The type that they see. */
  readonly #type: string;
  readonly #hasStatus: boolean;
  readonly #countsGeneration: boolean | ((object: KubeObject, old: KubeObject) => boolean);

  constructor(parts: StorageParts) {
    this.parts = parts;
    this.served = parts.served;
    this.#stored = new StoredObjects(parts);
    this.#converted = parts.converter && new ConvertedObjects(parts.converter);
    const { fact, storageKind } = parts.served;
    this.#ruled = parts.converter?.ruled;
    const rules = this.#ruled ? rulesFor(storageKind) : parts.served.rules;
    this.#rules = rules;
    this.#type = (this.#ruled && kindFact(storageKind.group, storageKind.version, storageKind.kind)?.type) ?? fact.type;
    const fields = schema[this.#type]?.fields;
    this.#hasStatus = fact.subresources.some((subresource) => subresource.name === 'status');
    this.#countsGeneration = rules.generation ?? (fields ? 'spec' in fields && 'status' in fields : true);
  }

  get cache(): WatchCache {
    return this.parts.cache;
  }

  /** As errors name this resource. */
  get resource(): { group: string; resource: string } {
    return { group: this.served.fact.group, resource: this.served.fact.resource };
  }

  key(namespace: string, name: string): string {
    const { storagePrefix, fact } = this.served;
    // upstream: registry/generic/registry/store.go NamespaceKeyFunc, NoNamespaceKeyFunc.
    if (trick.test(name)) throw badRequest(`Name parameter invalid: ${JSON.stringify(name)}: ${isValidPathSegmentName(name).join(';')}`);
    if (fact.namespaced) {
      if (!namespace) throw badRequest('Namespace parameter required.');
      return `${storagePrefix}${namespace}/${name}`;
    }
    return `${storagePrefix}${name}`;
  }

  /** The cached object, if `object` is the one in the cache: its bytes can then be copied. */
  cachedFor(object: KubeObject): CachedObject | undefined {
    if (this.#converted) return undefined;
    const { namespace, name } = object.metadata ?? {};
    const cached = name ? this.cache.get(this.key(namespace ?? '', name)) : undefined;
    return cached?.object === object ? cached : undefined;
  }

  /** Waits until reads from the cache are as fresh as the store. */
  async fresh(): Promise<void> {
    await this.cache.synced;
    if (!this.parts.store.embedded) await this.cache.waitFor(await this.parts.store.revision());
  }

  async toServed(entries: readonly CachedObject[]): Promise<readonly CachedObject[]> {
    return this.#converted ? this.#converted.toServed(entries) : entries;
  }

  get converts(): boolean {
    return this.#converted !== undefined;
  }

  async get(_context: RequestContext, namespace: string, name: string): Promise<CachedObject> {
    const key = this.key(namespace, name);
    await this.fresh();
    const cached = this.cache.get(key);
    if (!cached) throw notFound(this.resource, name);
    return this.#converted ? (await this.#converted.toServed([cached]))[0]! : cached;
  }

  // ---- create ----

  async create(context: RequestContext, namespace: string, object: KubeObject, options: StorageOptions = {}): Promise<KubeObject> {
    const meta = (object.metadata ??= {});
    if (options.admit) {
      const attributes = new WriteAttributes(this.served, 'CREATE', context, namespace, meta.name ?? '', object, undefined);
      const admitting = this.parts.admission().admit(attributes);
      if (admitting) await admitting;
      object = attributes.object ?? object;
    }
    const generates = this.served.rules.generatesNames !== false && !object.metadata?.name && Boolean(object.metadata?.generateName);
    if (!generates) return this.#create(context, namespace, object, options);
    const pristine = JSON.stringify(object);
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#create(context, namespace, parseJson(pristine) as KubeObject, options);
      } catch (error) {
        if (!isAlreadyExists(error) || attempt === nameAttempts) throw error;
      }
    }
  }

  async #create(context: RequestContext, namespace: string, object: KubeObject, options: StorageOptions): Promise<KubeObject> {
    const { clock, random } = this.parts;
    const rules = this.#rules;
    const meta = (object.metadata ??= {});
    meta.creationTimestamp = timestamp(clock);
    meta.uid = random.uuid();
    const asked = meta.resourceVersion;
    const generated = !meta.name && Boolean(meta.generateName);
    if (generated && rules.generatesNames === false) meta.name = meta.generateName!;
    else if (generated) meta.name = `${meta.generateName!.slice(0, maxGeneratedName - generatedSuffix)}${random.suffix(generatedSuffix)}`;
    const beginning = this.parts.hooks()?.beginCreate?.(context, object);
    const finish = beginning && (await beginning);
    object = this.#inside(object);
    return this.#settled(finish, async () => {
      const checking = this.#beforeCreate(context, namespace, object, options);
      if (checking) await checking;
      const name = object.metadata!.name!;
      const key = this.key(object.metadata!.namespace ?? '', name);
      // Told raw, as the storage tells it.
      if (asked && /^[1-9]\d*$/.test(asked)) throw failure(500, undefined, 'resourceVersion should not be set on objects to be created');
      try {
        return await this.#write(context, key, object, 0);
      } catch (error) {
        if (!isAlreadyExists(error)) throw error;
        if (generated)
          throw failure(
            409,
            'AlreadyExists',
            `${this.#qualified()} "${name}" already exists, the server was not able to generate a unique name for the object`,
            {
              ...error.status.details,
              retryAfterSeconds: 1,
            },
          );
        await this.fresh();
        if (this.cache.get(key)?.object.metadata?.deletionTimestamp)
          throw failure(409, 'AlreadyExists', `object is being deleted: ${error.message}`, error.status.details);
        throw error;
      }
    });
  }

  /** Strategy, validation, validating admission; at once where nothing of it has to wait. */
  #beforeCreate(context: RequestContext, namespace: string, object: KubeObject, options: StorageOptions): Promise<void> | undefined {
    const { fact } = this.served;
    const rules = this.#rules;
    const meta = object.metadata!;
    matchNamespace(object, fact.namespaced ? namespace : '');
    delete meta.resourceVersion;
    if (this.#countsGeneration !== false) meta.generation = 1;
    else delete meta.generation;
    if (!rules.prepareForCreate && this.#hasStatus) delete (object as { status?: unknown }).status;
    rules.prepareForCreate?.(object, this.#strategyContext(context));
    if (this.#hasStatus && !this.served.conform) fillField(this.#type, object as Record<string, unknown>, 'status');
    if (!rules.hasExpressions?.(object)) return this.#validateCreate(context, namespace, object, options);
    return loadExpressionChecks().then((expressions) => this.#validateCreate(context, namespace, object, options, expressions));
  }

  #validateCreate(
    context: RequestContext,
    namespace: string,
    object: KubeObject,
    options: StorageOptions,
    expressions?: ExpressionChecks,
  ): Promise<void> | undefined {
    const rules = this.#rules;
    const errors = [...(rules.checksMetadata === false ? [] : this.#metaErrors(object)), ...(rules.validate?.(object, expressions) ?? [])];
    if (errors.length > 0 || !rules.validateLater) return this.#checkCreate(context, namespace, object, options, errors);
    return rules.validateLater(object).then((later) => this.#checkCreate(context, namespace, object, options, later));
  }

  /** `errors`: what the kind's own rules have found. */
  #checkCreate(
    context: RequestContext,
    namespace: string,
    object: KubeObject,
    options: StorageOptions,
    errors: FieldError[],
  ): Promise<void> | undefined {
    const { storageKind: kind, fact } = this.served;
    const rules = this.#rules;
    const meta = object.metadata!;
    // What holds for every kind is looked at when the kind's own rules have found nothing; they looked at all but this rule for names.
    if (errors.length === 0)
      errors.push(
        ...(rules.checksMetadata === false
          ? validateObjectMeta(meta, { namespaced: fact.namespaced, nameErrors: nameIsPathSegment })
          : validateObjectName(meta, nameIsPathSegment)),
      );
    if (errors.length > 0) throw invalid({ group: kind.group, kind: object.kind ?? kind.kind }, meta.name ?? '', errors);
    for (const text of rules.warnings?.(object) ?? []) context.warn(text);
    if (!options.admit) return undefined;
    return this.parts
      .admission()
      .validate(new WriteAttributes(this.served, 'CREATE', context, namespace, meta.name ?? '', this.#outside(object), undefined));
  }

  /** Metadata as the kind's own rules have it. */
  #metaErrors(object: KubeObject): FieldError[] {
    const { fact } = this.served;
    const rules = this.#rules;
    return validateObjectMeta(object.metadata, {
      namespaced: fact.namespaced,
      ...(rules.validateName && { nameErrors: rules.validateName }),
    });
  }

  // ---- update ----

  async update(
    context: RequestContext,
    namespace: string,
    name: string,
    change: (old: KubeObject | undefined) => KubeObject | Promise<KubeObject>,
    subresource = '',
    options: StorageOptions = {},
  ): Promise<{ object: KubeObject; created: boolean }> {
    const key = this.key(namespace, name);
    const { kind } = this.served;
    const rules = this.#rules;
    await this.cache.synced;
    let stored = await this.#stored.current(key, false);
    for (;;) {
      const old = stored && (await this.#toServed(stored));
      if (!old && !options.forceCreate && !rules.allowCreateOnUpdate) throw notFound(this.resource, name);
      let object = await change(old);
      const meta = (object.metadata ??= {});
      if (!old) {
        if (options.admit) {
          const attributes = new WriteAttributes(this.served, 'CREATE', context, namespace, name, object, undefined);
          await this.parts.admission().admit(attributes);
          object = attributes.object ?? object;
        }
        if (object.metadata?.uid)
          throw conflict(this.resource, name, `Precondition failed: UID in precondition: ${object.metadata.uid}, UID in object meta: `);
        return { object: await this.#create(context, namespace, object, options), created: true };
      }
      if (meta.uid && meta.uid !== old.metadata?.uid) {
        // What was read may be stale; only the store decides.
        if (stored!.cached) {
          stored = await this.#stored.current(key, true);
          if (stored?.revision !== Number(old.metadata?.resourceVersion)) continue;
        }
        throw conflict(
          this.resource,
          name,
          `StorageError: invalid object, Code: 4, Key: ${key}, ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: UID in precondition: ${meta.uid}, UID in object meta: ${old.metadata?.uid ?? ''}`,
        );
      }
      if (options.admit) {
        const attributes = new WriteAttributes(this.served, 'UPDATE', context, namespace, name, object, old, subresource);
        const admitting = this.parts.admission().admit(attributes);
        if (admitting) await admitting;
        object = attributes.object ?? object;
      }
      const version = object.metadata?.resourceVersion;
      if (version && !/^\d+$/.test(version))
        throw failure(500, undefined, `strconv.ParseUint: parsing ${JSON.stringify(version)}: invalid syntax`);
      if (!version || version === '0') {
        if (rules.allowUnconditionalUpdate === false)
          throw invalid({ group: kind.group, kind: this.served.fact.resource }, name, [
            invalidField('metadata.resourceVersion', 0, 'must be specified for an update'),
          ]);
      } else if (version !== old.metadata?.resourceVersion) {
        if (stored!.cached) {
          stored = await this.#stored.current(key, true);
          if (stored && String(stored.revision) === version) continue;
        }
        throw modified(this.resource, name);
      }
      (object.metadata ??= {}).resourceVersion = old.metadata?.resourceVersion ?? '';
      const beginning = this.parts.hooks()?.beginUpdate?.(context, object, old);
      const finish = beginning && (await beginning);
      const result = await this.#settled(finish, () =>
        this.#replace(context, key, this.#inside(object), old, stored!, subresource, options),
      );
      if (result) return { object: result, created: false };
      stored = await this.#stored.current(key, true);
    }
  }

  /** One try of an update; undefined when another writer was faster. `object` is as the rules see it, `served` is the old one as it is served. */
  async #replace(
    context: RequestContext,
    key: string,
    object: KubeObject,
    served: KubeObject,
    stored: Stored,
    subresource: string,
    options: StorageOptions,
  ): Promise<KubeObject | undefined> {
    const old = this.#ruled ? stored.object : served;
    const { namespace = '', name = '' } = old.metadata ?? {};
    if (!options.direct) {
      const rules = this.#rules;
      const expressions = !subresource && rules.hasExpressions?.(object, old) ? await loadExpressionChecks() : undefined;
      this.#beforeUpdate(context, object, old, subresource, expressions);
      if (!subresource && rules.validateLater) await this.#validateLater(object, old);
    }
    const same = changesNothing(object, old);
    const validating = options.admit
      ? this.parts
          .admission()
          .validate(new WriteAttributes(this.served, 'UPDATE', context, namespace, name, this.#outside(object), served, subresource))
      : undefined;
    if (validating) await validating;
    if (this.removedByUpdate(object, old)) {
      const last = this.#outside(object);
      if (context.dryRun) return last;
      const revision = await this.#stored.remove(key, stored.revision);
      if (revision === undefined) return undefined;
      await this.parts.hooks()?.afterDelete?.(context, last);
      return last;
    }
    if (same && !this.parts.store.stale?.(key)) {
      if (!stored.cached) return served;
      const newest = await this.#stored.current(key, true);
      return newest?.revision === stored.revision ? served : undefined;
    }
    try {
      return await this.#write(context, key, object, stored.revision);
    } catch (error) {
      if (error instanceof RevisionChanged) return undefined;
      throw error;
    }
  }

  async #validateLater(object: KubeObject, old: KubeObject): Promise<void> {
    const errors = await this.#rules.validateLater!(object, old);
    if (errors.length > 0) throw invalid(this.served.kind, object.metadata?.name ?? '', distinct(errors));
  }

  #beforeUpdate(
    context: RequestContext,
    object: KubeObject,
    old: KubeObject,
    subresource: string,
    expressions: ExpressionChecks | undefined,
  ): void {
    const { storageKind: kind, fact } = this.served;
    const rules = this.#rules;
    const meta = object.metadata!;
    const oldMeta = old.metadata ?? {};
    matchNamespace(object, fact.namespaced ? (oldMeta.namespace ?? '') : '');
    if (oldMeta.generation === undefined) delete meta.generation;
    else meta.generation = oldMeta.generation;
    const special = subresource ? rules.subresources?.[subresource] : undefined;
    const strategy = this.#strategyContext(context);
    if (special?.prepareForUpdate) special.prepareForUpdate(object, old, strategy);
    else if (subresource === 'status') restoreAllButStatus(object, old);
    else if (rules.prepareForUpdate) rules.prepareForUpdate(object, old, strategy);
    else if (this.#hasStatus) restoreField(object, old, 'status');
    if (subresource !== 'status' && this.#counts(object, old)) meta.generation = (oldMeta.generation ?? 0) + 1;
    if (!meta.uid && oldMeta.uid) meta.uid = oldMeta.uid;
    if (oldMeta.creationTimestamp) meta.creationTimestamp = oldMeta.creationTimestamp;
    if (oldMeta.deletionTimestamp) meta.deletionTimestamp = oldMeta.deletionTimestamp;
    if (oldMeta.deletionGracePeriodSeconds !== undefined && meta.deletionGracePeriodSeconds === undefined)
      meta.deletionGracePeriodSeconds = oldMeta.deletionGracePeriodSeconds;
    // Upstream looks at the change of metadata twice, for all kinds and in each kind's rules, and tells it twice.
    const changed = validateObjectMetaUpdate(meta, oldMeta);
    const errors =
      rules.checksMetadata === false
        ? [...validateObjectMeta(meta, { namespaced: fact.namespaced, nameErrors: nameIsPathSegment }), ...changed]
        : [...this.#metaErrors(object), ...changed, ...changed];
    const validate = special?.validateUpdate ?? (subresource === 'status' ? undefined : rules.validateUpdate);
    errors.push(...(validate?.(object, old, expressions) ?? []));
    if (errors.length > 0) throw invalid(kind, meta.name ?? '', errors);
    const warnings = subresource ? special?.warnings?.(object, old) : rules.warnings?.(object, old);
    for (const text of warnings ?? []) context.warn(text);
  }

  #counts(object: KubeObject, old: KubeObject): boolean {
    const rule = this.#countsGeneration;
    if (rule === false) return false;
    if (typeof rule === 'function') return rule(object, old);
    const present = object as Record<string, unknown>;
    const before = old as Record<string, unknown>;
    for (const field of new Set([...Object.keys(present), ...Object.keys(before)])) {
      if (field === 'metadata' || field === 'status' || field === 'kind' || field === 'apiVersion') continue;
      if (!equal(present[field], before[field])) return true;
    }
    return false;
  }

  // ---- delete ----

  async delete(
    context: RequestContext,
    namespace: string,
    name: string,
    options: DeleteOptions,
    storageOptions: StorageOptions = {},
  ): Promise<{ object: KubeObject; removed: boolean }> {
    const refused = this.served.rules.refuseDeletion?.(name);
    if (refused) throw forbidden(this.resource, name, refused);
    const key = this.key(namespace, name);
    await this.cache.synced;
    let stored = await this.#stored.current(key, false);
    let admitted = false;
    let preconditions = options;
    for (;;) {
      if (!stored) throw notFound(this.resource, name);
      const old = await this.#toServed(stored);
      if (stored.cached && !this.parts.store.embedded && preconditions.preconditions) {
        stored = await this.#stored.current(key, true);
        continue;
      }
      this.checkPreconditions(old, preconditions);
      if (storageOptions.admit && !admitted) {
        const attributes = new WriteAttributes(this.served, 'DELETE', context, namespace, name, undefined, old, '', options);
        await this.parts.admission().admit(attributes);
        await this.parts.admission().validate(attributes);
        admitted = true;
      }
      const plan = this.planDeletion(this.#ruled ? stored.object : old, options);
      if (plan.action === 'pending') return { object: old, removed: false };
      let revision = stored.revision;
      let last = old;
      if (plan.action === 'update') {
        try {
          last = await this.#write(context, key, plan.object!, revision);
        } catch (error) {
          if (!(error instanceof RevisionChanged)) throw error;
          stored = await this.#stored.current(key, true);
          continue;
        }
        if (!plan.removeAfter) return { object: last, removed: false };
        revision = Number(last.metadata?.resourceVersion);
        preconditions = { ...options, preconditions: {} };
      }
      if (context.dryRun) return { object: last, removed: true };
      const removedAt = await this.#stored.remove(key, revision);
      if (removedAt === undefined) {
        stored = await this.#stored.current(key, true);
        // Someone else removed it between the two steps of a graceful deletion: that is what was asked for.
        if (stored || plan.action !== 'update') continue;
      }
      const object = removedAt === undefined ? last : inWireOrder(last, String(removedAt));
      await this.parts.hooks()?.afterDelete?.(context, object);
      return { object, removed: true };
    }
  }

  /** Overridden where a kind's deletion has texts of its own. */
  protected checkPreconditions(old: KubeObject, options: DeleteOptions): void {
    checkPreconditions(old, options, this.served.storageKind.group, this.served.kind.kind);
  }

  /** Overridden where a kind's deletion has steps of its own. */
  protected planDeletion(old: KubeObject, options: DeleteOptions): ReturnType<typeof planDeletion> {
    return planDeletion(old, options, this.served.rules, this.parts.traits, this.parts.clock.now());
  }

  protected removedByUpdate(object: KubeObject, old: KubeObject): boolean {
    return removedByUpdate(object, old);
  }

  // ---- store ----

  /** A stored value as an object in the storage version. */
  decode(value: Uint8Array, revision: number): KubeObject {
    return this.#stored.decode(value, revision);
  }

  async #toServed(stored: Stored): Promise<KubeObject> {
    if (!this.parts.converter) return stored.object;
    return (await this.parts.converter.toServed([stored.object]))[0]!;
  }

  /** A served object as the rules see it. */
  #inside(object: KubeObject): KubeObject {
    return this.#ruled?.toStorage(object) ?? object;
  }

  /** The other way. */
  #outside(object: KubeObject): KubeObject {
    return this.#ruled?.toServed(object) ?? object;
  }

  /** Puts the object, as the rules see it, where the key's revision still is `expected` (0: absent). The answer is the object as stored, in the served version. */
  async #write(context: RequestContext, key: string, object: KubeObject, expected: number): Promise<KubeObject> {
    const converter = this.#ruled ? undefined : this.parts.converter;
    const name = object.metadata?.name ?? '';
    // As reading it back will have it: no request body was decoded in this version.
    if (this.#ruled) this.#rules.applyDefaults?.(object);
    if (context.dryRun) {
      if (expected === 0 && (await this.#stored.current(key, true))) throw alreadyExists(this.resource, name);
      return inWireOrder(this.#outside(object), expected === 0 ? undefined : String(expected));
    }
    const written = await this.#stored.put(key, converter ? (await converter.toStorage([object]))[0]! : object, expected);
    if (!written) throw expected === 0 ? alreadyExists(this.resource, name) : new RevisionChanged();
    return this.parts.converter ? inWireOrder(this.#outside(object), String(written.revision)) : written.object;
  }

  // ---- small things ----

  #qualified(): string {
    const { group, resource } = this.resource;
    return group ? `${resource}.${group}` : resource;
  }

  #strategyContext(context: RequestContext): { now: number; user: RequestContext['user'] } {
    return { now: this.parts.clock.now(), user: context.user };
  }

  #settled<T>(finish: Finish | undefined, work: () => Promise<T | undefined>): Promise<T> {
    return finish ? this.#finished(finish, work) : (work() as Promise<T>);
  }

  async #finished<T>(finish: Finish, work: () => Promise<T | undefined>): Promise<T> {
    let succeeded = false;
    try {
      const result = await work();
      succeeded = result !== undefined;
      return result as T;
    } finally {
      await finish(succeeded);
    }
  }
}

/** Another writer was faster. */
class RevisionChanged extends Error {}
