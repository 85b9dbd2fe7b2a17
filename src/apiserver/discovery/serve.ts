/** Serves the discovery documents; each is encoded once per state of the resource table. */
import { createHash } from 'node:crypto';
import type { KubeObject } from '#machinery/meta';
import { encodeObject } from '../http/encode.ts';
import { endCompressed } from '../http/handle.ts';
import { negotiate, wantsPretty } from '../http/negotiation.ts';
import { answerNothingThere } from '../http/not-found.ts';
import { notFoundPath } from '../http/request-info.ts';
import type { PathRequest, PathTable } from '../http/paths.ts';
import type { ResourceTable } from '../registry/table.ts';
import { aggregated, apiGroup, apiGroupList, apiResourceList, apiVersions, groupsOf } from './documents.ts';
import type { DiscoveryGroup, GroupSource } from './documents.ts';

export interface Discovery {
  /** Adds groups of other servers; call the answer when what the source says has changed. */
  addSource(source: GroupSource): () => void;
  groups(): readonly DiscoveryGroup[];
}

interface Document {
  bytes: Buffer;
  etag: string;
}

const aggregatedVersions = ['v2', 'v2beta1'];

/** The aggregated document's version, if the client prefers one. Headers look like "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,…". */
function wantsAggregated(accept: string | undefined): string | undefined {
  for (const clause of (accept ?? '').split(',')) {
    const parts = clause.split(';').map((part) => part.trim());
    if (parts[0] !== 'application/json') continue;
    if (!parts.includes('as=APIGroupDiscoveryList') || !parts.includes('g=apidiscovery.k8s.io')) {
      // Plain JSON before an aggregated form is what the client likes better.
      if (parts.length === 1) return undefined;
      continue;
    }
    const version = parts.find((part) => part.startsWith('v='))?.slice(2);
    if (version && aggregatedVersions.includes(version)) return version;
  }
  return undefined;
}

export function serveDiscovery(paths: PathTable, table: ResourceTable, address: () => string): Discovery {
  const sources: GroupSource[] = [];
  let documents = new Map<string, Document>();
  let groups: DiscoveryGroup[] | undefined;
  const forget = (): void => {
    documents = new Map();
    groups = undefined;
  };
  table.onChange(forget);
  const current = (): DiscoveryGroup[] => (groups ??= groupsOf(table, sources));
  const document = (name: string, make: () => object): Document => {
    let made = documents.get(name);
    if (!made) {
      const text = JSON.stringify(make());
      const etag = `"${createHash('sha512').update(text).digest('hex').toUpperCase()}"`;
      documents.set(name, (made = { bytes: Buffer.from(`${text}\n`), etag }));
    }
    return made;
  };
  const answer = async ({ exchange, query, headers }: PathRequest, name: string, make: () => KubeObject): Promise<void> => {
    const accepted = negotiate(exchange.headers['accept'] as string | undefined, false, true);
    const pretty = wantsPretty(query, String(exchange.headers['user-agent'] ?? ''));
    const kept = accepted.format === 'json' && !pretty;
    const bytes = kept ? document(name, make).bytes : await encodeObject(make(), { ...accepted, pretty });
    await endCompressed(exchange, 200, { ...headers, 'content-type': accepted.mediaType }, bytes);
  };
  const aggregate = (
    request: PathRequest,
    version: string,
    name: string,
    only: (group: DiscoveryGroup) => boolean,
  ): Promise<void> | void => {
    const { exchange, headers } = request;
    const { bytes, etag } = document(`${name}#${version}`, () => aggregated(current().filter(only), version));
    const all = {
      ...headers,
      'cache-control': 'public',
      etag,
      vary: 'Accept',
      'content-type': `application/json;g=apidiscovery.k8s.io;v=${version};as=APIGroupDiscoveryList`,
    };
    if (exchange.headers['if-none-match'] === etag) return exchange.end(304, all);
    return endCompressed(exchange, 200, all, bytes);
  };

  paths.add('/api', (request) => {
    const version = wantsAggregated(request.exchange.headers['accept'] as string | undefined);
    if (version) return aggregate(request, version, '/api', ({ name }) => name === '');
    return answer(request, '/api', () => apiVersions(address()));
  });
  paths.add('/apis', (request) => {
    const version = wantsAggregated(request.exchange.headers['accept'] as string | undefined);
    if (version) return aggregate(request, version, '/apis', ({ name }) => name !== '');
    return answer(request, '/apis', () => apiGroupList(current()));
  });
  paths.add('/api/*', (request) => {
    const version = request.path.split('/')[2];
    const entry = current()
      .find(({ name }) => name === '')
      ?.versions.find((other) => other.version === version);
    if (!entry || request.path.split('/').length > 3) throw notFoundPath();
    return answer(request, `/api/${version}`, () => apiResourceList('', entry, table));
  });
  paths.add('/apis/*', (request) => {
    const [, , name = '', version, ...rest] = request.path.replace(/\/$/, '').split('/');
    const group = current().find((other) => other.name === name && name !== '');
    if (!group) return answerNothingThere(request);
    if (rest.length > 0) throw notFoundPath();
    if (version === undefined) return answer(request, `/apis/${name}`, () => ({ kind: 'APIGroup', apiVersion: 'v1', ...apiGroup(group) }));
    const entry = group.versions.find((other) => other.version === version);
    if (!entry) throw notFoundPath();
    return answer(request, `/apis/${name}/${version}`, () => apiResourceList(name, entry, table));
  });
  return {
    addSource(source) {
      sources.push(source);
      forget();
      return forget;
    },
    groups: current,
  };
}
