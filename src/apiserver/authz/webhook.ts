import type { SubjectAccessReview } from '#api';
import type { Clock } from '#machinery/clock';
import type { Log } from '#machinery/log';
import type { AuthorizationAttributes, Authorizer, Decision } from '../contract.ts';
import type { ConfiguredWebhook } from '../webhook/configured-client.ts';
import { ExpiringCache } from '../webhook/expiring-cache.ts';
import { ReviewConditions } from './match-conditions.ts';
import { reviewSpec } from './review.ts';

export interface WebhookAuthorizerOptions {
  name: string;
  webhook: ConfiguredWebhook;
  /** Of the SubjectAccessReviews that are sent. */
  version: 'v1' | 'v1beta1';
  /** Milliseconds that an answer holds; 0: each request asks. */
  allowedLifetime: number;
  otherLifetime: number;
  /** What is decided where the webhook does not answer. */
  failurePolicy: 'NoOpinion' | 'Deny';
  conditions?: ReviewConditions;
  clock: Clock;
  log: Log;
}

/** Longer requests are not kept: a client must not be able to fill the memory. upstream: maxControlledAttrCacheSize. */
const longestKept = 10_000;

type Status = NonNullable<SubjectAccessReview['status']>;

/** Asks another server what one may do. upstream: plugin/pkg/authorizer/webhook. */
export function webhookAuthorizer(options: WebhookAuthorizerOptions): Authorizer {
  const { webhook, version, conditions, clock, log, name } = options;
  const cache = new ExpiringCache<Status>(clock);
  const asking = new Map<string, Promise<Status>>();
  const failed: Decision = { verdict: options.failurePolicy === 'Deny' ? 'deny' : 'no-opinion', reason: '' };

  const ask = async (key: string, spec: unknown): Promise<Status> => {
    // v1beta1 calls the groups "group".
    const { groups, ...rest } = spec as { groups?: string[] };
    const body = version === 'v1' ? spec : { ...rest, ...(groups && { group: groups }) };
    const answer = (await webhook.post({
      kind: 'SubjectAccessReview',
      apiVersion: `authorization.k8s.io/${version}`,
      metadata: {},
      spec: body,
      status: { allowed: false },
    })) as SubjectAccessReview | undefined;
    const status = answer?.status ?? { allowed: false };
    if (key.length <= longestKept) cache.set(key, status, status.allowed ? options.allowedLifetime : options.otherLifetime);
    return status;
  };

  const decide = async (attributes: AuthorizationAttributes): Promise<Decision> => {
    try {
      if (conditions && !conditions.match(attributes)) return { verdict: 'no-opinion', reason: '' };
      const spec = reviewSpec(attributes);
      const key = JSON.stringify(spec);
      let status = cache.get(key);
      if (!status) {
        let running = asking.get(key);
        if (!running) asking.set(key, (running = ask(key, spec).finally(() => asking.delete(key))));
        status = await running;
      }
      const { allowed, denied, reason = '' } = status;
      if (denied && allowed) log.error('Authorization webhook both allows and denies', { authorizer: name });
      return { verdict: denied ? 'deny' : allowed ? 'allow' : 'no-opinion', reason };
    } catch (error) {
      log.error('Authorization webhook cannot be asked', { authorizer: name, error });
      return failed;
    }
  };
  return decide;
}
