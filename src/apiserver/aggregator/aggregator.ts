/**
 * APIServices: group versions that other servers serve. Requests for them are carried there with who asks in headers, discovery tells
 * of them, and whether they answer is looked at as their Services and endpoints change and every half minute.
 * upstream: kube-aggregator/pkg/apiserver.
 */
import { APIService, CustomResourceDefinition, EndpointSlice, Service } from '#api';
import type { ResourceFact } from '#api/facts';
import { workQueue } from '#client';
import { timestamp } from '#machinery/clock';
import { draft } from '#machinery/meta';
import { isConflict, isNotFound, serviceUnavailable } from '#machinery/status';
import type { RequestInfo, UserInfo } from '../contract.ts';
import type { DiscoveryGroup } from '../discovery/documents.ts';
import type { DelegatedRequest } from '../http/handle.ts';
import type { PathRequest } from '../http/paths.ts';
import type { OpenApiSource } from '../openapi/serve.ts';
import type { ServerParts } from '../options.ts';
import { ask, forward, tunnel } from '../proxy/forward.ts';
import type { ClientTls } from '../proxy/forward.ts';
import type { Headers } from '../proxy/contract.ts';
import type { Location } from '../proxy/location.ts';
import { endpointResolver } from '../webhook/service-resolver.ts';
import { failedDiscovery, passed, verdictOfService } from './availability.ts';
import type { Verdict } from './availability.ts';
import { identityHeaders, isIdentityHeader, withIdentity } from './identity.ts';
import { registerBuiltIn, registerCustom } from './registration.ts';
import { factsOf } from './remote-discovery.ts';

export interface AggregatorOptions {
  /** The client certificate for which other servers believe who asks; without it, they know callers by nothing. */
  frontProxy?: { certificate: string; key: string };
}

const recheck = 30_000;
const patience = 5000;
const longestDiscovery = 16 * 1024 * 1024;
const aggregatorUser: UserInfo = { name: 'system:kube-aggregator', groups: ['system:masters'] };

/** The extension: carries requests to other servers until this one stops. */
export const aggregator =
  (options: AggregatorOptions) =>
  (parts: ServerParts): (() => Promise<void>) => {
    const running = new Aggregator(parts, options);
    return () => running.stop();
  };

class Aggregator {
  readonly #parts: ServerParts;
  readonly #options: AggregatorOptions;
  readonly #services;
  readonly #queue;
  readonly #resolve;
  readonly #subscriptions: Disposable[] = [];
  /** Of other servers, by the name of the APIService: what they serve. */
  readonly #facts = new Map<string, ResourceFact[]>();
  /** Where each of them publishes OpenAPI, version 3: the document's path by group version. */
  readonly #documents = new Map<string, { hash: string; url: string }>();
  readonly #changed: () => void;
  readonly #work: Promise<unknown>;

