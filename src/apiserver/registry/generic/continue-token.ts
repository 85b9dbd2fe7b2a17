/** Where a list in pages goes on. upstream: apiserver/pkg/storage/continue.go. */
import { jsonSyntaxError } from '#machinery/codec';
import { badRequest } from '#machinery/status';

export interface Continue {
  /** -1: at whatever the newest is. */
  revision: number;
  /** The first key of the next page, without the resource's prefix. */
  start: string;
}

export const encodeContinue = ({ revision, start }: Continue): string =>
  Buffer.from(JSON.stringify({ v: 'meta.k8s.io/v1', rv: revision, start })).toString('base64url');

export function decodeContinue(token: string): Continue {
  const invalid = (detail: string): Error => badRequest(`invalid continue token: continue key is not valid: ${detail}`);
  const strange = token.search(/[^A-Za-z0-9_-]/);
  if (strange >= 0 || token.length % 4 === 1)
    throw invalid(`illegal base64 data at input byte ${strange >= 0 ? strange : token.length - 1}`);
  let decoded: { v?: unknown; rv?: unknown; start?: unknown };
  try {
    decoded = JSON.parse(Buffer.from(token, 'base64url').toString('utf8')) as typeof decoded;
  } catch (error) {
    throw invalid(jsonSyntaxError(Buffer.from(token, 'base64url').toString('utf8')) ?? String(error));
  }
  const { v, rv, start } = decoded;
  if (v !== 'meta.k8s.io/v1') throw invalid(`server does not recognize this encoded version ${String(v)}`);
  if (typeof rv !== 'number' || !Number.isInteger(rv) || rv === 0)
    throw invalid('incorrect encoded start resourceVersion (version meta.k8s.io/v1)');
  if (typeof start !== 'string' || start === '') throw invalid('encoded start key empty (version meta.k8s.io/v1)');
  // The key must not climb out of its resource.
  if (start.split('/').some((part, index) => part === '.' || part === '..' || (part === '' && index > 0))) throw invalid(start);
  return { revision: rv, start: start.replace(/^\//, '') };
}
