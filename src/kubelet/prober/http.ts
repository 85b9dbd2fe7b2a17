import http from 'node:http';
import https from 'node:https';
import type { Container, HTTPGetAction } from '#api';
import type { Clock } from '#machinery/clock';
import { resolvePort } from './port.ts';

export interface HttpAnswer {
  status: number;
  body: string;
  /** The request went to another host than asked for, and was not followed there. */
  redirectedAway: boolean;
}

const bodyLimit = 10 * 1024;

const hostAndPort = (host: string, port: number): string => (host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`);

/** The address that an httpGet action means, the pod's own address by default. Throws when its port cannot be resolved. */
export function httpGetUrl(action: HTTPGetAction, container: Container | undefined, podIp: string): URL {
  const scheme = (action.scheme ?? 'HTTP').toLowerCase();
  const path = action.path ?? '/';
  const base = `${scheme}://${hostAndPort(action.host || podIp, resolvePort(action.port, container))}`;
  try {
    return new URL(path.startsWith('/') ? path : `/${path}`, base);
  } catch {
    return new URL(base);
  }
}

/** upstream: pkg/probe/http/request.go newProbeRequest: a probe names itself, and accepts anything. */
export function httpGetHeaders(action: HTTPGetAction, agent: string): Record<string, string | string[]> {
  const headers: Record<string, string | string[]> = {};
  for (const { name, value } of action.httpHeaders ?? []) {
    const key = Object.keys(headers).find((known) => known.toLowerCase() === name.toLowerCase()) ?? name;
    const known = headers[key];
    headers[key] = known === undefined ? (value ?? '') : [...(Array.isArray(known) ? known : [known]), value ?? ''];
  }
  const has = (name: string): boolean => Object.keys(headers).some((known) => known.toLowerCase() === name);
  if (!has('user-agent')) headers['User-Agent'] = agent;
  if (!has('accept')) headers['Accept'] = '*/*';
  // An empty value means that the header is not sent at all.
  for (const [name, value] of Object.entries(headers)) if (value === '' && /^(accept|user-agent)$/i.test(name)) delete headers[name];
  return headers;
}

const goError = (error: NodeJS.ErrnoException, url: URL): string => {
  const target = hostAndPort(url.hostname.replace(/^\[|\]$/g, ''), Number(url.port) || (url.protocol === 'https:' ? 443 : 80));
  const cause = error instanceof AggregateError ? (error.errors[0] as NodeJS.ErrnoException) : error;
  switch (cause.code) {
    case 'ECONNREFUSED':
      return `dial tcp ${target}: connect: connection refused`;
    case 'EHOSTUNREACH':
      return `dial tcp ${target}: connect: no route to host`;
    case 'ENETUNREACH':
      return `dial tcp ${target}: connect: network is unreachable`;
    case 'ECONNRESET':
      return cause.message.includes('hang up') ? 'EOF' : `read tcp ${target}: read: connection reset by peer`;
    case 'ENOTFOUND':
      return `dial tcp: lookup ${url.hostname}: no such host`;
    default:
      return cause.message;
  }
};

/** GETs, following redirects on the same host. Rejects with upstream's text; certificates are not verified, as upstream does. */
export async function httpGet(
  first: URL,
  headers: Record<string, string | string[]>,
  options: { timeout: number; clock: Clock; signal?: AbortSignal | undefined },
): Promise<HttpAnswer> {
  const late = new AbortController();
  const timer = options.clock.setTimeout(() => late.abort(), options.timeout);
  const signal = options.signal ? AbortSignal.any([late.signal, options.signal]) : late.signal;
  let url = first;
  try {
    for (let hops = 0; ; hops++) {
      const answer = await get(url, headers, signal);
      const location = answer.location;
      if (answer.status < 300 || answer.status >= 400 || !location) return { ...answer, redirectedAway: false };
      const next = new URL(location, url);
      if (next.hostname !== first.hostname) return { ...answer, redirectedAway: true };
      if (hops >= 9) throw new Error(`Get "${next}": stopped after 10 redirects`);
      url = next;
    }
  } catch (error) {
    if (late.signal.aborted)
      throw new Error(`Get "${url}": context deadline exceeded (Client.Timeout exceeded while awaiting headers)`, { cause: error });
    if (error instanceof Error && error.message.startsWith('Get ')) throw error;
    throw new Error(`Get "${url}": ${goError(error as NodeJS.ErrnoException, url)}`, { cause: error });
  } finally {
    timer.cancel();
  }
}

function get(
  url: URL,
  headers: Record<string, string | string[]>,
  signal: AbortSignal,
): Promise<{ status: number; body: string; location: string | undefined }> {
  return new Promise((resolve, reject) => {
    const module = url.protocol === 'https:' ? https : http;
    const host = Object.entries(headers).find(([name]) => name.toLowerCase() === 'host')?.[1];
    const request = module.request(
      url,
      {
        method: 'GET',
        headers: { ...headers, ...(host !== undefined && { Host: host }) },
        agent: false,
        signal,
        rejectUnauthorized: false,
      },
      (response) => {
        const chunks: Buffer[] = [];
        let size = 0;
        const done = (): void => {
          resolve({
            status: response.statusCode ?? 0,
            body: Buffer.concat(chunks).subarray(0, bodyLimit).toString('utf8'),
            location: response.headers.location,
          });
          request.destroy();
        };
        response.on('data', (chunk: Buffer) => {
          chunks.push(chunk);
          size += chunk.length;
          if (size >= bodyLimit) done();
        });
        response.on('end', done);
        response.on('error', reject);
      },
    );
    request.on('error', reject);
    request.end();
  });
}
