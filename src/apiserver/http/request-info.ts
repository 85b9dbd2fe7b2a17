/** What a request asks for, from its method, path and query. upstream: apiserver/pkg/endpoints/request/requestinfo.go. */
import { isValidPathSegmentName } from '#machinery/names';
import { parseFieldSelector } from '#machinery/selectors';
import { StatusError, badRequest, failure } from '#machinery/status';
import type { RequestInfo } from '../contract.ts';

export interface ParsedRequest {
  info: RequestInfo;
  /** What follows the subresource in the path, as sent, with its leading slash. For proxies. */
  rest: string;
}

const verbs: Record<string, string> = { POST: 'create', GET: 'get', HEAD: 'get', PUT: 'update', PATCH: 'patch', DELETE: 'delete' };
const namespaceSubresources = new Set(['status', 'finalize']);
const verbsWithSelectors = new Set(['list', 'watch', 'deletecollection']);

/** upstream: responsewriters NotFound for paths: a Status by client-go's reading of the text. */
export function notFoundPath(): StatusError {
  return new StatusError({
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Failure',
    message: 'the server could not find the requested resource',
    reason: 'NotFound',
    details: {},
    code: 404,
  });
}

/** `path`: as sent, without the query. Throws a StatusError for paths that play tricks. */
export function parseRequest(method: string, path: string, query: URLSearchParams): ParsedRequest {
  const info: RequestInfo = {
    isResourceRequest: false,
    path: decode(path),
    verb: method.toLowerCase(),
    group: '',
    version: '',
    resource: '',
    subresource: '',
    namespace: '',
    name: '',
  };
  // Upstream splits the decoded path: an encoded slash is a slash.
  const raw = path.replace(/^\/+/, '').split('/');
  let parts = raw.map(decode);
  const encodedSlash = parts.findIndex((part) => part.includes('/'));
  if (parts.at(-1) === '') parts = parts.slice(0, -1);
  const grouped = parts[0] === 'apis';
  if ((!grouped && parts[0] !== 'api') || parts.length < (grouped ? 4 : 3)) return { info, rest: '' };
  let at = 1;
  if (grouped) info.group = parts[at++]!;
  info.version = parts[at++]!;
  info.isResourceRequest = true;
  info.verb = verbs[method] ?? '';
  let watchPrefix = false;
  if (parts[at] === 'watch' || parts[at] === 'proxy') {
    if (parts.length - at < 2) throw badRequest(`unable to determine kind and namespace from url, ${path}`);
    info.verb = parts[at++]!;
    watchPrefix = true;
  }
  if (parts[at] === 'namespaces' && parts.length - at > 1) {
    info.namespace = parts[at + 1]!;
    if (parts.length - at > 2 && !namespaceSubresources.has(parts[at + 2]!)) at += 2;
  }
  info.resource = parts[at] ?? '';
  info.name = parts[at + 1] ?? '';
  if (parts.length - at >= 3 && info.verb !== 'proxy') info.subresource = parts[at + 2]!;
  const checked = Math.min(parts.length, at + 3);
  for (let index = 0; index < checked; index++) {
    const part = parts[index]!;
    if (part === '' || index === encodedSlash || path.startsWith('//')) throw notFoundPath();
    if (part !== '.' && part !== '..') continue;
    // upstream: storage/etcd3/store.go prepareKey.
    if (part === info.namespace && index < at) throw failure(500, '', `invalid key: ${JSON.stringify(`/${info.resource}/${part}`)}`);
    // A name is looked at by the registry, once it is known that the path has one.
    if (index !== at + 1) throw notFoundPath();
  }
  const rest = raw.length > at + 3 ? `/${raw.slice(at + 3).join('/')}` : '';

  if (info.name === '' && info.verb === 'get') {
    const asked = query.get('watch');
    info.verb = asked !== null && !['false', '0'].includes(asked.toLowerCase()) ? 'watch' : 'list';
    const name = exactName(query.get('fieldSelector'));
    if (name !== undefined && isValidPathSegmentName(name).length === 0) info.name = name;
  }
  if (info.name === '' && info.verb === 'delete') info.verb = 'deletecollection';
  if (!watchPrefix && verbsWithSelectors.has(info.verb)) {
    const fieldSelector = query.get('fieldSelector');
    const labelSelector = query.get('labelSelector');
    if (fieldSelector !== null) info.fieldSelector = fieldSelector;
    if (labelSelector !== null) info.labelSelector = labelSelector;
  }
  return { info, rest };
}

/** The one name that a field selector asks for: authorizers treat a list of one object as that object's. */
export function exactName(fieldSelector: string | null | undefined): string | undefined {
  if (!fieldSelector) return undefined;
  try {
    return parseFieldSelector(fieldSelector).requiresExactMatch('metadata.name');
  } catch {
    // The handler reads it again and says what is wrong.
    return undefined;
  }
}

function decode(part: string): string {
  if (!part.includes('%')) return part;
  try {
    return decodeURIComponent(part);
  } catch (cause) {
    throw badRequest(`invalid URL escape in ${JSON.stringify(part)}: ${cause instanceof Error ? cause.message : String(cause)}`);
  }
}

/** Requests that stay open for long are not counted against the limits and have no time limit. upstream: genericfilters.BasicLongRunningRequestCheck. */
export function isLongRunning(info: RequestInfo): boolean {
  if (!info.isResourceRequest) return false;
  if (info.verb === 'watch' || info.verb === 'proxy') return true;
  return ['attach', 'exec', 'proxy', 'log', 'portforward'].includes(info.subresource);
}
