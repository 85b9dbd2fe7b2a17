/** Serves the OpenAPI documents. They are made when first asked for, and anew when the resources they tell of have changed. */
import { createHash } from 'node:crypto';
import { groups as builtInGroups } from '#api/facts';
import type { Discovery } from '../discovery/serve.ts';
import { endCompressed } from '../http/handle.ts';
import type { PathRequest, PathTable } from '../http/paths.ts';
import type { ResourceTable } from '../registry/table.ts';
import { generalInformation } from './information.ts';
import type { Information } from './information.ts';

interface Document {
  bytes: Uint8Array;
  hash: string;
}

/** OpenAPI of other servers (aggregated APIs), by the path of their group version ("apis/metrics.k8s.io/v1beta1"). */
export type OpenApiSource = () => { path: string; hash: string; serve(request: PathRequest): Promise<void> }[];

export interface OpenApi {
  addSource(source: OpenApiSource): void;
}

const hashOf = (bytes: Uint8Array): string => createHash('sha512').update(bytes).digest('hex').toUpperCase();
const protobufV2 = 'application/com.github.proto-openapi.spec.v2@v1.0+protobuf';
/** What is answered: an at sign is no part of a media type, so this is the form that can be parsed. */
const protobufV2Dot = 'application/com.github.proto-openapi.spec.v2.v1.0+protobuf';

export function serveOpenApi(paths: PathTable, discovery: Discovery, table: ResourceTable): OpenApi {
  const sources: OpenApiSource[] = [];
  const documents = new Map<string, { version: number; document: Promise<Document> }>();
  /** Group versions of built-in resources never change; of others, with the table. */
  const document = (name: string, version: number, make: () => Promise<Uint8Array>): Promise<Document> => {
    const known = documents.get(name);
    if (known && known.version === version) return known.document;
    const made = make().then((bytes) => ({ bytes, hash: hashOf(bytes) }));
    documents.set(name, { version, document: made });
    return made;
  };
  const pathOf = (group: string, version: string): string => (group ? `apis/${group}/${version}` : `api/${version}`);
  const groupVersions = (): { path: string; group: string; version: string }[] =>
    discovery
      .groups()
      .flatMap(({ name, versions }) =>
        versions
          .filter(({ resources }) => resources.some((fact) => fact.type !== '' || table.find(fact.group, fact.version, fact.resource)))
          .map(({ version }) => ({ path: pathOf(name, version), group: name, version })),
      );
  const groupVersion = (group: string, version: string): Promise<Document> =>
    document(pathOf(group, version), table.version, async () => {
      const { groupVersionDocument } = await import('./documents.ts');
      const found = discovery
        .groups()
        .find(({ name }) => name === group)!
        .versions.find((entry) => entry.version === version)!;
      return Buffer.from(JSON.stringify(await groupVersionDocument(group, version, found.resources, table)));
    });
  const general = (): Information[] =>
    generalInformation(
      builtInGroups.map(({ name }) => name),
      (path) => paths.find(path) !== undefined,
    );
  const informed = (about: Information): Promise<Document> =>
    document(about.document, 0, async () => {
      const { informationDocument } = await import('./documents.ts');
      return Buffer.from(JSON.stringify(await informationDocument(about)));
    });
  const end = async ({ exchange, headers, query }: PathRequest, { bytes, hash }: Document, contentType: string): Promise<void> => {
    const etag = `"${hash}"`;
    const asked = query.get('hash');
    const all = {
      ...headers,
      etag,
      vary: 'Accept',
      'content-type': contentType,
      'cache-control': asked === hash ? 'public, immutable' : 'no-cache, private',
      ...(asked === hash && { expires: 'Fri, 31 Dec 9999 23:59:59 GMT' }),
    };
    if (exchange.headers['if-none-match'] === etag) exchange.end(304, all);
    else await endCompressed(exchange, 200, all, bytes);
  };

  paths.add('/openapi/v3', async (request) => {
    const index: Record<string, { serverRelativeURL: string }> = {};
    for (const about of general())
      index[about.document] = { serverRelativeURL: `/openapi/v3/${about.document}?hash=${(await informed(about)).hash}` };
    for (const { path, group, version } of groupVersions()) {
      // Hashing would make every document: what changes a document changes the table.
      const known = documents.get(path);
      const hash = known && known.version === table.version ? (await known.document).hash : (await groupVersion(group, version)).hash;
      index[path] = { serverRelativeURL: `/openapi/v3/${path}?hash=${hash}` };
    }
    for (const source of sources)
      for (const { path, hash } of source()) index[path] = { serverRelativeURL: `/openapi/v3/${path}?hash=${hash}` };
    const bytes = Buffer.from(JSON.stringify({ paths: index }));
    await end(request, { bytes, hash: hashOf(bytes) }, 'application/json');
  });
  paths.add('/openapi/v3/*', async (request) => {
    const path = request.path.slice('/openapi/v3/'.length).replace(/\/$/, '');
    const found = groupVersions().find((entry) => entry.path === path);
    const about = found ? undefined : general().find((entry) => entry.document === path);
    if (found || about) {
      const made = await (found ? groupVersion(found.group, found.version) : informed(about!));
      const asked = request.query.get('hash');
      if (asked !== null && asked !== made.hash) {
        request.exchange.end(301, { ...request.headers, location: `/openapi/v3/${path}?hash=${made.hash}` });
        return;
      }
      return end(request, made, 'application/json');
    }
    for (const source of sources) {
      const other = source().find((entry) => entry.path === path);
      if (other) return other.serve(request);
    }
    request.exchange.end(404, request.headers);
  });
  paths.add('/openapi/v2', async (request) => {
    const accept = String(request.exchange.headers['accept'] ?? '');
    const whole = (): Promise<Document> =>
      document('v2', table.version, async () => {
        const { wholeDocument } = await import('./documents.ts');
        return Buffer.from(JSON.stringify(await wholeDocument(discovery.groups(), table, general())));
      });
    if (!accept.includes(protobufV2) && !accept.includes(protobufV2Dot)) return end(request, await whole(), 'application/json');
    const made = await document('v2.protobuf', table.version, async () => {
      const { gnosticDocument } = await import('./gnostic.ts');
      return gnosticDocument(JSON.parse(Buffer.from((await whole()).bytes).toString('utf8')) as Record<string, unknown>);
    });
    return end(request, made, protobufV2Dot);
  });
  return { addSource: (source) => void sources.push(source) };
}
