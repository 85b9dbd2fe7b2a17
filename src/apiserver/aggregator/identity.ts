/** How this server tells others who asks: headers that they believe from its client certificate. upstream: client-go/transport SetAuthProxyHeaders. */
import type { UserInfo } from '../contract.ts';
import type { Headers } from '../proxy/contract.ts';

const prefix = 'x-remote-';

export const isIdentityHeader = (name: string): boolean =>
  name === `${prefix}user` || name === `${prefix}uid` || name === `${prefix}group` || name.startsWith(`${prefix}extra-`);

/** Keys of extras may have what headers may not. */
const escaped = (key: string): string =>
  [...Buffer.from(key.toLowerCase())]
    .map((byte) => {
      const char = String.fromCharCode(byte);
      return /[!#$&'*+.^_`|~0-9a-z-]/.test(char) ? char : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
    })
    .join('');

export function identityHeaders({ name, uid, groups, extra }: UserInfo): [name: string, value: string][] {
  return [
    ['X-Remote-User', name],
    ...(uid ? [['X-Remote-Uid', uid] as [string, string]] : []),
    ...groups.map((group): [string, string] => ['X-Remote-Group', group]),
    ...Object.entries(extra ?? {}).flatMap(([key, values]) =>
      values.map((value): [string, string] => [`X-Remote-Extra-${escaped(key)}`, value]),
    ),
  ];
}

/** The client's headers with who asks in them, and nobody else. */
export function withIdentity(headers: Headers, user: UserInfo): Headers {
  const made: Headers = Object.fromEntries(Object.entries(headers).filter(([name]) => !isIdentityHeader(name)));
  for (const [header, value] of identityHeaders(user)) {
    const name = header.toLowerCase();
    const known = made[name];
    made[name] = known === undefined ? value : [known, value].flat();
  }
  return made;
}
