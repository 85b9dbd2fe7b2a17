import { library } from '../check/declarations.ts';
import { struct } from '../types.ts';
import { List } from '../values/list.ts';
import { LiteralMap } from '../values/map.ts';
import { CelError } from '../values/scalars.ts';
import { Opaque } from '../values/value.ts';
import type { Value } from '../values/value.ts';

/** Absolute URLs and paths, as Go's url.ParseRequestURI reads them. upstream: apiserver/pkg/cel/library/urls.go. */

export const urlType = struct('kubernetes.URL');

interface Parts {
  scheme: string;
  user: string;
  /** Host and port, as written. */
  host: string;
  path: string;
  query: string;
}

export class URLValue extends Opaque {
  readonly type = urlType;
  readonly text: string;
  readonly parts: Parts;
  constructor(text: string, parts: Parts) {
    super();
    this.text = text;
    this.parts = parts;
  }
  equals(other: Value): boolean {
    return other instanceof URLValue && JSON.stringify(this.parts) === JSON.stringify(other.parts);
  }
  toString(): string {
    return this.text;
  }
}

/** What is wrong with the text, or its parts. */
export function parseURL(text: string): Parts | string {
  const wrong = (reason: string): string => `parse ${JSON.stringify(text)}: ${reason}`;
  if (text === '') return wrong('empty url');
  if (/[\x00-\x1f\x7f]/.test(text)) return wrong('net/url: invalid control character in URL');
  const schemed = /^([A-Za-z][A-Za-z0-9+.-]*):(.*)$/s.exec(text);
  const scheme = schemed?.[1]?.toLowerCase() ?? '';
  const rest = schemed ? schemed[2]! : text;
  if (!schemed && text.startsWith(':')) return wrong('missing protocol scheme');
  const question = rest.indexOf('?');
  const before = question < 0 ? rest : rest.slice(0, question);
  const query = question < 0 ? '' : rest.slice(question + 1);
  if (!before.startsWith('/')) return scheme ? { scheme, user: '', host: '', path: '', query } : wrong('invalid URI for request');
  let host = '';
  let user = '';
  let path = before;
  if (before.startsWith('//') && (scheme || !before.startsWith('///'))) {
    const slash = before.indexOf('/', 2);
    const authority = slash < 0 ? before.slice(2) : before.slice(2, slash);
    path = slash < 0 ? '' : before.slice(slash);
    const at = authority.lastIndexOf('@');
    user = at < 0 ? '' : authority.slice(0, at);
    host = at < 0 ? authority : authority.slice(at + 1);
    const bad = hostError(host);
    if (bad) return wrong(bad);
  }
  const escape = /%(?![0-9a-fA-F]{2}).{0,2}/s.exec(path)?.[0];
  if (escape !== undefined) return wrong(`invalid URL escape ${JSON.stringify(escape)}`);
  return { scheme, user, host, path, query };
}

function hostError(host: string): string | undefined {
  if (host.startsWith('[')) {
    const end = host.lastIndexOf(']');
    if (end < 0) return "missing ']' in host";
    const port = host.slice(end + 1);
    return /^(?::\d*)?$/.test(port) ? undefined : `invalid port ${JSON.stringify(port)} after host`;
  }
  const colon = host.lastIndexOf(':');
  if (colon >= 0 && !/^:\d*$/.test(host.slice(colon))) return `invalid port ${JSON.stringify(host.slice(colon))} after host`;
  const bad = /[ "<>^`{|}\\]/.exec(host)?.[0];
  return bad === undefined ? undefined : `invalid character ${JSON.stringify(bad)} in host name`;
}

function parse(text: string): Value {
  const parts = parseURL(text);
  return typeof parts === 'string' ? new CelError(`URL parse error during conversion from string: ${parts}`) : new URLValue(text, parts);
}

const port = (host: string): string => /:(\d*)$/.exec(host.replace(/^\[.*\]/, ''))?.[1] ?? '';
const hostname = (host: string): string => (host.startsWith('[') ? host.slice(1, host.lastIndexOf(']')) : host.replace(/:\d*$/, ''));

function query({ parts }: URLValue): Value {
  const found = new Map<string, Value[]>();
  for (const [key, value] of new URLSearchParams(parts.query)) {
    const known = found.get(key);
    if (known) known.push(value);
    else found.set(key, [value]);
  }
  return new LiteralMap(new Map([...found].map(([key, values]) => [`s${key}`, [key, new List(values)]])));
}

/** The path with only what must be escaped. */
const escapedPath = (path: string): string =>
  path.replace(/[^A-Za-z0-9\-_.~$&+,/:;=@%!'()*[\]]/gu, (character) => encodeURIComponent(character));

export const urlsLibrary = library(
  `
.getEscapedPath url_get_escaped_path(kubernetes.URL) -> string
.getHost url_get_host(kubernetes.URL) -> string
.getHostname url_get_hostname(kubernetes.URL) -> string
.getPort url_get_port(kubernetes.URL) -> string
.getQuery url_get_query(kubernetes.URL) -> map(string, list(string))
.getScheme url_get_scheme(kubernetes.URL) -> string
isURL is_url_string(string) -> bool
url string_to_url(string) -> kubernetes.URL
`,
  {
    string_to_url: parse,
    is_url_string: (text: string) => typeof parseURL(text) !== 'string',
    url_get_scheme: ({ parts }: URLValue) => parts.scheme,
    url_get_host: ({ parts }: URLValue) => parts.host,
    url_get_hostname: ({ parts }: URLValue) => hostname(parts.host),
    url_get_port: ({ parts }: URLValue) => port(parts.host),
    url_get_escaped_path: ({ parts }: URLValue) => escapedPath(parts.path),
    url_get_query: query,
  },
);
