import { timingSafeEqual } from 'node:crypto';
import { Secret } from '#api';
import { isNotFound } from '#machinery/status';
import type { ServerDependencies } from '../contract.ts';
import type { TokenAuthenticator } from './token.ts';

const form = /^([a-z0-9]{6})\.([a-z0-9]{16})$/;
const groupForm = /^system:bootstrappers:[a-z0-9:-]{0,255}[a-z0-9]$/;

/**
 * Tokens that nodes join with: `id.secret`, kept in the Secret kube-system/bootstrap-token-<id>.
 * upstream: plugin/pkg/auth/authenticator/token/bootstrap.
 */
export function bootstrapTokens({ client, clock, log }: Pick<ServerDependencies, 'client' | 'clock' | 'log'>): TokenAuthenticator {
  return async (token) => {
    const match = form.exec(token);
    if (!match) return undefined;
    const [, id = '', secretPart = ''] = match;
    const name = `bootstrap-token-${id}`;
    const secret = await client.get(Secret, { namespace: 'kube-system', name }).catch((error: unknown) => {
      if (isNotFound(error)) return undefined;
      throw error;
    });
    if (!secret) return undefined;
    const refuse = (reason: string): undefined => log.info('Bootstrap token refused', { secret: name, reason }) as undefined;
    const value = (key: string): string => Buffer.from(secret.data?.[key] ?? '', 'base64').toString();
    if (secret.metadata?.deletionTimestamp) return refuse('the secret is being deleted');
    if (secret.type !== 'bootstrap.kubernetes.io/token') return refuse('the secret has another type');
    const [known, given] = [Buffer.from(value('token-secret')), Buffer.from(secretPart)];
    if (known.length !== given.length || !timingSafeEqual(known, given)) return refuse('the secret part is wrong');
    if (value('token-id') !== id) return refuse('the token id is wrong');
    const expiration = value('expiration');
    if (expiration && !(Date.parse(expiration) > clock.now())) return refuse('it has expired');
    if (value('usage-bootstrap-authentication') !== 'true') return refuse('it is not meant for authentication');
    const extra = value('auth-extra-groups').split(',').filter(Boolean);
    if (!extra.every((group) => groupForm.test(group))) return refuse('an extra group is not under system:bootstrappers:');
    return { user: { name: `system:bootstrap:${id}`, groups: [...new Set(['system:bootstrappers', ...extra])].sort() }, audiences: [] };
  };
}