  constructor(parts: ServerParts, options: AggregatorOptions) {
    this.#parts = parts;
    this.#options = options;
    const { clock, random, informers } = parts;
    this.#queue = workQueue({ clock, random, maxDelay: recheck });
    this.#services = informers.for(APIService);
    this.#resolve = endpointResolver({ informers, random });
    this.#changed = parts.discovery.addSource(() => this.#groups());
    parts.openApi.addSource(() => this.#openApi());
    parts.delegate((request) => this.#delegate(request));
    const enqueue = (service: APIService): void => {
      this.#queue.add(service.metadata!.name!);
      // Discovery tells which of them answer.
      if (service.spec?.service) this.#changed();
    };
    this.#subscriptions.push(
      this.#services.on({ added: enqueue, updated: enqueue, deleted: enqueue }),
      informers.for(Service).on(this.#behind(({ metadata }) => metadata?.name)),
      informers.for(EndpointSlice).on(this.#behind(({ metadata }) => metadata?.labels?.['kubernetes.io/service-name'])),
      informers.for(CustomResourceDefinition).on({
        added: (definition) => this.#askVersions(definition),
        updated: (definition, old) => {
          this.#askVersions(old);
          this.#askVersions(definition);
        },
        deleted: (definition) => this.#askVersions(definition),
      }),
    );
    this.#work = Promise.all([this.#run(), this.#register()]);
  }

  async stop(): Promise<void> {
    for (const subscription of this.#subscriptions) subscription[Symbol.dispose]();
    this.#queue.close();
    await this.#work;
  }

  /** Asks again for those whose Service it is. */
  #behind<T extends Service | EndpointSlice>(serviceOf: (object: T) => string | undefined) {
    const enqueue = (object: T): void => {
      const name = serviceOf(object);
      for (const { metadata, spec } of this.#services.list())
        if (spec?.service?.name === name && spec?.service?.namespace === object.metadata?.namespace) this.#queue.add(metadata!.name!);
    };
    return { added: enqueue, updated: enqueue, deleted: enqueue };
  }

  #askVersions({ spec }: CustomResourceDefinition): void {
    for (const { name } of spec.versions) this.#queue.add(`${name}.${spec.group}`);
  }

  async #register(): Promise<void> {
    try {
      await registerBuiltIn(this.#parts);
    } catch (error) {
      if (!this.#parts.signal.aborted) this.#parts.log.error('API services cannot be registered', { error });
    }
  }

  async #run(): Promise<void> {
    const { log, signal, informers } = this.#parts;
    const aborted = new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
    await Promise.race([
      Promise.all([this.#services.synced, informers.for(CustomResourceDefinition).synced, informers.for(Service).synced]),
      aborted,
    ]);
    for (let key = await this.#queue.take(); key !== undefined; key = await this.#queue.take()) {
      // Servers that do not answer must not keep others waiting.
      void this.#reconcileOne(key, () => signal.aborted, log.error.bind(log));
    }
  }

  async #reconcileOne(key: string, aborted: () => boolean, complain: ServerParts['log']['error']): Promise<void> {
    try {
      const healthy = await this.#reconcile(key);
      if (healthy) this.#queue.forget(key);
      else this.#queue.addRateLimited(key);
    } catch (error) {
      if (aborted()) return;
      if (!isConflict(error) && !isNotFound(error)) complain('API service cannot be worked on', { apiService: key, error });
      this.#queue.addRateLimited(key);
    } finally {
      this.#queue.done(key);
    }
  }

  /** False: to be asked again soon. */
  async #reconcile(name: string): Promise<boolean> {
    const service = this.#services.get(name);
    if (!service?.spec?.service) {
      this.#documents.delete(name);
      if (this.#facts.delete(name)) this.#changed();
      const dot = name.indexOf('.');
      if (dot < name.length - 1) await registerCustom(this.#parts, name.slice(dot + 1), name.slice(0, dot));
      return true;
    }
    const verdict = verdictOfService(this.#parts, service) ?? (await this.#discover(service));
    await this.#tell(service, verdict);
    const failed = verdict.reason === 'FailedDiscoveryCheck';
    if (!failed) this.#queue.addAfter(name, recheck);
    return !failed;
  }

  async #tell(service: APIService, verdict: Verdict): Promise<void> {
    const conditions = service.status?.conditions ?? [];
    const known = conditions.find(({ type }) => type === 'Available');
    if (known?.status === verdict.status && known.reason === verdict.reason && known.message === verdict.message) return;
    const next = draft(service);
    const lastTransitionTime = known && known.status === verdict.status ? known.lastTransitionTime : timestamp(this.#parts.clock);
    const made = { type: 'Available', ...verdict, ...(lastTransitionTime && { lastTransitionTime }) };
    next.status = {
      ...next.status,
      conditions: known ? conditions.map((each) => (each.type === 'Available' ? made : each)) : [...conditions, made],
    };
    await this.#parts.client.updateStatus(APIService, next);
  }

  /** Asks the server what it serves. */
  async #discover(service: APIService): Promise<Verdict> {
    const { group = '', version = '' } = service.spec!;
    const path = group ? `/apis/${group}/${version}` : `/api/${version}`;
    let url = path;
    try {
      const location = this.#locate(service);
      url = `https://${location.host}:${location.port}${path}`;
      const list = JSON.parse((await this.#fetch(location, path)).toString('utf8')) as unknown;
      const facts = factsOf(group, version, list);
      const name = service.metadata!.name!;
      await this.#findDocument(name, location, path.slice(1));
      if (JSON.stringify(this.#facts.get(name)) !== JSON.stringify(facts)) {
        this.#facts.set(name, facts);
        this.#changed();
      }
      return passed;
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      return failedDiscovery(`failing or missing response from ${url}: ${message}`);
    }
  }

  /** Servers need not publish one. */
  async #findDocument(name: string, location: Location, path: string): Promise<void> {
    try {
      const index = JSON.parse((await this.#fetch(location, '/openapi/v3')).toString('utf8')) as {
        paths?: Record<string, { serverRelativeURL?: string }>;
      };
      const url = index.paths?.[path]?.serverRelativeURL;
      if (url?.startsWith('/')) this.#documents.set(name, { url, hash: new URL(url, 'https://server').searchParams.get('hash') ?? '' });
      else this.#documents.delete(name);
    } catch (error) {
      this.#documents.delete(name);
      this.#parts.log.debug('Another API server publishes no OpenAPI', { apiService: name, error });
    }
  }

  #openApi(): ReturnType<OpenApiSource> {
    return [...this.#documents].flatMap(([name, { hash, url }]) => {
      const service = this.#services.get(name);
      if (!service?.spec?.service) return [];
      const serve = async ({ exchange, headers }: PathRequest): Promise<void> => {
        const bytes = await this.#fetch(this.#locate(service), url);
        exchange.end(200, { ...headers, 'content-type': 'application/json', vary: 'Accept' }, bytes);
      };
      return [{ path: `apis/${service.spec.group}/${service.spec.version}`, hash, serve }];
    });
  }

  async #fetch(location: Location, path: string): Promise<Buffer> {
    const { clock, signal } = this.#parts;
    const late = new AbortController();
    const timer = clock.setTimeout(() => late.abort(new Error('context deadline exceeded')), patience);
    try {
      const answer = await ask(
        location,
        // Whoever it is: nothing of ours is told to it.
        this.#identity(),
        {
          method: 'GET',
          path,
          headers: withIdentity({ accept: 'application/json', 'user-agent': 'kube-apiserver' }, aggregatorUser),
          signal: AbortSignal.any([signal, late.signal]),
        },
      );
      const chunks: Buffer[] = [];
      let size = 0;
      for await (const chunk of answer) {
        size += (chunk as Buffer).length;
        if (size > longestDiscovery) throw new Error('the answer is too long');
        chunks.push(chunk as Buffer);
      }
      const code = answer.statusCode ?? 0;
      if (code < 200 || code >= 300) throw new Error(`bad status from https://${location.host}:${location.port}${path}: ${code}`);
      return Buffer.concat(chunks);
    } finally {
      timer.cancel();
    }
  }

  #locate({ spec }: APIService): Location {
    const { namespace = '', name = '', port = 443 } = spec!.service!;
    return { scheme: 'https', ...this.#resolve(namespace, name, port) };
  }

  #identity(): { cert?: string; key?: string } {
    const { frontProxy } = this.#options;
    return frontProxy ? { cert: frontProxy.certificate, key: frontProxy.key } : {};
  }

  #tlsFor({ spec }: APIService): ClientTls {
    const { service, caBundle, insecureSkipTLSVerify } = spec!;
    return {
      ...this.#identity(),
      servername: `${service!.name}.${service!.namespace}.svc`,
      ...(insecureSkipTLSVerify ? {} : caBundle ? { ca: Buffer.from(caBundle, 'base64').toString('utf8') } : { systemAuthorities: true }),
    };
  }

  /** The APIService of another server that this request is for. */
  #target(info: RequestInfo): APIService | undefined {
    let { group, version } = info;
    if (!info.isResourceRequest) {
      const [, root, first = '', second = ''] = info.path.split('/');
      if (root !== 'apis') return undefined;
      [group, version] = [first, second];
    }
    if (!group || !version) return undefined;
    const service = this.#services.get(`${version}.${group}`);
    return service?.spec?.service ? service : undefined;
  }

  #delegate(request: DelegatedRequest): Promise<void> | undefined {
    const service = this.#target(request.info);
    return service && this.#handOn(service, request);
  }

  async #handOn(service: APIService, { user, exchange, upgrade }: DelegatedRequest): Promise<void> {
    const available = service.status?.conditions?.find(({ type }) => type === 'Available')?.status === 'True';
    if (!available) throw serviceUnavailable('service unavailable');
    let location: Location;
    try {
      location = this.#locate(service);
    } catch (error) {
      throw serviceUnavailable(error instanceof Error ? error.message : String(error));
    }
    const tls = this.#tlsFor(service);
    if (upgrade) {
      await tunnel(upgrade, location, upgrade.request.url ?? '/', tls, { isOne: isIdentityHeader, headers: identityHeaders(user) });
      return;
    }
    const { namespace = '', name = '', port = 443 } = service.spec!.service!;
    const headersFor = (headers: Headers): Headers => ({ ...withIdentity(headers, user), host: `${name}.${namespace}.svc:${port}` });
    await forward(exchange!, location, exchange!.url, tls, undefined, headersFor);
  }

  /** For discovery: what other servers serve. One that does not answer now is told of as it was. */
  #groups(): DiscoveryGroup[] {
    const groups = new Map<string, { group: DiscoveryGroup; rank: Map<string, number> }>();
    for (const { metadata, spec, status } of this.#services.list()) {
      if (!spec?.service || !spec.group || !spec.version) continue;
      let entry = groups.get(spec.group);
      if (!entry) groups.set(spec.group, (entry = { group: { name: spec.group, versions: [] }, rank: new Map() }));
      const stale = status?.conditions?.find(({ type }) => type === 'Available')?.status !== 'True';
      entry.rank.set(spec.version, spec.versionPriority);
      entry.group.versions.push({
        version: spec.version,
        resources: this.#facts.get(metadata!.name!) ?? [],
        ...(stale && { stale }),
      });
    }
    return [...groups.values()].map(({ group, rank }) => ({
      ...group,
      versions: group.versions.sort((a, b) => rank.get(b.version)! - rank.get(a.version)!),
    }));
  }
}
