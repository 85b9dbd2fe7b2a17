import type { PublicKey, SigningKey } from '#machinery/pki';

/** The payload of a token; times are seconds since 1970. */
export interface Claims {
  iss?: string;
  sub?: string;
  aud?: string | string[];
  exp?: number;
  nbf?: number;
  iat?: number;
  jti?: string;
  [claim: string]: unknown;
}

const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

/** A compact JSON web token (RFC 7519). */
export function signToken(key: SigningKey, claims: Claims): string {
  const data = `${part({ alg: key.algorithm, kid: key.id })}.${part(claims)}`;
  return `${data}.${key.sign(Buffer.from(data)).toString('base64url')}`;
}

function decode(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(text, 'base64url').toString());
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    // Not JSON: then it is not a token of this kind, which is an answer, not a failure.
    return undefined;
  }
}

/** What a token says, not yet believed. Undefined where it is no JSON web token. */
export function readToken(token: string): { header: Record<string, unknown>; claims: Claims } | undefined {
  const parts = token.split('.');
  if (parts.length !== 3) return undefined;
  const header = decode(parts[0]!);
  const claims = decode(parts[1]!);
  return header && claims && { header, claims };
}

/** Whether one of `keys` (only the one named by `kid`, where the token names one) signed the token. */
export function verifyToken(token: string, header: Record<string, unknown>, keys: readonly PublicKey[]): boolean {
  const end = token.lastIndexOf('.');
  const data = Buffer.from(token.slice(0, end));
  const signature = Buffer.from(token.slice(end + 1), 'base64url');
  const kid = header['kid'];
  return keys.some((key) => (!kid || key.id === kid) && header['alg'] === key.algorithm && key.verify(data, signature));
}

export const audiencesOf = (claims: Claims): string[] =>
  claims.aud === undefined ? [] : typeof claims.aud === 'string' ? [claims.aud] : claims.aud;
