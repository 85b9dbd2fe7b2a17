import { createHash } from 'node:crypto';
import type { UserInfo } from '../contract.ts';
import type { TokenAuthenticator } from './token.ts';

/** Tokens known from the start. Looked up by hash, so that the time taken says nothing about a token. upstream: token/tokenfile. */
export function staticTokens(tokens: ReadonlyMap<string, UserInfo>, apiAudiences: readonly string[]): TokenAuthenticator {
  const hash = (token: string): string => createHash('sha256').update(token).digest('base64');
  const users = new Map([...tokens].map(([token, user]) => [hash(token), user]));
  return (token, audiences = apiAudiences) => {
    const user = users.get(hash(token));
    return user && { user, audiences: audiences.filter((audience) => apiAudiences.includes(audience)) };
  };
}

/** The lines `token,user,uid,"group1,group2"` of a token file. upstream: --token-auth-file. */
export function parseTokenFile(text: string): Map<string, UserInfo> {
  const tokens = new Map<string, UserInfo>();
  for (const line of text.split('\n')) {
    const cells = [...line.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))/g)].map((match) => (match[1] ?? match[2] ?? '').trim());
    const [token, name, uid, groups] = cells;
    if (!token || !name) continue;
    tokens.set(token, {
      name,
      ...(uid && { uid }),
      groups: (groups ?? '')
        .split(',')
        .map((group) => group.trim())
        .filter(Boolean),
    });
  }
  return tokens;
}
