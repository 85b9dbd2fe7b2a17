import { createHash } from 'node:crypto';
import type { TokenReview } from '#api';
import type { Clock } from '#machinery/clock';
import type { ConfiguredWebhook } from '../webhook/configured-client.ts';
import { ExpiringCache } from '../webhook/expiring-cache.ts';
import type { TokenAuthenticator, TokenUser } from './token.ts';

export interface WebhookTokenOptions {
  webhook: ConfiguredWebhook;
  /** Of the TokenReviews that are sent. */
  version: 'v1' | 'v1beta1';
  /** Milliseconds that an answer holds. */
  cacheLifetime: number;
  /** For which tokens are meant whose reviewer says nothing of audiences. */
  apiAudiences: readonly string[];
  clock: Clock;
}

/** Asks another server whose a token is. upstream: plugin/pkg/authenticator/token/webhook, token/cache. */
export function webhookTokens({ webhook, version, cacheLifetime, apiAudiences, clock }: WebhookTokenOptions): TokenAuthenticator {
  const cache = new ExpiringCache<TokenUser>(clock, 4096);
  // Many requests with one new token are one question.
  const asking = new Map<string, Promise<TokenUser | undefined>>();
  const ask = async (token: string, audiences: readonly string[]): Promise<TokenUser | undefined> => {
    const review = (await webhook.post({
      kind: 'TokenReview',
      apiVersion: `authentication.k8s.io/${version}`,
      metadata: {},
      spec: { token, ...(audiences.length > 0 && { audiences }) },
      status: { user: {} },
    })) as TokenReview | undefined;
    const { authenticated, error, user, audiences: meant } = review?.status ?? {};
    const shared = audiences.filter((audience) => (meant?.length ? meant : apiAudiences).includes(audience));
    if (audiences.length > 0 && shared.length === 0) return undefined;
    if (!authenticated) {
      if (error) throw new Error(error);
      return undefined;
    }
    return {
      user: {
        name: user?.username ?? '',
        ...(user?.uid && { uid: user.uid }),
        groups: user?.groups ?? [],
        ...(user?.extra && { extra: user.extra as Record<string, string[]> }),
      },
      audiences: shared,
    };
  };
  return (token, audiences = apiAudiences) => {
    const key = createHash('sha256')
      .update(JSON.stringify([token, audiences]))
      .digest('base64');
    const known = cache.get(key);
    if (known) return known;
    let running = asking.get(key);
    if (!running) {
      running = ask(token, audiences)
        .then((found) => {
          if (found) cache.set(key, found, cacheLifetime);
          return found;
        })
        .finally(() => asking.delete(key));
      asking.set(key, running);
    }
    return running;
  };
}
