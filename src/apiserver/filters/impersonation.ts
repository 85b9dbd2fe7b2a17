/** Acting as another: allowed only to who may "impersonate" that user, those groups, that extra. upstream: apiserver/pkg/endpoints/filters/impersonation. */
import { badRequest } from '#machinery/status';
import type { Authorizer, RequestInfo, UserInfo } from '../contract.ts';
import { authorize } from './authorization.ts';

type Headers = Record<string, string | string[] | undefined>;

const prefix = 'impersonate-';
const extraPrefix = 'impersonate-extra-';
const serviceAccount = 'system:serviceaccount:';

const all = (value: string | string[] | undefined): string[] =>
  value === undefined ? [] : Array.isArray(value) ? value : value.split(', ');

/** Whether a header asks to speak for another. */
export function asksToImpersonate(headers: Headers): boolean {
  for (const name in headers) if (name.startsWith(prefix)) return true;
  return false;
}

/** The user the request speaks for; the one who sent it where no header asks for another. */
export async function impersonate(authorizer: Authorizer, user: UserInfo, headers: Headers): Promise<UserInfo> {
  if (!asksToImpersonate(headers)) return user;
  const header = headers['impersonate-user'];
  const name = Array.isArray(header) ? header[0] : header;
  const groups = all(headers['impersonate-group']);
  const uid = headers['impersonate-uid'] as string | undefined;
  const extra: Record<string, string[]> = {};
  for (const key in headers)
    if (key.startsWith(extraPrefix)) extra[decodeURIComponent(key.slice(extraPrefix.length)).toLowerCase()] = all(headers[key]);
  if (!name) {
    // Upstream prints the references it made of the headers.
    const asks = [
      ...groups.map((group) => `{Group  ${group}    }`),
      ...Object.entries(extra).flatMap(([key, values]) => values.map((value) => `{UserExtra  ${value}  authentication.k8s.io/v1  ${key}}`)),
      ...(uid ? [`{UID  ${uid}  authentication.k8s.io/v1  }`] : []),
    ];
    throw badRequest(`requested [${asks.join(' ')}] without impersonating a user`);
  }

  const check = (fields: Partial<RequestInfo>): Promise<void> | undefined =>
    authorize(authorizer, user, {
      isResourceRequest: true,
      path: '',
      verb: 'impersonate',
      group: '',
      version: 'v1',
      resource: '',
      subresource: '',
      namespace: '',
      name: '',
      ...fields,
    });
  const account = name.startsWith(serviceAccount) ? name.slice(serviceAccount.length).split(':') : [];
  const [namespace, accountName] = account;
  const isAccount = account.length === 2 && Boolean(namespace) && Boolean(accountName);
  if (isAccount) await check({ resource: 'serviceaccounts', namespace: namespace!, name: accountName! });
  else await check({ resource: 'users', name });
  for (const group of groups) await check({ resource: 'groups', name: group });
  if (uid) await check({ group: 'authentication.k8s.io', resource: 'uids', name: uid });
  for (const [key, values] of Object.entries(extra))
    for (const value of values) await check({ group: 'authentication.k8s.io', resource: 'userextras', subresource: key, name: value });

  const became = [...groups];
  if (isAccount && groups.length === 0) became.push('system:serviceaccounts', `system:serviceaccounts:${namespace}`);
  if (name === 'system:anonymous') {
    if (!became.includes('system:unauthenticated')) became.push('system:unauthenticated');
  } else if (!became.includes('system:authenticated') && !became.includes('system:unauthenticated')) became.push('system:authenticated');
  return { name, ...(uid && { uid }), groups: became, ...(Object.keys(extra).length > 0 && { extra }) };
}
