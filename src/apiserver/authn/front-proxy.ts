import type { Clock } from '#machinery/clock';
import type { Authenticator, Credentials } from '../contract.ts';
import { renewedVerifier } from './x509.ts';
import type { Authorities } from './x509.ts';

export interface FrontProxyOptions {
  /** PEM of the authority that proxies' certificates come from. */
  ca: Authorities;
  /** Common names that may speak for others; none: all. */
  allowedNames?: readonly string[];
  usernameHeaders?: readonly string[];
  uidHeaders?: readonly string[];
  groupHeaders?: readonly string[];
  extraHeaderPrefixes?: readonly string[];
}

/** The header names that upstream's installers set. */
export const frontProxyHeaders = {
  usernameHeaders: ['X-Remote-User'],
  uidHeaders: ['X-Remote-Uid'],
  groupHeaders: ['X-Remote-Group'],
  extraHeaderPrefixes: ['X-Remote-Extra-'],
} as const;

/** `names` in lower case. */
const values = (headers: Credentials['headers'], names: readonly string[]): string[] =>
  names.flatMap((name) => headers[name] ?? []).filter(Boolean);

const lowerCase = (names: readonly string[]): string[] => names.map((name) => name.toLowerCase());

function unescape(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    // Upstream keeps what is not percent-encoded as it is.
    return text;
  }
}

/** A proxy with a certificate of its own authority says in headers for whom it asks. upstream: request/headerrequest. */
export function frontProxyAuthenticator(options: FrontProxyOptions, clock: Clock): Authenticator {
  const { usernameHeaders, uidHeaders, groupHeaders, extraHeaderPrefixes } = { ...frontProxyHeaders, ...options };
  const [ofName, ofUid, ofGroup] = [lowerCase(usernameHeaders), lowerCase(uidHeaders), lowerCase(groupHeaders)];
  const verify = renewedVerifier(options.ca, clock);
  const allowed = options.allowedNames ?? [];
  return ({ certificate, headers }) => {
    if (!certificate || ofName.every((name) => headers[name] === undefined)) return undefined;
    const [name] = values(headers, ofName);
    if (!name) return undefined;
    const leaf = verify(certificate);
    // Another kind of client certificate: the next authenticator looks at it.
    if (typeof leaf === 'string') return undefined;
    if (allowed.length > 0 && !allowed.includes(leaf.subject.commonName)) return undefined;
    const extra: Record<string, string[]> = {};
    for (const prefix of extraHeaderPrefixes)
      for (const [header, value] of Object.entries(headers)) {
        if (!header.startsWith(prefix.toLowerCase()) || value === undefined) continue;
        (extra[unescape(header.slice(prefix.length))] ??= []).push(...[value].flat());
      }
    const [uid] = values(headers, ofUid);
    return {
      name,
      ...(uid && { uid }),
      groups: values(headers, ofGroup),
      ...(Object.keys(extra).length > 0 && { extra }),
    };
  };
}
