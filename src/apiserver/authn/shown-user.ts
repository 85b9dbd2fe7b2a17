import type { UserInfo } from '../contract.ts';

/** A user as the API shows one (authentication.k8s.io UserInfo). */
export const shownUser = ({ name, uid, groups, extra }: UserInfo): Record<string, unknown> => ({
  ...(name && { username: name }),
  ...(uid && { uid }),
  ...(groups.length > 0 && { groups: [...groups] }),
  ...(extra && Object.keys(extra).length > 0 && { extra }),
});
